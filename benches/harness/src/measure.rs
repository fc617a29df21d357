//! What is measured, each in a process of its own.

use std::time::{Duration, Instant};

use crate::allocations::counted;
use crate::callgrind::instrumented;
use crate::scenario::Scenario;

/// Spans between two flushes where everything is to be delivered: below the bound of every peer's queue.
const PACE: u64 = 1_000;
/// Spans of a timed sample of the caller's side: long beside the clock, short beside the queues.
const SAMPLE: u64 = 4_000;

/// CPU time that this process has used, all its threads, kernel included.
pub fn process_cpu() -> Duration {
    cpu(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time that this thread has used, kernel included.
pub(crate) fn thread_cpu() -> Duration {
    cpu(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn cpu(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both clocks exist on Linux, and `time` is a live timespec.
    unsafe { libc::clock_gettime(clock, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Scenario {
    /// Roots that make about `spans` spans.
    fn roots(&self, spans: u64) -> u64 {
        (spans / self.spans).max(1)
    }

    /// Runs `chunks` times [`PACE`] spans with a flush after each; returns the spans made.
    fn paced(&mut self, chunks: u64) -> u64 {
        let roots = self.roots(PACE);
        for _ in 0..chunks {
            (self.run)(roots);
            (self.flush)();
        }
        chunks * roots * self.spans
    }
}

/// Nanoseconds a span: samples sorted.
struct Samples(Vec<f64>);

impl Samples {
    /// Takes samples for `time`, at least seven.
    fn take(time: Duration, mut sample: impl FnMut() -> f64) -> Samples {
        let (start, mut values) = (Instant::now(), Vec::new());
        while start.elapsed() < time || values.len() < 7 {
            values.push(sample());
        }
        values.sort_by(f64::total_cmp);
        Samples(values)
    }
    fn minimum(&self) -> f64 {
        self.0[0]
    }
    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }
}

/// Wall time on the caller's thread, CPU time of the process with everything delivered, allocations. Prints a JSON object.
pub(crate) fn time(mut scenario: Scenario, milliseconds: u64) {
    let half = Duration::from_millis(milliseconds / 2);
    scenario.paced(2 * SAMPLE / PACE);

    let roots = scenario.roots(SAMPLE);
    let spans = (roots * scenario.spans) as f64;
    let caller = Samples::take(half, || {
        let start = Instant::now();
        (scenario.run)(roots);
        let elapsed = start.elapsed();
        (scenario.flush)();
        elapsed.as_nanos() as f64 / spans
    });
    let cpu = Samples::take(half, || {
        let start = process_cpu();
        let spans = scenario.paced(4);
        (process_cpu() - start).as_nanos() as f64 / spans as f64
    });
    let mut spans = 0;
    let (calls, bytes) = counted(|| spans = scenario.paced(4));
    println!(
        r#"{{"caller_ns":{:.2},"caller_ns_median":{:.2},"cpu_ns":{:.2},"cpu_ns_median":{:.2},"allocations":{:.4},"allocated_bytes":{:.1}}}"#,
        caller.minimum(),
        caller.median(),
        cpu.minimum(),
        cpu.median(),
        calls as f64 / spans as f64,
        bytes as f64 / spans as f64,
    );
}

/// A burst of `spans` spans at full speed, then one flush. Prints what was made, received, and counted as lost.
pub(crate) fn deliver(mut scenario: Scenario, spans: u64) {
    let received_before = (scenario.received)();
    let lost_before = (scenario.lost)();
    let roots = scenario.roots(spans);
    (scenario.run)(roots);
    (scenario.flush)();
    println!(
        r#"{{"made":{},"received":{},"lost":{}}}"#,
        roots * scenario.spans,
        (scenario.received)() - received_before,
        (scenario.lost)() - lost_before,
    );
}

/// For callgrind: `spans` spans, all threads and flushes counted. Prints the spans made.
pub(crate) fn instructions(mut scenario: Scenario, spans: u64) -> ! {
    let chunks = spans.div_ceil(PACE);
    scenario.paced(chunks);
    let mut made = 0;
    instrumented(|| made = scenario.paced(chunks));
    leave(made)
}

/// For callgrind: as [`instructions`], the flushes not counted.
pub(crate) fn caller_instructions(mut scenario: Scenario, spans: u64) -> ! {
    let chunks = spans.div_ceil(PACE);
    scenario.paced(chunks);
    let roots = scenario.roots(PACE);
    for _ in 0..chunks {
        instrumented(|| (scenario.run)(roots));
        (scenario.flush)();
    }
    leave(chunks * roots * scenario.spans)
}

/// Ends the process at once: no peer's shutdown is of interest, and some are slow under valgrind.
pub(crate) fn leave(made: u64) -> ! {
    println!("{made}");
    end()
}

/// Ends the process at once.
pub(crate) fn end() -> ! {
    // SAFETY: standard output was written line by line; nothing else needs its destructor.
    unsafe { libc::_exit(0) }
}
