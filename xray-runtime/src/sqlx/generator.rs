//! A stream out of a future: the steps of a query borrow the connection, and the stream must hold both.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use ::sqlx::Error;
use futures_core::Stream;

use super::database::{BoxFuture, BoxStream};

/// Where the future leaves a step for the stream. Never contended: the stream alone polls the future.
struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, step: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
    }
}

/// The future's end of the slot.
pub(super) struct Steps<T>(Slot<T>);

impl<T> Steps<T> {
    /// Hands a step to the stream; goes on when the next one is asked for.
    pub(super) async fn give(&mut self, step: T) {
        self.0.put(step);
        let mut handed = false;
        poll_fn(|_| {
            // Not woken: the stream is ready now, and polls again when it is asked for more.
            if std::mem::replace(&mut handed, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

struct Generated<'e, T> {
    future: Option<BoxFuture<'e, ()>>,
    slot: Slot<T>,
}

impl<T> Stream for Generated<'_, T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        let Some(future) = &mut self.future else { return Poll::Ready(None) };
        match future.as_mut().poll(cx) {
            Poll::Pending => match self.slot.take() {
                Some(step) => Poll::Ready(Some(Ok(step))),
                None => Poll::Pending,
            },
            Poll::Ready(ended) => {
                // With it goes the connection, back to its pool.
                self.future = None;
                Poll::Ready(ended.err().map(Err))
            }
        }
    }
}

/// The stream of what the future gives.
pub(super) fn generate<'e, T, F>(make: impl FnOnce(Steps<T>) -> F) -> BoxStream<'e, T>
where
    T: Send + 'e,
    F: Future<Output = Result<(), Error>> + Send + 'e,
{
    let slot = Arc::new(Mutex::new(None));
    let future = make(Steps(Slot(Arc::clone(&slot))));
    Box::pin(Generated { future: Some(Box::pin(future)), slot: Slot(slot) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_one_by_one_and_an_error_ends_them() {
        let mut stream = generate(|mut steps| async move {
            steps.give(1).await;
            steps.give(2).await;
            Err(Error::PoolClosed)
        });
        let mut next = || match stream.as_mut().poll_next(&mut Context::from_waker(std::task::Waker::noop()))
        {
            Poll::Ready(step) => step.map(|step| step.map_err(|error| error.to_string())),
            Poll::Pending => panic!("nothing to wait for"),
        };
        assert_eq!([next(), next()], [Some(Ok(1)), Some(Ok(2))]);
        assert_eq!(next(), Some(Err(Error::PoolClosed.to_string())));
        assert_eq!([next(), next()], [None, None]);
    }
}
