//! What the user is told, and how often.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::response::Verdict;
use crate::transport::{Response, TransportError};

/// How long the same is not said again.
const QUIET: Duration = Duration::from_secs(3600);

/// Lines of the log, each at most once an hour: an item that is refused is often followed by a thousand more.
#[derive(Debug, Default)]
pub(super) struct Notices {
    said: Mutex<HashMap<&'static str, Instant>>,
    /// A pause was told, and nothing was accepted since.
    paused: AtomicBool,
}

impl Notices {
    /// Whether this is new, or long ago. The keys are constants: there are few.
    fn is_new(&self, what: &'static str) -> bool {
        let now = Instant::now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = said.get(what).is_none_or(|before| now.duration_since(*before) >= QUIET);
        if is_new {
            said.insert(what, now);
        }
        is_new
    }

    /// An item was accepted.
    pub(super) fn fine(&self) {
        // A store would write to a shared line each time.
        if self.paused.load(Ordering::Relaxed) {
            self.paused.store(false, Ordering::Relaxed);
        }
    }

    /// An item was accepted in an unusual way.
    pub(super) fn unusual(&self, verdict: &Verdict) {
        if let (Some(log), Some(line)) = (verdict.log, verdict.line())
            && self.is_new(log)
        {
            tracing::debug!("Rollbar accepted an item, but: {line}");
        }
    }

    /// An item was refused.
    pub(super) fn dropped(
        &self,
        verdict: &Verdict,
        endpoint: &str,
        answer: &Result<Response, TransportError>,
    ) {
        let Some(log) = verdict.log else { return };
        if !self.is_new(log) {
            return;
        }
        let line = verdict.line().unwrap_or_default();
        match answer {
            Ok(answer) => {
                let status = answer.status.as_u16();
                tracing::warn!("Rollbar: an item was refused: {line} (status {status} of {endpoint})");
            }
            Err(error) => tracing::warn!("Rollbar: an item was dropped: {line} ({endpoint}: {error})"),
        }
    }

    /// The service was not reached, as often as is tried.
    pub(super) fn unreachable(
        &self,
        endpoint: &str,
        attempts: u32,
        answer: &Result<Response, TransportError>,
    ) {
        if !self.is_new("unreachable") {
            return;
        }
        match answer {
            Ok(answer) => {
                let status = answer.status.as_u16();
                tracing::warn!("Rollbar: {endpoint} failed {attempts} times, the last with status {status}");
            }
            Err(error) => {
                tracing::warn!("Rollbar: {endpoint} was not reached in {attempts} tries: {error}");
            }
        }
    }

    /// Nothing is sent for a while.
    pub(super) fn paused(&self, pause: Duration, verdict: &Verdict) {
        // A limit of a month makes a pause after each pause.
        if self.paused.swap(true, Ordering::Relaxed) {
            return;
        }
        let seconds = pause.as_secs();
        let why = verdict.line().or_else(|| verdict.detail.as_deref().map(Into::into));
        let why = why.as_deref().unwrap_or("the rate limit is reached");
        tracing::warn!(
            "Rollbar: {why}. Sending pauses for {seconds} seconds; the most severe items are kept"
        );
    }
}
