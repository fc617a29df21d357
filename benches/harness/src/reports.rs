//! The measuring side of `benches/run rollbar`: each peer is a binary that hands what it can report to [`Reporter::main`].
//!
//! A scenario runs in a process of its own, and is measured one way per process. The sink is a third process, `http-sink`.

use std::hint::black_box;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::callgrind::instrumented;
use crate::measure::{leave, process_cpu};

/// Reports between two flushes: below the bound of every peer's queue (sentry's holds 30), so that nothing is lost or merged.
const BATCH: u64 = 20;
/// Calls of a timed sample of a function that reports nothing.
const SAMPLE: u64 = 4_000;
/// Frames of a stack, from `main` up to where the error is reported.
pub const FRAMES: usize = 30;

/// One column of the table.
pub struct Reporter<'a> {
    /// What it can do: `message`, `error`, `error-frames`, and functions that succeed, `ok-..`.
    pub scenarios: &'a [&'a str],
}

/// What is to be set up.
pub struct Setup<'a> {
    /// One of the reporter's scenarios.
    pub scenario: &'a str,
    /// Where the sink listens; it speaks plain HTTP.
    pub sink: SocketAddr,
    /// Whether items go over one connection, where that is a setting.
    pub one_connection: bool,
}

/// Work that reports.
pub struct Reporting {
    report: Box<dyn FnMut(u64)>,
    flush: Box<dyn FnMut()>,
    account: Box<dyn Fn() -> Account>,
}

/// What a peer itself says of its reports.
#[derive(Clone, Copy, Default)]
pub struct Account {
    /// Reports that another item stands for.
    pub coalesced: u64,
    /// Reports that are lost.
    pub dropped: u64,
    /// Reports that are still on their way.
    pub pending: u64,
}

impl Reporting {
    /// `report(n)` makes one report, the text of which has `n` in it; or calls a function once that has nothing to report.
    pub fn new(report: impl FnMut(u64) + 'static) -> Reporting {
        Reporting { report: Box::new(report), flush: Box::new(|| ()), account: Box::new(Account::default) }
    }

    /// How to push everything through to the sink, returning when that is done.
    pub fn flush(mut self, flush: impl FnMut() + 'static) -> Reporting {
        self.flush = Box::new(flush);
        self
    }

    /// What the peer counts.
    pub fn account(mut self, account: impl Fn() -> Account + 'static) -> Reporting {
        self.account = Box::new(account);
        self
    }

    /// Makes `reports` reports, a flush after each batch, and hands the work of one batch to `around`.
    fn paced(&mut self, reports: u64, mut around: impl FnMut(&mut dyn FnMut())) {
        for batch in 0..reports.div_ceil(BATCH) {
            around(&mut || {
                for number in batch * BATCH..(batch + 1) * BATCH {
                    (self.report)(number);
                }
            });
            (self.flush)();
        }
    }
}

const USAGE: &str = "one of: list | caller NAME REPORTS SINK | delivery NAME REPORTS SINK | burst NAME REPORTS SINK | \
                     calls NAME MILLISECONDS SINK | instructions NAME REPORTS SINK | call-instructions NAME CALLS SINK";

impl Reporter<'_> {
    /// The entry point of a peer's binary. `build` sets up what the one scenario of this process needs.
    pub fn main(self, build: impl Fn(&Setup<'_>) -> Reporting) {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match *arguments {
            ["list"] => self.scenarios.iter().for_each(|name| println!("{name}")),
            [mode, scenario, amount, sink] if self.scenarios.contains(&scenario) => {
                let (amount, sink) = (amount.parse().expect(USAGE), sink.parse().expect(USAGE));
                let reporting = build(&Setup { scenario, sink, one_connection: mode == "delivery" });
                match mode {
                    "caller" => caller(reporting, amount),
                    "delivery" => delivery(reporting, amount),
                    "burst" => burst(reporting, amount),
                    "calls" => calls(reporting, amount),
                    "instructions" => instructions(reporting, amount),
                    "call-instructions" => call_instructions(reporting, amount),
                    _ => panic!("{USAGE}"),
                }
            }
            _ => panic!("{USAGE}"),
        }
    }
}

