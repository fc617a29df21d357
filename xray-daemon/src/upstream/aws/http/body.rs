//! The body of a request, which tells when it went out.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// How much of a request's body the connection is given at a time: it holds some hundred KiB that the socket does not take,
/// and what it holds counts as written. 64 KiB.
const PIECE: usize = 64 << 10;

/// When a request's body was handed to the connection whole. An extension of the request.
#[derive(Debug, Clone, Default)]
pub(in crate::upstream::aws) struct Written(Arc<OnceLock<Instant>>);

impl Written {
    pub(in crate::upstream::aws) fn is_whole(&self) -> bool {
        self.0.get().is_some()
    }

    /// By when what is in the request had been settled.
    pub(in crate::upstream::aws) fn by(&self) -> Instant {
        self.0.get().copied().unwrap_or_else(Instant::now)
    }
}

/// A request's body that tells when the last of it was taken.
pub(super) struct Tracked {
    body: SdkBody,
    /// What the connection has not taken yet of the last piece that the body gave.
    rest: Bytes,
    written: Option<Written>,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.note();
                    return Poll::Ready(None);
                }
            }
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        if self.is_end_stream() {
            self.note();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let of_body = self.body.size_hint();
        let rest = self.rest.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

impl Tracked {
    pub(super) fn new(body: SdkBody, written: Option<Written>) -> Self {
        let tracked = Self { body, rest: Bytes::new(), written };
        // Nobody asks for the pieces of a body that has none.
        if tracked.is_end_stream() {
            tracked.note();
        }
        tracked
    }

    fn note(&self) {
        if let Some(written) = &self.written {
            written.0.get_or_init(Instant::now);
        }
    }
}
