//! The clock of the recording path: raw ticks on the caller, unix microseconds on the exporter.
//!
//! A raw reading is the CPU's time stamp counter where the kernel trusts it (9.6 ns; `Instant` takes 23 ns,
//! measured on the 2-core machine of `benches/`), and a monotonic clock elsewhere. Only the exporter turns ticks into wall time, so that
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

    /// The time between two readings; none where the second is the earlier.
    pub(crate) fn between(&self, start: u64, end: u64) -> Duration {
        Duration::from_nanos(self.0.delta_as_nanos(start, end.max(start)))
    }
}

/// A pair of readings of the wall clock and of the ticks, and what one tick is worth.
#[derive(Debug)]
pub(crate) struct Anchor {
    clock: quanta::Clock,
    ticks: u64,
    unix_micros: u64,
    /// Microseconds a tick, times 2^48: a day of ticks is then exact to a microsecond.
    scale: u64,
    taken: Instant,
}

impl Anchor {
    pub(crate) fn new(clock: &Clock) -> Self {
        let clock = clock.0.clone();
        // One tick in nanoseconds is a fraction: a long span of ticks keeps the error of its rounding small.
        const SPAN: u64 = 1 << 40;
        let nanos = clock.delta_as_nanos(0, SPAN);
        let scale = ((u128::from(nanos) << 48) / 1000 / u128::from(SPAN)) as u64;
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

    /// The same scale from another pair of readings.
    pub(crate) fn at(&self, ticks: u64, unix_micros: u64) -> Self {
        Self { clock: self.clock.clone(), ticks, unix_micros, scale: self.scale, taken: self.taken }
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
        let micros = (i128::from(delta) * i128::from(self.scale)) >> 48;
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

    #[test]
    fn a_wall_clock_that_was_set_back_keeps_ends_after_starts() {
        let clock = Clock::new();
        let mut anchor = Anchor::new(&clock);
        let (start, end) = (clock.ticks(), clock.ticks());
        let before = anchor.unix_micros(start);
        // An hour back, as the next anchor would find it; then before 1970, which counts as 1970.
        for micros in [anchor.unix_micros - 3_600_000_000, 0] {
            anchor.unix_micros = micros;
            assert!(anchor.unix_micros(start) != before);
            let (start, end) = (anchor.unix_micros(start), anchor.unix_micros(end));
            assert!(end >= start && end - start < 1_000_000, "{start} {end}");
        }
    }

    #[test]
    fn an_anchor_is_taken_anew_after_its_second() {
        let mut anchor = Anchor::new(&Clock::new());
        let real = anchor.unix_micros;
        anchor.unix_micros = 0;
        anchor.refresh();
        assert_eq!(anchor.unix_micros, 0, "a young one stays");
        anchor.taken = anchor.taken.checked_sub(ANCHOR_LIFE).unwrap();
        anchor.refresh();
        assert!(anchor.unix_micros >= real);
    }

    #[test]
    fn hours_of_ticks_stay_exact() {
        let clock = Clock::new();
        let anchor = Anchor::new(&clock);
        let nanos = 24 * 3_600 * 1_000_000_000_u64;
        // Ticks of a day, by the scale of the counter itself.
        let ticks =
            u64::try_from(u128::from(nanos) * (1 << 40) / u128::from(clock.0.delta_as_nanos(0, 1 << 40)))
                .unwrap();
        let micros = anchor.unix_micros(anchor.ticks + ticks) - anchor.unix_micros;
        assert!(micros.abs_diff(nanos / 1_000) < 100, "{micros}");
    }
}
