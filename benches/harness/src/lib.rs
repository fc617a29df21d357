//! The measuring side of `benches/run spans`: each peer is a binary that hands its scenarios to [`Peer::main`]; [`reports`] is
//! that of `benches/run rollbar`, [`calls`] and [`measure_start`] those of `benches/run integrations`, [`http`] a receiving end.
//!
//! A scenario runs in a process of its own, and is measured one way per process; `tables/` starts those processes, interleaves
//! them, and makes the table. Linux on x86-64 only (`fork`, callgrind's request, the time-stamp counter).

mod allocations;
mod callgrind;
pub mod calls;
pub mod http;
mod measure;
pub mod reports;
mod scenario;
mod sink;
mod start;

pub use allocations::Counting;
pub use measure::process_cpu;
pub use scenario::{Name, Scenario};
pub use sink::Sink;
pub use start::measure_start;

/// One column of the table.
pub struct Peer<'a> {
    /// The scenarios that it can run, as `shape/mode/kCHILDREN` (see [`Name`]).
    pub scenarios: &'a [&'a str],
    /// Size of the future of a captured `async fn` without arguments that awaits once; 0 where there is none.
    pub future_bytes: usize,
}

const USAGE: &str = "one of: list | future-bytes | time NAME MILLISECONDS | deliver NAME SPANS | instructions NAME SPANS | \
                     caller-instructions NAME SPANS";

impl Peer<'_> {
    /// The entry point of a peer's binary. `build` sets up what the one scenario of this process needs.
    pub fn main(self, build: impl Fn(Name<'_>) -> Scenario) {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match *arguments {
            ["list"] => self.scenarios.iter().for_each(|name| println!("{name}")),
            ["future-bytes"] => println!("{}", self.future_bytes),
            [mode, name, amount] if self.scenarios.contains(&name) => {
                let amount = amount.parse().expect(USAGE);
                let scenario = build(Name::parse(name));
                match mode {
                    "time" => measure::time(scenario, amount),
                    "deliver" => measure::deliver(scenario, amount),
                    "instructions" => measure::instructions(scenario, amount),
                    "caller-instructions" => measure::caller_instructions(scenario, amount),
                    _ => panic!("{USAGE}"),
                }
            }
            _ => panic!("{USAGE}"),
        }
    }
}

/// The work inside each instrumented function: two instructions that the compiler may not fold away.
#[inline(always)]
pub fn trivial(x: u64) -> u64 {
    std::hint::black_box(x.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (x >> 7))
}
