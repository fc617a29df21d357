//! Ours: documents sent to a socket, as in production.

use std::sync::Arc;
use std::time::Duration;

use harness::{Counting, Name, Peer, Scenario, Sink, trivial};
use xray_runtime::{AllSampler, FutureExt, NoneSampler, Recorder, begin_segment, xray_capture};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[inline(never)]
#[xray_capture]
fn sync_fn(x: u64) -> u64 {
    trivial(x)
}
#[xray_capture]
async fn async_fn(x: u64) -> u64 {
    trivial(x)
}
#[xray_capture]
async fn async_yield(x: u64) -> u64 {
    tokio::task::yield_now().await;
    trivial(x)
}
#[inline(never)]
#[xray_capture(annotations(n = x))]
fn sync_note(x: u64) -> u64 {
    trivial(x)
}
#[xray_capture(annotations(n = x))]
async fn async_note(x: u64) -> u64 {
    trivial(x)
}
/// With what the fields of the spans in `peers/xray-tracing/src/request.rs` become.
#[xray_capture(metadata(table = "activities", limit = number, cached = false))]
async fn query(number: u64) -> u64 {
    trivial(number)
}
#[xray_capture]
async fn request(queries: u64) {
    for number in 0..queries {
        query(number).await;
    }
}
#[xray_capture]
async fn bare() -> u64 {
    tokio::task::yield_now().await;
    trivial(7)
}

const SCENARIOS: &[&str] = &[
    "sync/none/k100",
    "async/none/k100",
    "sync/unsampled/k100",
    "async/unsampled/k100",
    "sync/disabled/k100",
    "async/disabled/k100",
    "sync/sampled/k10",
    "sync/sampled/k100",
    "async/sampled/k100",
    "async-yield/sampled/k100",
    "sync-note/sampled/k100",
    "async-note/sampled/k100",
    "request/unsampled/k20",
    "request/sampled/k3",
    "request/sampled/k20",
];

fn main() {
    Peer { scenarios: SCENARIOS, future_bytes: size_of_val(&bare()) }.main(build)
}

fn build(name: Name<'_>) -> Scenario {
    let children = name.children;
    let sink = Sink::start();
    let builder = Recorder::builder().service("bench").daemon_address(sink.address().to_string());
    let builder = match name.mode {
        "unsampled" => builder.sampler(NoneSampler),
        "disabled" => builder.enabled(false),
        _ => builder.sampler(AllSampler),
    };
    let recorder = Arc::new(builder.install().expect("the settings are good"));
    let rooted = name.mode != "none";
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    macro_rules! roots {
        ($function:ident) => {
            Scenario::new(children + 1, move |n| {
                for _ in 0..n {
                    let _root = rooted.then(|| begin_segment("root"));
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
                        if rooted { work.in_segment("root").await } else { work.await }
                    }
                })
            })
        };
    }
    let scenario = match name.shape {
        "request" => Scenario::new(children + 1, move |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    request(children).in_segment("root").await;
                }
            });
        }),
        "sync" => roots!(sync_fn),
        "sync-note" => roots!(sync_note),
        "async" => roots!(async_fn.await),
        "async-yield" => roots!(async_yield.await),
        "async-note" => roots!(async_note.await),
        shape => unreachable!("no such shape: {shape}"),
    };
    let flushed = Arc::clone(&recorder);
    scenario
        .flush(move || {
            flushed.flush(Duration::from_secs(30));
        })
        .received_by(sink)
        .lost(move || recorder.stats().dropped())
}
