//! The floor: the least that any X-Ray instrumentation does, written by hand. Two reads of the time-stamp counter, an id and a
//! 64-byte record in thread-local memory for a span; a minimal document and its share of a packet for its delivery.
//! No escaping, no errors, no other thread, no second tracer: nothing that a user could use.

mod document;
mod record;

use harness::{Counting, Name, Peer, Scenario, Sink, trivial};

use crate::document::Sender;
use crate::record::{Recorded, enter, is_on};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[inline(never)]
fn sync_fn(x: u64) -> u64 {
    let _span = enter("sync_fn");
    trivial(x)
}
async fn async_fn(x: u64) -> u64 {
    Recorded::new("async_fn", async move { trivial(x) }).await
}
async fn async_yield(x: u64) -> u64 {
    let work = async move {
        tokio::task::yield_now().await;
        trivial(x)
    };
    Recorded::new("async_yield", work).await
}
/// Off: one thread-local load and a branch that is never taken.
#[inline(never)]
fn sync_off(x: u64) -> u64 {
    if is_on() {
        return sync_fn(x);
    }
    trivial(x)
}
async fn async_off(x: u64) -> u64 {
    if is_on() {
        return async_fn(x).await;
    }
    trivial(x)
}

const SCENARIOS: &[&str] = &[
    "sync/none/k100",
    "async/none/k100",
    "sync/sampled/k10",
    "sync/sampled/k100",
    "async/sampled/k100",
    "async-yield/sampled/k100",
];

fn main() {
    Peer { scenarios: SCENARIOS, future_bytes: 0 }.main(build)
}

fn build(name: Name<'_>) -> Scenario {
    let children = name.children;
    let sink = Sink::start();
    let mut sender = Sender::new(sink.address(), children);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let scenario = match (name.shape, name.mode) {
        ("sync", "none") => Scenario::new(children + 1, move |n| {
            for _ in 0..n {
                for i in 0..children {
                    sync_off(i);
                }
            }
        }),
        ("async", "none") => Scenario::new(children + 1, move |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    for i in 0..children {
                        async_off(i).await;
                    }
                }
            })
        }),
        ("sync", _) => Scenario::new(children + 1, move |n| {
            for _ in 0..n {
                let _root = enter("root");
                for i in 0..children {
                    sync_fn(i);
                }
            }
        }),
        ("async", _) => Scenario::new(children + 1, move |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    let work = async move {
                        for i in 0..children {
                            async_fn(i).await;
                        }
                    };
                    Recorded::new("root", work).await;
                }
            })
        }),
        ("async-yield", _) => Scenario::new(children + 1, move |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    let work = async move {
                        for i in 0..children {
                            async_yield(i).await;
                        }
                    };
                    Recorded::new("root", work).await;
                }
            })
        }),
        (shape, mode) => unreachable!("no such scenario: {shape}/{mode}"),
    };
    scenario.flush(move || sender.send_recorded()).received_by(sink)
}
