//! How payloads reach Rollbar.

mod error;
mod http;
mod resolver;

use std::pin::Pin;

use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use uuid::Uuid;

pub use self::error::{TransportError, TransportErrorKind};
pub(crate) use self::http::{HttpSettings, HttpTransport};
pub use self::http::{Proxy, TransportSetupError};

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The bytes of an answer that are read; the rest is left. Rollbar's answers have some hundred.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What carries payloads to Rollbar: over HTTP, or whatever a program has in its place.
///
/// It carries, no more: retries, pauses and what an answer means are its caller's. It is called on the sender's thread,
/// within a current-thread tokio runtime, for several payloads at the same time; the future is dropped where its time is over.
pub trait Transport: Send + Sync + 'static {
    /// Sends one payload and waits for the answer.
    fn send<'a>(&'a self, payload: &'a Payload) -> BoxFuture<'a, Result<Response, TransportError>>;
}

/// One item as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Payload {
    /// The item's `data.uuid`, the same for each try.
    pub uuid: Uuid,
    /// JSON, in UTF-8; where `compressed`, in gzip's format.
    pub body: Bytes,
    /// Whether the body is compressed with gzip.
    pub compressed: bool,
}

impl Payload {
    /// A payload that is not compressed.
    pub fn new(uuid: Uuid, body: impl Into<Bytes>) -> Self {
        Self { uuid, body: body.into(), compressed: false }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers, of which the rate limits and `Retry-After` are read.
    pub headers: HeaderMap,
    /// The body, as far as [`MAX_ANSWER_BYTES`].
    pub body: Bytes,
}

impl Response {
    /// An answer without headers.
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }
}
