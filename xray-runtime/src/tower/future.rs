//! The future of a response.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{XRayBody, failure, response};
use crate::server::Exchange;

pin_project! {
    /// The response of an [`XRayService`](super::XRayService). Dropped before it is done, the segment ends as cancelled.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct XRayResponseFuture<F> {
        // Before the exchange: dropped first, so that the segment ends after what is below it.
        #[pin]
        inner: F,
        exchange: Option<Exchange>,
    }
}

impl<F> XRayResponseFuture<F> {
    pub(super) fn new(inner: F, exchange: Option<Exchange>) -> Self {
        Self { inner, exchange }
    }
}

impl<F, B, E> Future for XRayResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: 'static,
{
    type Output = Result<Response<XRayBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(exchange) = this.exchange.as_mut() else {
            return this.inner.poll(cx).map_ok(|response| response.map(|body| XRayBody::new(body, None)));
        };
        let entered = exchange.scope.enter();
        match this.inner.poll(cx) {
            Poll::Pending => {
                entered.suspend();
                Poll::Pending
            }
            Poll::Ready(Err(error)) => {
                failure::record(exchange.answer.key, &error, "the service returned an error");
                entered.finish();
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(mut answered)) => {
                if response::begin(&mut exchange.answer, &mut answered) {
                    entered.finish();
                    *this.exchange = None;
                } else {
                    entered.suspend();
                }
                let exchange = this.exchange.take();
                Poll::Ready(Ok(answered.map(|body| XRayBody::new(body, exchange))))
            }
        }
    }
}
