//! Warnings that are written once a minute, however often there is a reason.

use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(60);

/// When a warning was written last.
#[derive(Debug, Default)]
pub(crate) struct Warned(Option<Instant>);

impl Warned {
    /// Whether it may be written now; if so, it counts as written.
    pub(crate) fn is_due(&mut self) -> bool {
        let due = self.0.is_none_or(|at| at.elapsed() >= EVERY);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}
