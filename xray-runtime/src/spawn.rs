//! Tokio's spawn functions, with what is current carried along.

use std::future::Future;

use tokio::task::JoinHandle;

use crate::future::FutureExt;
use crate::scope::Scope;

/// As [`tokio::spawn`]: in the task, what is current here is current.
///
/// A subsegment of a task that outlives its segment is sent when it ends, as a document of its own, if the segment has gone by then.
///
/// # Panics
/// Outside a tokio runtime, as `tokio::spawn` does.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_segment())
}

/// As [`tokio::task::spawn_blocking`]: in the closure, what is current here is current.
///
/// # Panics
/// Outside a tokio runtime, as `tokio::task::spawn_blocking` does.
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let mut scope = Scope::carried();
    tokio::task::spawn_blocking(move || {
        let entered = scope.enter();
        let value = f();
        entered.finish();
        value
    })
}
