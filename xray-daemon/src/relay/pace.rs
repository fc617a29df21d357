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
    /// Calls under way that began since the last pause did.
    since: usize,
}

impl Pace {
    /// Until when nothing may be called.
    pub(super) fn pause(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// Whether a call may begin: each while all goes well, none in a pause, and after one a single call. Those that hang since
    /// before do not keep it from finding out.
    pub(super) fn may_begin(&self, now: Instant) -> bool {
        self.failures == 0 || self.pause(now).is_none() && self.since == 0
    }

    /// A call begins. Its epoch is to be kept with it.
    pub(super) fn begins(&mut self) -> u64 {
        self.since += 1;
        self.epoch
    }

    /// A call that began in `epoch` came to its end, whichever that was.
    pub(super) fn ended(&mut self, epoch: u64) {
        if epoch == self.epoch {
            self.since = self.since.saturating_sub(1);
        }
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
        self.since = 0;
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
        let mut pauses = Vec::new();
        for _ in 0..12 {
            assert!(pace.may_begin(now));
            let epoch = pace.begins();
            let pause = pace.failed(epoch, None, now, 1.0).unwrap();
            assert!(!pace.may_begin(now));
            now += pause;
            assert_eq!(pace.pause(now), None);
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000]);
        let epoch = pace.begins();
        assert!(!pace.succeeded(epoch - 1));
        assert!(pace.succeeded(epoch));
        assert!(!pace.succeeded(epoch));
        assert_eq!(pace.failed(epoch, None, now, 0.0), Some(Duration::from_millis(50)));
    }

    #[test]
    fn one_call_finds_out_whatever_hangs_since_before() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let (hangs, fails) = (pace.begins(), pace.begins());
        assert!(pace.may_begin(now), "as many as are asked for");
        pace.ended(fails);
        pace.failed(fails, None, now, 1.0).unwrap();
        let now = now + FIRST;
        assert!(pace.may_begin(now));
        let finds_out = pace.begins();
        assert!(!pace.may_begin(now), "one is enough");
        pace.ended(hangs);
        assert!(!pace.may_begin(now));
        pace.ended(finds_out);
        assert!(pace.may_begin(now));
    }

    #[test]
    fn calls_that_fail_together_are_one_failure() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let epoch = pace.begins();
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
            let epoch = pace.begins();
            pace.failed(epoch, Some(Duration::from_secs(seconds)), now, 1.0).unwrap().as_secs()
        };
        assert_eq!(asked(&mut pace, 7), 7);
        assert_eq!(asked(&mut pace, 100_000), 300);
        let epoch = pace.begins();
        assert_eq!(pace.failed(epoch, Some(Duration::ZERO), now, 1.0), Some(Duration::from_millis(400)));
    }
}
