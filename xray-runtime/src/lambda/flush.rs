//! The wait for delivery, before Lambda may freeze the program.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::recorder::Core;

/// What is left to the runtime before an invocation's deadline.
const MARGIN: Duration = Duration::from_millis(20);

/// Waits on a thread that may block: no timer is needed, which a runtime need not have.
#[derive(Debug)]
pub(super) struct Flush(Option<JoinHandle<()>>);

impl Flush {
    pub(super) fn begin(core: Arc<Core>, timeout: Duration) -> Self {
        if timeout.is_zero() {
            return Self(None);
        }
        match Handle::try_current() {
            Ok(runtime) => Self(Some(runtime.spawn_blocking(move || flush(&core, timeout)))),
            Err(_) => {
                // Nobody polls it but a test.
                flush(&core, timeout);
                Self(None)
            }
        }
    }
}

fn flush(core: &Arc<Core>, timeout: Duration) {
    let begun = Instant::now();
    core.wake.flush(core, timeout);
    if begun.elapsed() >= timeout {
        core.counts.warn_once(|| {
            format!("what a Lambda function has recorded was not sent in {timeout:?}: it goes with the next invocation")
        });
    }
}

impl Future for Flush {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // How it ended does not matter: what was not sent is counted where it is.
        self.0.as_mut().map_or(Poll::Ready(()), |task| Pin::new(task).poll(cx).map(drop))
    }
}

/// How long may be waited: until shortly before the deadline, in milliseconds of Unix time; 0: there is none.
pub(super) fn bounded(timeout: Duration, deadline: u64) -> Duration {
    if deadline == 0 {
        return timeout;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    timeout.min(Duration::from_millis(deadline).saturating_sub(now + MARGIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_of_the_invocation_bounds_the_wait() {
        let timeout = Duration::from_millis(500);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        assert_eq!(bounded(timeout, 0), timeout);
        assert_eq!(bounded(timeout, now + 3_600_000), timeout);
        assert!(bounded(timeout, now + 120) <= Duration::from_millis(100));
        for passed in [1, now - 1_000, now] {
            assert_eq!(bounded(timeout, passed), Duration::ZERO);
        }
    }
}
