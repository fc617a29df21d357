//! The service that the layer makes.

use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::XRayBody;
use super::future::XRayResponseFuture;
use super::request::Asked;
use crate::server::{Exchange, Options};

/// Records a segment for each request of the inner service. Made by [`XRayLayer`](super::XRayLayer).
#[derive(Clone, Debug)]
pub struct XRayService<S> {
    inner: S,
    options: Arc<Options>,
}

impl<S> XRayService<S> {
    pub(super) fn new(inner: S, options: Arc<Options>) -> Self {
        Self { inner, options }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for XRayService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    S::Error: 'static,
    ResponseBody: Body,
{
    type Response = Response<XRayBody<ResponseBody>>;
    type Error = S::Error;
    type Future = XRayResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let asked = Asked::new(&request);
        let Some(mut exchange) = Exchange::open(&self.options, &asked) else {
            return XRayResponseFuture::new(self.inner.call(request), None);
        };
        // `call` may do work of its own before it returns a future.
        let entered = exchange.scope.enter();
        asked.describe(exchange.answer.key, &self.options);
        let future = self.inner.call(request);
        entered.suspend();
        XRayResponseFuture::new(future, Some(exchange))
    }
}
