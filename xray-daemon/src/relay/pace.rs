//! When an upstream that fails may be called again.

use std::time::Duration;

use tokio::time::Instant;

/// After the first failure.
const FIRST: Duration = Duration::from_millis(100);

/// After many.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest that an upstream may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(5 * 60);

/// Calls at full speed, or a pause after a failure and then one call to find out.
///
/// All batches wait while an upstream fails: a call for each of them would be a flood for one that is coming back, and they
/// would fail together.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
    until: Option<Instant>,
    /// Until when the upstream asked not to be called.
    asked: Option<Instant>,
    /// Counts the pauses: a call that began before the current one fails for the same reason, and says nothing new.
    epoch: u64,
}

impl Pace {
    /// Until when nothing may be called.
    pub(super) fn pause(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// How many calls may be under way, of the usual `most`.
    pub(super) fn most(&self, most: usize, now: Instant) -> usize {
        match (self.failures, self.pause(now)) {
            (0, _) => most,
            (_, Some(_)) => 0,
            (_, None) => 1,
        }
    }

    /// To be kept with a call that begins.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A call succeeded that began in `epoch`; whether it was failing until now. One that began before the pause says nothing
    /// of what comes after it.
    pub(super) fn succeeded(&mut self, epoch: u64) -> bool {
        if epoch != self.epoch {
            return false;
        }
        (self.until, self.asked) = (None, None);
        std::mem::take(&mut self.failures) > 0
    }

    /// The daemon ends: now or never. What the upstream asked for still counts.
    pub(super) fn hurry(&mut self) {
        self.until = self.asked;
        self.failures = self.failures.min(1);
    }

    /// A call failed that began in `epoch`. Returns the pause where this failure began one.
    pub(super) fn failed(
        &mut self,
        epoch: u64,
        asked: Option<Duration>,
        now: Instant,
        dice: f64,
    ) -> Option<Duration> {
        let asked = asked.unwrap_or_default().min(LONGEST_ASKED);
        if !asked.is_zero() {
            self.asked = self.asked.max(Some(now + asked));
        }
        if epoch != self.epoch {
            // It may still know better how long.
            self.until = self.until.map(|until| until.max(now + asked));
            return None;
        }
        self.epoch += 1;
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures += 1;
        // Between half and all of it, so that the daemons of many machines do not come back together.
        let pause = doubled.mul_f64(0.5 + dice / 2.0).max(asked);
        self.until = Some(now + pause);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        assert_eq!(pace.most(8, now), 8);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let pause = pace.failed(pace.epoch(), None, now, 1.0).unwrap();
            assert_eq!(pace.most(8, now), 0);
            now += pause;
            assert_eq!((pace.most(8, now), pace.pause(now)), (1, None));
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000]);
        assert!(!pace.succeeded(pace.epoch() - 1));
        assert!(pace.succeeded(pace.epoch()));
        assert!(!pace.succeeded(pace.epoch()));
        assert_eq!(pace.most(8, now), 8);
        assert_eq!(pace.failed(pace.epoch(), None, now, 0.0), Some(Duration::from_millis(50)));
    }

    #[test]
    fn calls_that_fail_together_are_one_failure() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let epoch = pace.epoch();
        assert_eq!(pace.failed(epoch, None, now, 1.0), Some(FIRST));
        for _ in 0..7 {
            assert_eq!(pace.failed(epoch, None, now, 1.0), None);
        }
        assert_eq!(pace.pause(now), Some(now + FIRST));
        assert_eq!(pace.failed(epoch, Some(Duration::from_secs(2)), now, 1.0), None);
        assert_eq!(pace.pause(now), Some(now + Duration::from_secs(2)));
    }

    #[test]
    fn what_the_upstream_asks_for_counts_within_reason() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let asked = |pace: &mut Pace, seconds| {
            pace.failed(pace.epoch(), Some(Duration::from_secs(seconds)), now, 1.0).unwrap().as_secs()
        };
        assert_eq!(asked(&mut pace, 7), 7);
        assert_eq!(asked(&mut pace, 100_000), 300);
        assert_eq!(
            pace.failed(pace.epoch(), Some(Duration::ZERO), now, 1.0),
            Some(Duration::from_millis(400))
        );
    }
}
