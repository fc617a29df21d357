//! What holds for all deliveries of a sender.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::OffReason;

/// Whether a sender pauses, or has ended.
#[derive(Debug, Default)]
pub(super) struct State(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    paused_until: Option<Instant>,
    off: Option<OffReason>,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn paused_until(&self) -> Option<Instant> {
        let mut state = self.lock();
        // A pause that is over is none.
        state.paused_until = state.paused_until.filter(|until| Instant::now() < *until);
        state.paused_until
    }

    /// Pauses until then, unless it already does for longer. Says whether the pause is new.
    pub(super) fn pause_until(&self, until: Instant) -> bool {
        let mut state = self.lock();
        let paused = state.paused_until.filter(|paused| Instant::now() < *paused);
        state.paused_until = paused.max(Some(until));
        paused.is_none()
    }

    pub(super) fn off(&self) -> Option<OffReason> {
        self.lock().off.clone()
    }

    pub(super) fn is_off(&self) -> bool {
        self.lock().off.is_some()
    }

    /// Ends sending. Says whether this is the first reason.
    pub(super) fn switch_off(&self, reason: OffReason) -> bool {
        let mut state = self.lock();
        let first = state.off.is_none();
        state.off.get_or_insert(reason);
        first
    }
}
