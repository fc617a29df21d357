//! Why there is no answer.

use std::error::Error;
use std::io;

use super::names::Unresolved;

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(in crate::upstream::aws) struct HttpError {
    pub(in crate::upstream::aws) kind: Kind,
    /// One line.
    pub(in crate::upstream::aws) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::upstream::aws) enum Kind {
    Refused,
    UnknownHost,
    Timeout,
    Other,
}

pub(super) fn kind_of(error: &reqwest::Error) -> Kind {
    for cause in causes(error) {
        if cause.is::<Unresolved>() {
            return Kind::UnknownHost;
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return Kind::Refused,
            Some(io::ErrorKind::TimedOut) => return Kind::Timeout,
            _ => {}
        }
    }
    if error.is_timeout() { Kind::Timeout } else { Kind::Other }
}

/// An error and what caused it.
pub(in crate::upstream::aws) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What the innermost cause says: the others say that something failed. It names no URL.
pub(super) fn root_of(error: &(dyn Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}
