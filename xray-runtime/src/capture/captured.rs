//! The future of a captured function.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{Entry, Outcome, Place};
use crate::scope::Scope;

pin_project! {
    /// Makes its entity current while the inner future is polled, and observes what that gives.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Captured<F, P> {
        // Before the scope: dropped first, so that an entity ends after what is below it.
        #[pin]
        inner: F,
        scope: Scope,
        location: &'static Location<'static>,
        outcome: P,
    }
}

impl<F: Future, P: Outcome<F::Output>> Captured<F, P> {
    /// The entity begins at the first poll, below what is current then.
    #[track_caller]
    #[inline]
    pub(crate) fn new(name: &'static str, inner: F, outcome: P) -> Self {
        Self { inner, scope: Scope::new(name), location: Location::caller(), outcome }
    }

    /// The entity begins at the first poll, below what is current now.
    #[track_caller]
    pub(crate) fn here(name: &'static str, inner: F, outcome: P) -> Self {
        Self { inner, scope: Scope::here(name), location: Location::caller(), outcome }
    }

    /// The entity has begun.
    #[track_caller]
    pub(crate) fn from_entry(entry: Entry, inner: F, outcome: P) -> Self {
        Self { inner, scope: entry.suspend(), location: Location::caller(), outcome }
    }
}

impl<F: Future, P: Outcome<F::Output>> Future for Captured<F, P> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let entered = this.scope.enter();
        let polled = this.inner.poll(cx);
        match &polled {
            Poll::Ready(value) => {
                if entered.is_recorded() {
                    this.outcome.observe(value, Place::of::<F>(this.location));
                }
                entered.finish();
            }
            Poll::Pending => entered.suspend(),
        }
        polled
    }
}
