//! The body of a response: the scope is in force until its end.

use std::any::type_name;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::exchange::Exchange;

pin_project! {
    /// The body of a response of a [`RollbarService`](super::RollbarService). The request's scope is in force while it is
    /// polled; its panic is reported, and ends it with an error.
    #[derive(Debug)]
    pub struct RollbarBody<B> {
        // `None` once it has panicked.
        #[pin]
        inner: Option<B>,
        text: Option<&'static str>,
        exchange: Option<Exchange>,
    }
}

impl<B> RollbarBody<B> {
    pub(super) fn new(inner: B, exchange: Option<Exchange>) -> Self {
        Self { inner: Some(inner), text: None, exchange }
    }

    pub(super) fn text(text: &'static str) -> Self {
        Self { inner: None, text: Some(text), exchange: None }
    }
}

/// An empty body that belongs to no request, as middleware makes one for a response of its own.
impl<B: Default> Default for RollbarBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

/// The body of a response panicked, and was cut off there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body of the response panicked")]
#[non_exhaustive]
pub struct BodyPanicked;

impl<B> Body for RollbarBody<B>
where
    B: Body<Data: From<&'static [u8]>, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            let text = this.text.take();
            return Poll::Ready(text.map(|text| Ok(Frame::data(B::Data::from(text.as_bytes())))));
        };
        let Some(exchange) = this.exchange.as_ref() else {
            return inner.poll_frame(cx).map_err(Into::into);
        };
        let polled = exchange.run(|| {
            let polled = inner.poll_frame(cx).map_err(Into::into);
            if let Poll::Ready(Some(Err(error))) = &polled {
                exchange.body_failed(&**error, type_name::<B::Error>());
            }
            polled
        });
        match polled {
            Ok(polled) => polled,
            Err(_) => {
                // It is in no state to be polled again.
                let _ = exchange.run(|| this.inner.set(None));
                *this.exchange = None;
                Poll::Ready(Some(Err(BodyPanicked.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.text.is_none() && self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(self.text.map_or(0, |text| text.len() as u64)),
        }
    }
}
