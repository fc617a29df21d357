//! Why there is no answer.

use std::error::Error as StdError;
use std::fmt;

/// Why a payload has no answer.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What went wrong, as far as it decides what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The host's name has no address.
    DnsFailure,
    /// Nothing listens there.
    ConnectionRefused,
    /// No way to the host, or the proxy opened none.
    Unreachable,
    /// The other side closed the connection before its answer was whole.
    ConnectionReset,
    /// The other side closed the connection before it had read the request.
    BrokenPipe,
    /// No connection within 3 seconds, or no answer within 10 seconds.
    Timeout,
    /// The server's certificate is not trusted, is too old, or is that of another host.
    TlsBadCertificate,
    /// TLS could not be agreed on for another reason.
    TlsHandshake,
    /// Neither http nor https, or https without the feature `rustls`.
    UnsupportedScheme,
    /// What came back is no HTTP, or anything else.
    Other,
}

impl TransportErrorKind {
    /// The kind's name, as in a log: `dns_failure`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DnsFailure => "dns_failure",
            Self::ConnectionRefused => "connection_refused",
            Self::Unreachable => "unreachable",
            Self::ConnectionReset => "connection_reset",
            Self::BrokenPipe => "broken_pipe",
            Self::Timeout => "timeout",
            Self::TlsBadCertificate => "tls_bad_certificate",
            Self::TlsHandshake => "tls_handshake",
            Self::UnsupportedScheme => "unsupported_scheme",
            Self::Other => "other",
        }
    }

    /// Whether another try may bring an answer. A certificate that is not trusted and a scheme that is not known will be no
    /// other a second later.
    pub fn is_transient(self) -> bool {
        !matches!(self, Self::TlsBadCertificate | Self::UnsupportedScheme)
    }
}

impl fmt::Display for TransportErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TransportError {
    /// An error of this kind.
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error of this kind, and what caused it.
    pub fn with_source(kind: TransportErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// What went wrong.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    /// The kind, and the text of the innermost cause, which says most: `connection_refused (Connection refused (os error 111))`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        let mut innermost: Option<&(dyn StdError + 'static)> = self.source();
        while let Some(next) = innermost.and_then(StdError::source) {
            innermost = Some(next);
        }
        innermost.map_or(Ok(()), |cause| write!(f, " ({cause})"))
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
