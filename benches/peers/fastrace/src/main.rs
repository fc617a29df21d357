//! fastrace, its reporter throwing all spans away.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace::prelude::*;
use harness::{Counting, Name, Peer, Scenario, trivial};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[inline(never)]
#[trace(short_name = true)]
fn sync_fn(x: u64) -> u64 {
    trivial(x)
}
#[trace(short_name = true)]
async fn async_fn(x: u64) -> u64 {
    trivial(x)
}
#[trace(short_name = true)]
async fn async_yield(x: u64) -> u64 {
    tokio::task::yield_now().await;
    trivial(x)
}
#[inline(never)]
#[trace(short_name = true, properties = { "n": "{x}" })]
fn sync_note(x: u64) -> u64 {
    trivial(x)
}
#[trace(short_name = true, properties = { "n": "{x}" })]
async fn async_note(x: u64) -> u64 {
    trivial(x)
}
#[trace(short_name = true)]
async fn bare() -> u64 {
    tokio::task::yield_now().await;
    trivial(7)
}

static REPORTED: AtomicU64 = AtomicU64::new(0);

struct Discard;

impl Reporter for Discard {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        REPORTED.fetch_add(spans.len() as u64, Relaxed);
    }
}

const SCENARIOS: &[&str] = &[
    "sync/none/k100",
    "async/none/k100",
    "sync/unsampled/k100",
    "async/unsampled/k100",
    "sync/sampled/k10",
    "sync/sampled/k100",
    "async/sampled/k100",
    "async-yield/sampled/k100",
    "sync-note/sampled/k100",
    "async-note/sampled/k100",
];

fn main() {
    Peer { scenarios: SCENARIOS, future_bytes: size_of_val(&bare()) }.main(build)
}

fn build(name: Name<'_>) -> Scenario {
    let children = name.children;
    let sampled = match name.mode {
        "none" => None,
        mode => Some(mode == "sampled"),
    };
    let root = move || match sampled {
        None => Span::noop(),
        Some(sampled) => Span::root("root", SpanContext::random().sampled(sampled)),
    };
    let interval = std::time::Duration::from_millis(100);
    fastrace::set_reporter(Discard, Config::default().report_interval(interval));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    macro_rules! roots {
        ($function:ident) => {
            Scenario::new(children + 1, move |n| {
                for _ in 0..n {
                    let root = root();
                    let _current = root.set_local_parent();
                    for i in 0..children {
                        $function(i);
                    }
                }
            })
        };
        ($function:ident.await) => {
            Scenario::new(children + 1, move |n| {
                runtime.block_on(async {
                    for _ in 0..n {
                        let work = async move {
                            for i in 0..children {
                                $function(i).await;
                            }
                        };
                        work.in_span(root()).await;
                    }
                })
            })
        };
    }
    let scenario = match name.shape {
        "sync" => roots!(sync_fn),
        "sync-note" => roots!(sync_note),
        "async" => roots!(async_fn.await),
        "async-yield" => roots!(async_yield.await),
        "async-note" => roots!(async_note.await),
        shape => unreachable!("no such shape: {shape}"),
    };
    match sampled {
        Some(true) => scenario.flush(fastrace::flush).received(|| REPORTED.load(Relaxed)),
        _ => scenario,
    }
}
