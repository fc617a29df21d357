//! Futures that bring their scope along, and tokio's spawn functions that carry it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use crate::current::{self, Context, Entered};
use crate::scope::FutureExt;

pin_project! {
    /// Puts a scope in force while the inner future is polled, and while it is dropped.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct InScope<F> {
        // `None` only while this is dropped.
        #[pin]
        inner: Option<F>,
        context: Option<Arc<Context>>,
    }

    impl<F> PinnedDrop for InScope<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Where a task is cancelled, what its destructors report is of its scope.
            let _entered = Entered::new(this.context.take());
            this.inner.set(None);
        }
    }
}

impl<F> InScope<F> {
    pub(crate) fn new(inner: F, context: Option<Arc<Context>>) -> Self {
        Self { inner: Some(inner), context }
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.context.clone());
        this.inner.as_pin_mut().map_or(Poll::Pending, |inner| inner.poll(cx))
    }
}

/// As [`tokio::spawn`]: in the task, the scope in force here is in force.
///
/// # Panics
/// Outside a tokio runtime, as `tokio::spawn` does.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_scope())
}

/// As [`tokio::task::spawn_blocking`]: in the closure, the scope in force here is in force.
///
/// # Panics
/// Outside a tokio runtime, as `tokio::task::spawn_blocking` does.
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let context = current::context();
    tokio::task::spawn_blocking(move || {
        let _entered = Entered::new(context);
        f()
    })
}