/// Wall time of each call on the thread that reports. A read of the clock is in each. Prints a JSON object, as the others do;
/// `made` includes the warm-up, so that the sink's count can be held against it.
fn caller(mut reporting: Reporting, reports: u64) {
    reporting.paced(reports / 4, |batch| batch());
    let mut nanoseconds = Vec::new();
    for batch in 0..reports.div_ceil(BATCH) {
        for number in batch * BATCH..(batch + 1) * BATCH {
            let start = Instant::now();
            (reporting.report)(number);
            nanoseconds.push(start.elapsed().as_nanos() as f64);
        }
        (reporting.flush)();
    }
    let made = nanoseconds.len() as u64 + (reports / 4).div_ceil(BATCH) * BATCH;
    nanoseconds.sort_by(f64::total_cmp);
    let at = |part: f64| nanoseconds[(nanoseconds.len() as f64 * part) as usize];
    println!(r#"{{"caller_ns":{},"caller_ns_p99":{},"made":{made}}}"#, at(0.5), at(0.99));
}

/// CPU time of the process, all threads, and wall time, an item that has arrived.
fn delivery(mut reporting: Reporting, reports: u64) {
    let warm_up = reports / 4;
    reporting.paced(warm_up, |batch| batch());
    let (wall, cpu) = (Instant::now(), process_cpu());
    reporting.paced(reports, |batch| batch());
    let (wall, cpu) = (wall.elapsed(), process_cpu() - cpu);
    let items = reports.div_ceil(BATCH) * BATCH;
    println!(
        r#"{{"cpu_us":{:.2},"wall_us":{:.2},"made":{}}}"#,
        cpu.as_secs_f64() * 1e6 / items as f64,
        wall.as_secs_f64() * 1e6 / items as f64,
        items + warm_up.div_ceil(BATCH) * BATCH,
    );
}

/// Reports at full speed, then a flush. One more report follows: it carries what a peer has to say of its losses.
fn burst(mut reporting: Reporting, reports: u64) {
    let start = Instant::now();
    // A peer may panic in its caller where the system gives it no more threads.
    let panicked = (0..reports)
        .filter(|number| catch_unwind(AssertUnwindSafe(|| (reporting.report)(*number))).is_err())
        .count();
    let reported = start.elapsed();
    (reporting.flush)();
    let delivered = start.elapsed();
    (reporting.report)(reports);
    (reporting.flush)();
    let Account { coalesced, dropped, pending } = (reporting.account)();
    println!(
        r#"{{"coalesced":{coalesced},"dropped":{dropped},"pending":{pending},"panicked":{panicked},"report_ms":{},"deliver_ms":{}}}"#,
        reported.as_millis(),
        delivered.as_millis(),
    );
}

/// Wall time of a call of a function that reports nothing.
fn calls(mut reporting: Reporting, milliseconds: u64) {
    let (end, mut samples) = (Instant::now() + Duration::from_millis(milliseconds), Vec::new());
    while Instant::now() < end || samples.len() < 7 {
        let start = Instant::now();
        (reporting.report)(black_box(SAMPLE));
        samples.push(start.elapsed().as_nanos() as f64 / SAMPLE as f64);
    }
    samples.sort_by(f64::total_cmp);
    println!(r#"{{"call_ns":{:.3}}}"#, samples[samples.len() / 2]);
}

/// For callgrind: what the reporting thread does, flushes left out. Prints the reports.
fn instructions(mut reporting: Reporting, reports: u64) -> ! {
    reporting.paced(reports, |batch| batch());
    reporting.paced(reports, |batch| instrumented(batch));
    leave(reports.div_ceil(BATCH) * BATCH)
}

/// For callgrind: a function that reports nothing.
fn call_instructions(mut reporting: Reporting, calls: u64) -> ! {
    (reporting.report)(calls);
    instrumented(|| (reporting.report)(calls));
    leave(calls)
}

/// Frames from the caller of this down to the thread's start.
#[inline(never)]
fn frames() -> usize {
    let mut count = 0_usize;
    backtrace::trace(|_| {
        count += 1;
        true
    });
    // This one's own, and what takes the trace.
    count.saturating_sub(2)
}

/// Work that is done at the top of a stack of [`FRAMES`].
#[derive(Default)]
pub struct Stack {
    /// Frames to put on the caller's, once they are counted.
    missing: Option<usize>,
}

impl Stack {
    /// Runs `work` there.
    #[inline(never)]
    pub fn run(&mut self, work: &mut dyn FnMut()) {
        let missing = *self.missing.get_or_insert_with(|| FRAMES.saturating_sub(frames()));
        deep(missing, work);
        // Not the last call: that would reuse the frame.
        black_box(());
    }
}

#[inline(never)]
fn deep(frames: usize, work: &mut dyn FnMut()) {
    if frames <= 1 {
        work()
    } else {
        deep(frames - 1, work)
    }
    black_box(());
}

/// An error as programs have them: a text made of a value.
#[derive(Debug)]
pub struct OrderRefused(pub u64);

impl std::fmt::Display for OrderRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "order {} was refused by the warehouse", self.0)
    }
}

impl std::error::Error for OrderRefused {}

/// A message as programs have them.
pub fn message(number: u64) -> String {
    format!("order {number} waits for payment since yesterday")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_has_the_frames_that_it_is_to_have() {
        let (mut stack, mut count) = (Stack::default(), 0);
        stack.run(&mut || count = frames());
        assert!(count.abs_diff(FRAMES) <= 3, "{count}");
    }
}
