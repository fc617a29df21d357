//! The body of a response: the segment ends with it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{failure, grpc_status, response};
use crate::server::Exchange;

pin_project! {
    /// The body of a response of an [`XRayService`](super::XRayService). The segment is current while it is polled, and ends with it.
    #[derive(Debug)]
    pub struct XRayBody<B> {
        // Before the exchange: dropped first, so that the segment ends after what is below it.
        #[pin]
        inner: B,
        exchange: Option<Exchange>,
    }
}

impl<B> XRayBody<B> {
    pub(super) fn new(inner: B, exchange: Option<Exchange>) -> Self {
        Self { inner, exchange }
    }
}

/// An empty body that belongs to no segment, as middleware makes one for a response of its own.
impl<B: Default> Default for XRayBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B: Body> Body for XRayBody<B>
where
    B::Error: 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(exchange) = this.exchange.as_mut() else { return this.inner.poll_frame(cx) };
        let entered = exchange.scope.enter();
        let polled = this.inner.as_mut().poll_frame(cx);
        let over = match &polled {
            Poll::Pending => false,
            Poll::Ready(None) => {
                exchange.answer.finish();
                true
            }
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Buf::remaining);
                let rest = response::rest(&*this.inner);
                exchange.answer.send(bytes, rest);
                // Nothing follows trailers, whether the body says so or not.
                let over = frame.is_trailers() || rest.ended;
                if let Some(trailers) = frame.trailers_ref()
                    && let Some(code) = grpc_status::code_of(trailers)
                {
                    exchange.answer.note_grpc_status(code);
                    grpc_status::note_failure(exchange.answer.key, code, trailers);
                }
                if over {
                    exchange.answer.finish();
                }
                over
            }
            Poll::Ready(Some(Err(error))) => {
                failure::record(exchange.answer.key, error, "the body of the response ended in an error");
                exchange.answer.end();
                true
            }
        };
        if over {
            entered.finish();
            *this.exchange = None;
        } else {
            entered.suspend();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
