//! tracing: with no subscriber, and with its registry, which keeps the spans and sends nothing.

#[path = "../../xray-tracing/src/functions.rs"]
mod functions;

use functions::{async_fn, async_note, bare, sync_fn, sync_note};
use harness::{Counting, Name, Peer, Scenario, trivial};
use tracing::Instrument;
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[tracing::instrument(skip_all)]
async fn async_yield(x: u64) -> u64 {
    tokio::task::yield_now().await;
    trivial(x)
}

const SCENARIOS: &[&str] = &[
    "sync/none/k100",
    "async/none/k100",
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
    if name.mode == "sampled" {
        tracing_subscriber::registry().init();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    macro_rules! roots {
        ($function:ident) => {
            Scenario::new(children + 1, move |n| {
                for _ in 0..n {
                    let _root = tracing::info_span!("root").entered();
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
                        work.instrument(tracing::info_span!("root")).await;
                    }
                })
            })
        };
    }
    match name.shape {
        "sync" => roots!(sync_fn),
        "sync-note" => roots!(sync_note),
        "async" => roots!(async_fn.await),
        "async-yield" => roots!(async_yield.await),
        "async-note" => roots!(async_note.await),
        shape => unreachable!("no such shape: {shape}"),
    }
}
