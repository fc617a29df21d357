//! The service that the middleware makes.

use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};

use super::{XRayActixBody, XRayActixFuture};
use crate::record::FIRST;
use crate::server::{self, Exchange, Options};

/// Records a segment for each request of the inner service. Made by [`XRayActix`](super::XRayActix).
#[derive(Debug)]
pub struct XRayActixService<S> {
    inner: S,
    options: Arc<Options>,
}

impl<S> XRayActixService<S> {
    pub(super) fn new(inner: S, options: Arc<Options>) -> Self {
        Self { inner, options }
    }
}

impl<S, B> Service<ServiceRequest> for XRayActixService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<XRayActixBody<B>>;
    type Error = actix_web::Error;
    type Future = XRayActixFuture<S::Future>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let Some(mut exchange) = Exchange::open(&self.options, &request) else {
            return XRayActixFuture::new(self.inner.call(request), None, None);
        };
        // `call` may do work of its own before it returns a future.
        let entered = exchange.scope.enter();
        let key = exchange.answer.key;
        let mut route = None;
        if key >= FIRST {
            server::describe(key, &request, &self.options);
            // What the path alone tells: for a handler that panics, or is dropped, there is no more to be had.
            route = request.match_pattern();
            if let Some(route) = &route {
                server::note_route(key, route);
            }
        }
        let future = self.inner.call(request);
        entered.suspend();
        XRayActixFuture::new(future, Some(exchange), route)
    }
}
