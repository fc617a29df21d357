//! What a handler answers: the subsegment ends here, or with the stream.

use std::fmt::Debug;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use lambda_runtime::{FunctionResponse, IntoFunctionResponse, StreamResponse};

use super::failure;
use crate::scope::Scope;

/// The response of a handler, for the runtime. The handler's subsegment ends where the response is a whole, else with the stream.
#[derive(Debug)]
pub struct XRayLambdaResponse<R> {
    response: R,
    scope: Open,
}

impl<R> XRayLambdaResponse<R> {
    pub(super) fn new(response: R, scope: Option<Scope>) -> Self {
        Self { response, scope: Open(scope) }
    }

    /// The handler's response; its subsegment ends.
    pub fn into_inner(self) -> R {
        self.response
    }
}

/// The subsegment of a handler that has answered: it ends well, whatever becomes of the answer.
#[derive(Debug)]
struct Open(Option<Scope>);

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(mut scope) = self.0.take() {
            scope.enter().finish();
        }
    }
}

impl<R, B, S> IntoFunctionResponse<B, XRayLambdaStream<S>> for XRayLambdaResponse<R>
where
    R: IntoFunctionResponse<B, S>,
{
    fn into_response(mut self) -> FunctionResponse<B, XRayLambdaStream<S>> {
        match self.response.into_response() {
            FunctionResponse::BufferedResponse(whole) => FunctionResponse::BufferedResponse(whole),
            FunctionResponse::StreamingResponse(StreamResponse { metadata_prelude, stream }) => {
                let stream = XRayLambdaStream { inner: stream, scope: self.scope.0.take() };
                FunctionResponse::StreamingResponse(StreamResponse { metadata_prelude, stream })
            }
        }
    }
}

/// The stream of a response. The handler's subsegment is current while it is polled, and ends with it; as cancelled where it is dropped
/// before.
#[derive(Debug)]
pub struct XRayLambdaStream<S> {
    // Before the scope: dropped first, so that the subsegment ends after what is below it.
    inner: S,
    scope: Option<Scope>,
}

impl<S, D, E> Stream for XRayLambdaStream<S>
where
    S: Stream<Item = Result<D, E>> + Unpin,
    E: Debug + 'static,
{
    type Item = Result<D, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inner, scope } = &mut *self;
        let Some(open) = scope.as_mut() else { return Pin::new(inner).poll_next(cx) };
        let entered = open.enter();
        let polled = Pin::new(inner).poll_next(cx);
        match &polled {
            Poll::Ready(None) => {
                entered.finish();
                *scope = None;
            }
            Poll::Ready(Some(Err(error))) => {
                failure::record(error);
                entered.suspend();
            }
            Poll::Pending | Poll::Ready(Some(Ok(_))) => entered.suspend(),
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}
