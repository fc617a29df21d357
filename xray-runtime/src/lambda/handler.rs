//! The handler, wrapped: its subsegment has its times, its errors and its panics.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use lambda_runtime::LambdaEvent;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::response::XRayLambdaResponse;
use super::{Options, failure};
use crate::scope::Scope;

/// A handler with its subsegment. Made by [`XRayLambdaLayer::handler`](super::XRayLambdaLayer::handler).
#[derive(Clone, Debug)]
pub struct XRayLambdaHandler<S> {
    inner: S,
    options: Options,
}

impl<S> XRayLambdaHandler<S> {
    pub(super) fn new(inner: S, options: Options) -> Self {
        Self { inner, options }
    }
}

impl<S, P> Service<LambdaEvent<P>> for XRayLambdaHandler<S>
where
    S: Service<LambdaEvent<P>>,
    S::Error: Debug + 'static,
{
    type Response = XRayLambdaResponse<S::Response>;
    type Error = S::Error;
    type Future = XRayLambdaHandlerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, event: LambdaEvent<P>) -> Self::Future {
        let scope = self.options.core().and_then(|_| self.options.handler_scope());
        let Some(mut scope) = scope else {
            return XRayLambdaHandlerFuture { inner: self.inner.call(event), scope: None };
        };
        let entered = scope.enter();
        self.options.handler_begun();
        let inner = self.inner.call(event);
        entered.suspend();
        XRayLambdaHandlerFuture { inner, scope: Some(scope) }
    }
}

pin_project! {
    /// The response of an [`XRayLambdaHandler`]. Dropped before it is done, the subsegment ends as cancelled.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct XRayLambdaHandlerFuture<F> {
        // Before the scope: dropped first, so that the subsegment ends after what is below it.
        #[pin]
        inner: F,
        scope: Option<Scope>,
    }
}

impl<F, R, E> Future for XRayLambdaHandlerFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: Debug + 'static,
{
    type Output = Result<XRayLambdaResponse<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(scope) = this.scope.as_mut() else {
            return this.inner.poll(cx).map_ok(|response| XRayLambdaResponse::new(response, None));
        };
        let entered = scope.enter();
        match this.inner.poll(cx) {
            Poll::Pending => {
                entered.suspend();
                Poll::Pending
            }
            Poll::Ready(Err(error)) => {
                failure::record(&error);
                entered.finish();
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(response)) => {
                entered.suspend();
                Poll::Ready(Ok(XRayLambdaResponse::new(response, this.scope.take())))
            }
        }
    }
}
