//! The future of a response.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::RollbarBody;
use super::exchange::Exchange;

pin_project! {
    /// The response of a [`RollbarService`](super::RollbarService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct RollbarResponseFuture<F> {
        // `None` once it has ended, or where the service panicked before there was one.
        #[pin]
        inner: Option<F>,
        // `None` once it has gone on with the response.
        exchange: Option<Exchange>,
    }

    impl<F> PinnedDrop for RollbarResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // The client went away. What the handler's destructors report belongs to its request.
            if this.inner.is_some()
                && let Some(exchange) = this.exchange.take()
            {
                let _ = exchange.run(|| this.inner.set(None));
            }
        }
    }
}

impl<F> RollbarResponseFuture<F> {
    pub(super) fn new(inner: Option<F>, exchange: Exchange) -> Self {
        Self { inner, exchange: Some(exchange) }
    }
}

impl<F, B, E> Future for RollbarResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data: From<&'static [u8]>, Error: Into<Box<dyn Error + Send + Sync>>>,
    E: 'static,
{
    type Output = Result<Response<RollbarBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let exchange = match this.exchange.as_ref() {
            Some(exchange) if this.inner.is_some() => exchange,
            _ => return Poll::Ready(Ok(answer())),
        };
        let polled = exchange.run(|| {
            let inner = this.inner.as_mut().as_pin_mut();
            let polled = inner.map_or(Poll::Pending, |inner| inner.poll(cx));
            match &polled {
                Poll::Pending => return polled,
                Poll::Ready(Ok(response)) => exchange.answered(response.status()),
                Poll::Ready(Err(error)) => exchange.failed(error),
            }
            this.inner.set(None);
            polled
        });
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            Ok(Poll::Ready(Ok(response))) => {
                let exchange = this.exchange.take();
                Poll::Ready(Ok(response.map(|body| RollbarBody::new(body, exchange))))
            }
            Err(_) => {
                // It is in no state to be polled again.
                let _ = exchange.run(|| this.inner.set(None));
                Poll::Ready(Ok(answer()))
            }
        }
    }
}

/// What a client gets where the handler panicked.
#[cold]
fn answer<B>() -> Response<RollbarBody<B>> {
    let mut response = Response::new(RollbarBody::text("Internal Server Error"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}
