//! Futures in a segment or subsegment.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::recorder::is_overridden;
use crate::scope::{Late, Scope};

pin_project! {
    /// Makes a segment, a subsegment or what was current current while the inner future is polled. Dropped before
    /// the future is done, the entity ends as cancelled.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct InSegment<F> {
        // Before the scope: dropped first, so that an entity ends after what is below it.
        #[pin]
        inner: F,
        scope: Scope,
    }
}

impl<F> InSegment<F> {
    pub(crate) fn new(inner: F, scope: Scope) -> Self {
        Self { inner, scope }
    }
}

impl<F: Future> Future for InSegment<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let entered = this.scope.enter();
        let polled = this.inner.poll(cx);
        if polled.is_ready() {
            entered.finish();
        } else {
            entered.suspend();
        }
        polled
    }
}

/// Puts futures into segments and subsegments.
///
/// ```
/// use xray_runtime::{FutureExt, Recorder};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (recorder, captured) = Recorder::in_memory();
/// let job = recorder.enter(|| {
///     async {
///         async { tokio::task::yield_now().await }.in_subsegment("step").await;
///     }
///     .in_segment("job")
/// });
/// job.await;
/// assert_eq!(captured.segment("job").subsegments().len(), 1);
/// # }
/// ```
pub trait FutureExt: Future + Sized {
    /// Runs the future in a segment of its own, which begins at the first poll and ends with it. The recorder is the one that
    /// is in force where this is called.
    fn in_segment(self, name: impl Into<Cow<'static, str>>) -> InSegment<Self> {
        InSegment::new(self, Scope::late(Late::Segment(name.into(), is_overridden())))
    }

    /// Runs the future in a subsegment, which begins at the first poll below what is current there.
    fn in_subsegment(self, name: impl Into<Cow<'static, str>>) -> InSegment<Self> {
        let scope = match name.into() {
            Cow::Borrowed(name) => Scope::new(name),
            owned => Scope::late(Late::Subsegment(owned)),
        };
        InSegment::new(self, scope)
    }

    /// Carries what is current here to wherever the future is polled: another task, another thread.
    fn in_current_segment(self) -> InSegment<Self> {
        InSegment::new(self, Scope::carried())
    }
}

impl<F: Future> FutureExt for F {}
