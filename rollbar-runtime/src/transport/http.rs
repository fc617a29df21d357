//! Payloads over HTTP/1.1, by reqwest.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};
use serde::de::IgnoredAny;
use thiserror::Error;

use super::resolver::{NoAddress, Resolver};
use super::{BoxFuture, MAX_ANSWER_BYTES, Payload, Response, Transport, TransportError, TransportErrorKind};
use crate::endpoint::Endpoint;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a request may take, its connection and its answer included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the end of an answer is waited for that has all that it needs.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection without a request is kept. Less than the 60 seconds after which the usual balancers close one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

const TOKEN: HeaderName = HeaderName::from_static("x-rollbar-access-token");

/// How Rollbar is reached.
#[derive(Clone, Default)]
pub(crate) struct HttpSettings {
    /// Where to.
    pub(crate) endpoint: Endpoint,
    /// The project's access token with the scope `post_server_item`. An empty one is not sent.
    pub(crate) token: String,
    /// Through which proxy.
    pub(crate) proxy: Proxy,
    /// How long a connection may take; 3 seconds by default.
    pub(crate) connect_timeout: Option<Duration>,
    /// How long a request may take, its connection and its answer included; 10 seconds by default.
    pub(crate) timeout: Option<Duration>,
}

/// Through which proxy Rollbar is reached.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Proxy {
    /// That of `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`, if any, but for the hosts of `NO_PROXY`.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Off,
    /// That of this URL, which may carry a user and a password: `http://user:password@proxy.example:3128`.
    Url(String),
}

/// Why no transport can be made of the settings.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportSetupError {
    /// The token cannot be sent in a header.
    #[error(
        "the access token has characters that a header cannot carry: copy the 32 hexadecimal digits from the project's settings"
    )]
    Token,
    /// The proxy is no http or https URL. It is not repeated here, as it may carry a password.
    #[error(
        "the proxy is no URL that starts with `http://` or `https://`: write one like `http://user:password@proxy.example:3128`"
    )]
    Proxy,
    /// https is asked for, but was not compiled in.
    #[error("`{0}` needs TLS: switch on the feature `rustls` of the crate `rollbar-runtime`")]
    NoTls(String),
    /// TLS could not be set up, most often because the system has no roots.
    #[error(
        "TLS could not be set up: {0} (does the system have root certificates? On Debian and Alpine they are the package `ca-certificates`)"
    )]
    Tls(String),
    /// The client could not be made for another reason.
    #[error("the HTTP client could not be set up: {0}")]
    Client(String),
}

/// Sends payloads over HTTP/1.1, on connections that are kept.
///
/// A redirect is not followed: it would carry the access token to whoever the answer names. TLS is reqwest's own:
/// rustls with the provider that the process has installed, else aws-lc, and the roots that the platform trusts. Another choice would
/// be one for the whole program, since Cargo gives all crates one reqwest and one rustls.
pub(crate) struct HttpTransport {
    client: Client,
    pub(crate) item: Url,
    pub(crate) deploy: Url,
}

impl HttpTransport {
    /// A transport to the endpoint of the settings. It connects with the first payload.
    ///
    /// # Errors
    /// When the token or the proxy is not valid, or TLS is needed and cannot be had.
    pub(crate) fn new(settings: &HttpSettings) -> Result<Self, TransportSetupError> {
        let builder = Client::builder()
            .default_headers(headers(&settings.token)?)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect_timeout.unwrap_or(CONNECT_TIMEOUT))
            .timeout(settings.timeout.unwrap_or(REQUEST_TIMEOUT))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .dns_resolver(Resolver)
            .http1_only()
            .referer(false)
            .redirect(reqwest::redirect::Policy::none());
        let (builder, proxy_is_https) = with_proxy(builder, &settings.proxy)?;
        let client = with_tls(builder, settings.endpoint.is_https(), proxy_is_https, &settings.endpoint)?
            .build()
            .map_err(|error| TransportSetupError::Client(innermost(&error)))?;
        let url =
            |text: &str| Url::parse(text).map_err(|error| TransportSetupError::Client(error.to_string()));
        Ok(Self {
            client,
            item: url(settings.endpoint.item_url())?,
            deploy: url(settings.endpoint.deploy_url())?,
        })
    }

    /// Sends a JSON text to a URL of the API.
    pub(crate) async fn request(
        &self,
        method: Method,
        url: Url,
        body: Bytes,
        compressed: bool,
    ) -> Result<Response, TransportError> {
        let mut request = self.client.request(method, url).body(body);
        if compressed {
            request = request.header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let mut answer = request.send().await.map_err(classified)?;
        let body = read(&mut answer).await?;
        Ok(Response { status: answer.status(), headers: std::mem::take(answer.headers_mut()), body })
    }
}

impl Transport for HttpTransport {
    fn send<'a>(&'a self, payload: &'a Payload) -> BoxFuture<'a, Result<Response, TransportError>> {
        Box::pin(self.request(Method::POST, self.item.clone(), payload.body.clone(), payload.compressed))
    }
}

