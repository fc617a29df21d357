//! The measuring side of `benches/run integrations`: what an integration adds to a call. Each scenario is a pair, the plain call and
//! the traced one, in one process, and they take turns.

use std::time::{Duration, Instant};

use crate::allocations::counted;
use crate::callgrind::instrumented;
use crate::measure::{leave, process_cpu, thread_cpu};

/// Calls between two flushes: below the bound of the exporter's queue, and long beside the clocks.
const SAMPLE: u64 = 100;
/// Calls in a segment, where the calls are parts of one.
pub const CALLS_IN_A_SEGMENT: u64 = 10;

/// The binary of the integrations.
pub struct Caller<'a> {
    /// What it can call, as `integration/mode`.
    pub scenarios: &'a [&'a str],
}

/// The two sides of a scenario.
pub struct Calls {
    plain: Box<dyn FnMut(u64)>,
    traced: Box<dyn FnMut(u64)>,
    flush: Box<dyn FnMut()>,
    lost: Box<dyn Fn() -> u64>,
}

const USAGE: &str = "one of: list | pairs NAME MILLISECONDS | instructions NAME plain|traced CALLS | \
                     caller-instructions NAME plain|traced CALLS";

impl Caller<'_> {
    /// The entry point of the binary. `build` sets up the one scenario of this process, given the two parts of its name.
    pub fn main(self, build: impl Fn(&str, &str) -> Calls) {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let build = |name: &str| {
            assert!(self.scenarios.contains(&name), "no such scenario: {name}");
            let (integration, mode) = name.split_once('/').expect("a scenario is called integration/mode");
            build(integration, mode)
        };
        match *arguments {
            ["list"] => self.scenarios.iter().for_each(|name| println!("{name}")),
            ["pairs", name, milliseconds] => pairs(build(name), milliseconds.parse().expect(USAGE)),
            ["instructions", name, side, calls] => {
                instructions(build(name).one(side), calls.parse().expect(USAGE), true)
            }
            ["caller-instructions", name, side, calls] => {
                instructions(build(name).one(side), calls.parse().expect(USAGE), false)
            }
            _ => panic!("{USAGE}"),
        }
    }
}

impl Calls {
    /// Each makes as many calls as it is told.
    pub fn new(plain: impl FnMut(u64) + 'static, traced: impl FnMut(u64) + 'static) -> Calls {
        Calls {
            plain: Box::new(plain),
            traced: Box::new(traced),
            flush: Box::new(|| ()),
            lost: Box::new(|| 0),
        }
    }

    /// How to push everything through to the far end, returning when that is done.
    pub fn flush(mut self, flush: impl FnMut() + 'static) -> Calls {
        self.flush = Box::new(flush);
        self
    }

    /// How much the recorder says that it lost so far.
    pub fn lost(mut self, lost: impl Fn() -> u64 + 'static) -> Calls {
        self.lost = Box::new(lost);
        self
    }

    /// One side alone: its calls, and the flush.
    fn one(self, side: &str) -> OneSide {
        let run = match side {
            "plain" => self.plain,
            "traced" => self.traced,
            _ => panic!("{USAGE}"),
        };
        OneSide { run, flush: self.flush }
    }
}

struct OneSide {
    run: Box<dyn FnMut(u64)>,
    flush: Box<dyn FnMut()>,
}

/// What the samples of one side took, a call.
#[derive(Default)]
struct Side {
    /// Wall time of the calling thread.
    caller_ns: Vec<f64>,
    /// Time that the calling thread had a processor.
    caller_cpu_ns: Vec<f64>,
    /// CPU time of the process with everything delivered, the kernel's included.
    cpu_ns: Vec<f64>,
}

impl Side {
    fn sample(&mut self, calls: &mut dyn FnMut(u64), flush: &mut dyn FnMut()) {
        let (cpu, thread, wall) = (process_cpu(), thread_cpu(), Instant::now());
        calls(SAMPLE);
        let (wall, thread) = (wall.elapsed(), thread_cpu() - thread);
        flush();
        let cpu = process_cpu() - cpu;
        let lists = [&mut self.caller_ns, &mut self.caller_cpu_ns, &mut self.cpu_ns];
        for (list, time) in lists.into_iter().zip([wall, thread, cpu]) {
            list.push(time.as_nanos() as f64 / SAMPLE as f64);
        }
    }

    fn json(&self) -> String {
        let list = |values: &[f64]| {
            let texts: Vec<String> = values.iter().map(|value| format!("{value:.1}")).collect();
            texts.join(",")
        };
        format!(
            r#""caller_ns":[{}],"caller_cpu_ns":[{}],"cpu_ns":[{}]"#,
            list(&self.caller_ns),
            list(&self.caller_cpu_ns),
            list(&self.cpu_ns)
        )
    }
}

/// Samples of both sides in turns, in the opposite order every second time, at least seven of each. Prints a JSON object.
fn pairs(mut calls: Calls, milliseconds: u64) {
    let (mut plain, mut traced) = (Side::default(), Side::default());
    for side in [&mut calls.plain, &mut calls.traced] {
        (0..3).for_each(|_| side(SAMPLE));
        (calls.flush)();
    }
    let end = Instant::now() + Duration::from_millis(milliseconds);
    for turn in 0_u64.. {
        if turn >= 7 && Instant::now() >= end {
            break;
        }
        if turn % 2 == 0 {
            plain.sample(&mut calls.plain, &mut calls.flush);
        }
        traced.sample(&mut calls.traced, &mut calls.flush);
        if turn % 2 == 1 {
            plain.sample(&mut calls.plain, &mut calls.flush);
        }
    }
    let [plain_allocations, traced_allocations] = [&mut calls.plain, &mut calls.traced].map(|side| {
        let (count, _) = counted(|| {
            side(SAMPLE);
            (calls.flush)();
        });
        count as f64 / SAMPLE as f64
    });
    println!(
        r#"{{"plain":{{{},"allocations":{plain_allocations}}},"traced":{{{},"allocations":{traced_allocations}}},"lost":{}}}"#,
        plain.json(),
        traced.json(),
        (calls.lost)()
    );
}

/// For callgrind: one side, with the flushes or without. Prints the calls.
fn instructions(OneSide { mut run, mut flush }: OneSide, calls: u64, all: bool) -> ! {
    let chunks = calls.div_ceil(SAMPLE);
    run(SAMPLE);
    flush();
    for _ in 0..chunks {
        if all {
            instrumented(|| {
                run(SAMPLE);
                flush();
            });
        } else {
            instrumented(|| run(SAMPLE));
            flush();
        }
    }
    leave(chunks * SAMPLE)
}
