//! The client's own limit of items a minute.

use std::time::{Duration, Instant};

/// A bucket of as many items as a minute may have, filled evenly.
#[derive(Debug)]
pub(crate) struct Rate {
    per_minute: f64,
    left: f64,
    at: Instant,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Rate {
    /// `None` for 0: no limit.
    pub(crate) fn per_minute(items: u32) -> Option<Self> {
        let per_minute = f64::from(items);
        (items > 0).then(|| Self { per_minute, left: per_minute, at: Instant::now() })
    }

    /// Whether one more is admitted now.
    pub(crate) fn admits(&mut self) -> bool {
        self.admits_at(Instant::now())
    }

    fn admits_at(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64() / MINUTE.as_secs_f64();
        self.left = (self.left + passed * self.per_minute).min(self.per_minute);
        self.at = now;
        let admits = self.left >= 1.0;
        if admits {
            self.left -= 1.0;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_a_minute_may_have_then_evenly() {
        let mut rate = Rate::per_minute(60).unwrap();
        let start = rate.at;
        assert_eq!((0..100).filter(|_| rate.admits_at(start)).count(), 60);
        assert_eq!((0..100).filter(|_| rate.admits_at(start + Duration::from_millis(2_500))).count(), 2);
        assert_eq!((0..100).filter(|_| rate.admits_at(start + MINUTE * 5)).count(), 60);
        assert!(Rate::per_minute(0).is_none());
    }
}