fn headers(token: &str) -> Result<HeaderMap, TransportSetupError> {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !token.is_empty() {
        let mut token = HeaderValue::from_str(token).map_err(|_| TransportSetupError::Token)?;
        token.set_sensitive(true);
        headers.insert(TOKEN, token);
    }
    Ok(headers)
}

fn with_proxy(
    builder: reqwest::ClientBuilder,
    proxy: &Proxy,
) -> Result<(reqwest::ClientBuilder, bool), TransportSetupError> {
    match proxy {
        Proxy::Environment => Ok((builder, false)),
        Proxy::Off => Ok((builder.no_proxy(), false)),
        Proxy::Url(url) => {
            let url = Url::parse(url.trim()).map_err(|_| TransportSetupError::Proxy)?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(TransportSetupError::Proxy);
            }
            let is_https = url.scheme() == "https";
            let proxy = reqwest::Proxy::all(url).map_err(|_| TransportSetupError::Proxy)?;
            Ok((builder.proxy(proxy), is_https))
        }
    }
}

#[cfg(feature = "rustls")]
fn with_tls(
    builder: reqwest::ClientBuilder,
    endpoint: bool,
    proxy: bool,
    _: &Endpoint,
) -> Result<reqwest::ClientBuilder, TransportSetupError> {
    // The platform's roots are read in some milliseconds, and may be missing: only where they are needed.
    Ok(if endpoint || proxy { builder } else { builder.tls_certs_only([]) })
}

#[cfg(not(feature = "rustls"))]
fn with_tls(
    builder: reqwest::ClientBuilder,
    endpoint: bool,
    proxy: bool,
    url: &Endpoint,
) -> Result<reqwest::ClientBuilder, TransportSetupError> {
    if endpoint {
        return Err(TransportSetupError::NoTls(url.item_url().to_owned()));
    }
    if proxy {
        return Err(TransportSetupError::NoTls("a proxy over https".to_owned()));
    }
    Ok(builder)
}

/// The answer's body, as far as it counts.
///
/// An answer without a length ends with its connection, which some servers and proxies are slow to close: one that is whole is
/// not waited for. What breaks off is no answer; the item's uuid makes it safe to ask again.
async fn read(answer: &mut reqwest::Response) -> Result<Bytes, TransportError> {
    let mut body = BytesMut::new();
    while body.len() < MAX_ANSWER_BYTES {
        match tokio::time::timeout(END_TIMEOUT, answer.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => break,
            Ok(Err(_)) | Err(_) if is_whole(&body) => break,
            Ok(Err(error)) => return Err(classified(error)),
            // A chunk that comes late is not lost: `chunk` takes it with the next call. The request's own time ends the loop.
            Err(_) => {}
        }
    }
    body.truncate(MAX_ANSWER_BYTES);
    Ok(body.freeze())
}

fn is_whole(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// What went wrong, by the types of its causes.
fn classified(error: reqwest::Error) -> TransportError {
    // The URL says nothing that the settings do not.
    let error = error.without_url();
    TransportError::with_source(kind_of(&error), error)
}

fn kind_of(error: &reqwest::Error) -> TransportErrorKind {
    if error.is_timeout() {
        return TransportErrorKind::Timeout;
    }
    if error.is_builder() {
        return TransportErrorKind::UnsupportedScheme;
    }
    let mut next = StdError::source(error);
    while let Some(cause) = next {
        if cause.is::<NoAddress>() {
            return TransportErrorKind::DnsFailure;
        }
        #[cfg(feature = "rustls")]
        if let Some(kind) = cause.downcast_ref().map(tls_kind) {
            return kind;
        }
        if let Some(kind) = cause.downcast_ref().and_then(io_kind) {
            return kind;
        }
        next = cause.source();
    }
    // What is left are hyper's own errors: a connection that ends within an answer has no cause.
    if error.is_connect() { TransportErrorKind::Unreachable } else { TransportErrorKind::ConnectionReset }
}

#[cfg(feature = "rustls")]
fn tls_kind(error: &rustls::Error) -> TransportErrorKind {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            TransportErrorKind::TlsBadCertificate
        }
        _ => TransportErrorKind::TlsHandshake,
    }
}

fn io_kind(error: &io::Error) -> Option<TransportErrorKind> {
    // What is within such an error is not its source: an error of rustls, or another one around it.
    if let Some(inner) = error.get_ref() {
        #[cfg(feature = "rustls")]
        if let Some(kind) = inner.downcast_ref().map(tls_kind) {
            return Some(kind);
        }
        if let Some(kind) = inner.downcast_ref().and_then(io_kind) {
            return Some(kind);
        }
    }
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => TransportErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::NotConnected => TransportErrorKind::ConnectionReset,
        io::ErrorKind::BrokenPipe => TransportErrorKind::BrokenPipe,
        io::ErrorKind::TimedOut => TransportErrorKind::Timeout,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => TransportErrorKind::Unreachable,
        _ => return None,
    })
}

fn innermost(error: &dyn StdError) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
