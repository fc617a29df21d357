//! The service that the layer makes.

use std::error::Error;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::exchange::Exchange;
use super::{Options, RollbarBody, RollbarResponseFuture};

/// Reports requests of the inner service that fail. Made by [`RollbarLayer`](super::RollbarLayer).
#[derive(Clone, Debug)]
pub struct RollbarService<S> {
    inner: S,
    options: Arc<Options>,
}

impl<S> RollbarService<S> {
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

/// The body's data must be able to hold the text that answers a panic, as `Bytes` is, and its error be one, as servers ask.
impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for RollbarService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    S::Error: 'static,
    ResponseBody: Body<Data: From<&'static [u8]>, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Response = Response<RollbarBody<ResponseBody>>;
    type Error = S::Error;
    type Future = RollbarResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let exchange = Exchange::open(&self.options, &mut request);
        // `call` may do work of its own before it returns a future.
        let future = exchange.run(|| self.inner.call(request)).ok();
        RollbarResponseFuture::new(future, exchange)
    }
}
