//! The body of a response: the segment ends with it.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use pin_project_lite::pin_project;

use super::failure;
use crate::record::FIRST;
use crate::server::{Exchange, Rest};

pin_project! {
    /// The body of a response of an [`XRayActixService`](super::XRayActixService). The segment is current while it is polled, and
    /// ends with it.
    #[derive(Debug)]
    pub struct XRayActixBody<B> {
        // Before the exchange: dropped first, so that the segment ends after what is below it.
        #[pin]
        inner: B,
        exchange: Option<Exchange>,
    }
}

impl<B> XRayActixBody<B> {
    pub(super) fn new(inner: B, exchange: Option<Exchange>) -> Self {
        Self { inner, exchange }
    }
}

impl<B: MessageBody> MessageBody for XRayActixBody<B> {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let mut this = self.project();
        let Some(exchange) = this.exchange.as_mut() else {
            return this.inner.poll_next(cx).map_err(Into::into);
        };
        let entered = exchange.scope.enter();
        let polled = this.inner.as_mut().poll_next(cx).map_err(Into::into);
        let over = match &polled {
            Poll::Pending => false,
            Poll::Ready(None) => {
                exchange.answer.finish();
                true
            }
            Poll::Ready(Some(Ok(bytes))) => {
                // A size is that of the whole: it does not tell what is left.
                exchange.answer.send(bytes.len(), Rest { ended: false, exact: None });
                false
            }
            Poll::Ready(Some(Err(error))) => {
                if exchange.answer.key >= FIRST {
                    failure::record_body(exchange.answer.key, error.as_ref());
                }
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

    /// Whoever takes all of it at once has it all.
    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { inner, exchange } = self;
        match inner.try_into_bytes() {
            Ok(bytes) => {
                if let Some(mut exchange) = exchange {
                    exchange.answer.send(bytes.len(), Rest { ended: true, exact: Some(0) });
                }
                Ok(bytes)
            }
            Err(inner) => Err(Self { inner, exchange }),
        }
    }
}
