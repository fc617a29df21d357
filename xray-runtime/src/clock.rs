//! The clock of the recording path: raw ticks on the caller, unix microseconds on the exporter.
//!
//! A raw reading is the CPU's time stamp counter where the kernel trusts it (9.6 ns; `Instant` takes 23 ns,
//! `design/HOTPATH.md`), and a monotonic clock elsewhere. Only the exporter turns ticks into wall time, so that
//! one anchor serves the start and the end of a record: the end never comes before the start.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long an anchor to wall time is kept before it is taken anew, so that a clock that was set is followed.
const ANCHOR_LIFE: Duration = Duration::from_secs(1);

/// Reads raw ticks. Cheap to clone; each chunk of records keeps one.
#[derive(Clone, Debug)]
pub(crate) struct Clock(quanta::Clock);

impl Clock {
    /// The first call of a process calibrates the counter (0.6 ms measured).
    pub(crate) fn new() -> Self {
        static CALIBRATED: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);
        Self(CALIBRATED.clone())
    }

    /// The ticks now; never 0, which marks a record that is still open.
    #[inline(always)]
    pub(crate) fn ticks(&self) -> u64 {
        self.0.raw() | 1
    }
}

/// A pair of readings of the wall clock and of the ticks, and what one tick is worth.
#[derive(Debug)]
pub(crate) struct Anchor {
    clock: quanta::Clock,
    ticks: u64,
    unix_micros: u64,
    /// Microseconds a tick, times 2^32.
    scale: u64,
    taken: Instant,
}

impl Anchor {
    pub(crate) fn new(clock: &Clock) -> Self {
        let clock = clock.0.clone();
        // One tick in nanoseconds is a fraction: a long span of ticks keeps the error of its rounding small.
        const SPAN: u64 = 1 << 40;
        let nanos = clock.delta_as_nanos(0, SPAN);
        let scale = ((u128::from(nanos) << 32) / 1000 / u128::from(SPAN)) as u64;
        let mut anchor = Self { clock, ticks: 0, unix_micros: 0, scale, taken: Instant::now() };
        anchor.take();
        anchor
    }

    /// Takes the pair anew once a second.
    pub(crate) fn refresh(&mut self) {
        if self.taken.elapsed() >= ANCHOR_LIFE {
            self.take();
        }
    }

    fn take(&mut self) {
        let before = self.clock.raw();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let after = self.clock.raw();
        self.ticks = before + (after.saturating_sub(before)) / 2;
        self.unix_micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.taken = Instant::now();
    }

    /// Unix time in microseconds of a reading of the ticks, before or after the anchor.
    #[inline(always)]
    pub(crate) fn unix_micros(&self, ticks: u64) -> u64 {
        // Signed: most records began before the anchor was taken.
        let delta = ticks.wrapping_sub(self.ticks) as i64;
        let micros = (i128::from(delta) * i128::from(self.scale)) >> 32;
        self.unix_micros.wrapping_add(micros as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_wall_time() {
        let clock = Clock::new();
        let anchor = Anchor::new(&clock);
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
        let micros = anchor.unix_micros(clock.ticks()) as i64;
        let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
        assert!(micros >= before - 1000 && micros <= after + 1000, "{before} {micros} {after}");
    }

    #[test]
    fn a_tick_before_the_anchor_is_earlier() {
        let clock = Clock::new();
        let early = clock.ticks();
        let anchor = Anchor::new(&clock);
        let late = clock.ticks();
        assert!(anchor.unix_micros(early) <= anchor.unix_micros(late));
        assert!(anchor.unix_micros(late) - anchor.unix_micros(early) < 1_000_000);
    }
}
