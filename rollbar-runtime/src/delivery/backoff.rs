//! How long to wait before the next try.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Waits that double from `base` to `cap`, each by chance between the half and the whole of that: many programs that lost the
/// service at the same moment do not come back at the same moment.
#[derive(Clone)]
pub(crate) struct Backoff {
    /// The first wait; 1 second by default.
    pub(crate) base: Duration,
    /// The longest wait; 30 seconds by default.
    pub(crate) cap: Duration,
    /// Gives a number from 0 up to, but not including, 1.
    pub(crate) random: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), cap: Duration::from_secs(30), random: Arc::new(fastrand::f64) }
    }
}

impl Backoff {
    /// The wait after this many tries.
    pub(super) fn after(&self, tries: u32) -> Duration {
        let doublings = tries.saturating_sub(1).min(31);
        let whole = self.base.saturating_mul(1 << doublings).min(self.cap);
        let share = (self.random)().clamp(0.0, 1.0);
        whole.mul_f64(0.5 + share / 2.0)
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backoff").field("base", &self.base).field("cap", &self.cap).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(random: f64) -> Backoff {
        Backoff { random: Arc::new(move || random), ..Backoff::default() }
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let longest: Vec<_> = (1..=8).map(|tries| with(1.0).after(tries).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(with(1.0).after(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn chance_takes_at_most_half() {
        assert_eq!(with(0.0).after(1), Duration::from_millis(500));
        assert_eq!(with(0.5).after(2), Duration::from_millis(1500));
        assert_eq!(with(f64::INFINITY).after(1), Duration::from_secs(1));
        let real = Backoff::default();
        for tries in 1..100 {
            let wait = real.after(tries);
            assert!(Duration::from_millis(500) <= wait && wait <= real.cap, "{wait:?}");
        }
    }
}
