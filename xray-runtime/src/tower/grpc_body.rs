//! The body of a response to a gRPC client: the call ends with its trailers.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::grpc::BoxError;
use super::grpc_call::GrpcCall;

pin_project! {
    /// The body of a response of an [`XRayGrpcService`](super::XRayGrpcService). The subsegment is current while it is polled, and
    /// ends with it.
    #[derive(Debug)]
    pub struct XRayGrpcBody<B> {
        // Before the call: dropped first, so that the subsegment ends after what is below it.
        #[pin]
        inner: B,
        call: Option<GrpcCall>,
    }
}

impl<B> XRayGrpcBody<B> {
    pub(super) fn new(inner: B, call: Option<GrpcCall>) -> Self {
        Self { inner, call }
    }
}

/// An empty body that belongs to no call, as middleware makes one for a response of its own.
impl<B: Default> Default for XRayGrpcBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B: Body> Body for XRayGrpcBody<B>
where
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        let Some(call) = this.call.as_mut() else {
            return this.inner.poll_frame(cx).map_err(Into::into);
        };
        let entered = call.scope.enter();
        let polled = this.inner.as_mut().poll_frame(cx).map_err(Into::into);
        let over = match &polled {
            Poll::Pending => false,
            Poll::Ready(None) => {
                call.answer.end(None);
                true
            }
            Poll::Ready(Some(Ok(frame))) => {
                // Nothing follows trailers, whether the body says so or not.
                let over = frame.is_trailers() || this.inner.is_end_stream();
                if over {
                    call.answer.end(frame.trailers_ref());
                }
                over
            }
            Poll::Ready(Some(Err(error))) => {
                call.answer.fail(error.as_ref());
                true
            }
        };
        if over {
            entered.finish();
            *this.call = None;
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
