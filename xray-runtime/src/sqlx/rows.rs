//! What a query yields, step by step, in a subsegment that ends with the last step.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::sqlx::Error;
use futures_core::Stream;

use super::call::{Operation, describe, is_recorded, record_error};
use super::database::BoxStream;
use super::target::Target;
use crate::record::{Key, NONE};
use crate::scope::Scope;

/// The steps of a query. The subsegment begins at the first poll, which sends the query, and ends with the last step or
/// the first error; dropped before, the query is cancelled.
pub(super) struct Rows<'e, T, F> {
    // Before the scope: dropped first, so that the subsegment ends after what is below it.
    steps: Option<BoxStream<'e, T>>,
    send: Option<F>,
    target: Arc<Target>,
    scope: Scope,
    key: Key,
}

/// Nothing in it is pinned in place: the steps have a box of their own, and `send` is called by value.
impl<T, F> Unpin for Rows<'_, T, F> {}

impl<'e, T, F> Rows<'e, T, F>
where
    F: FnOnce() -> BoxStream<'e, T>,
{
    pub(super) fn new(target: Arc<Target>, send: F) -> Self {
        Self { steps: None, send: Some(send), target, scope: Scope::off(), key: NONE }
    }
}

impl<'e, T, F> Stream for Rows<'e, T, F>
where
    F: FnOnce() -> BoxStream<'e, T>,
{
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        let this = self.get_mut();
        let send = this.send.take();
        if send.is_some() && is_recorded() {
            this.scope = Scope::new("");
        }
        let entered = this.scope.enter();
        if let Some(send) = send {
            if entered.is_recorded() {
                this.key = describe(&this.target, Operation::Query);
            }
            this.steps = Some(send());
        }
        let Some(steps) = &mut this.steps else { return Poll::Ready(None) };
        let polled = steps.as_mut().poll_next(cx);
        match &polled {
            Poll::Pending | Poll::Ready(Some(Ok(_))) => entered.suspend(),
            Poll::Ready(Some(Err(error))) => {
                // Whoever asks goes on with the error, not with the stream.
                if entered.is_recorded() {
                    record_error(this.key, error);
                }
                entered.finish();
            }
            Poll::Ready(None) => entered.finish(),
        }
        polled
    }
}
