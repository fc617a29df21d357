//! Ours, by spans of tracing: `XRayTracing` makes subsegments of them, and the documents go to a socket, as in production.

mod functions;
mod request;

use std::sync::Arc;
use std::time::Duration;

use functions::{async_fn, async_note, bare, sync_fn, sync_note};
use harness::{Counting, Name, Peer, Scenario, Sink};
use tracing_subscriber::prelude::*;
use xray_runtime::{
    AllSampler, Entity, FutureExt, HttpRequest, HttpResponse, NoneSampler, Recorder, XRayTracing,
    begin_segment, current,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SCENARIOS: &[&str] = &[
    "sync/none/k100",
    "async/none/k100",
    "sync/unsampled/k100",
    "async/unsampled/k100",
    "sync/sampled/k10",
    "sync/sampled/k100",
    "async/sampled/k100",
    "sync-note/sampled/k100",
    "async-note/sampled/k100",
    "request/unsampled/k20",
    "request/sampled/k3",
    "request/sampled/k20",
    "failed/sampled/k3",
    "failed/sampled/k20",
];

fn main() {
    Peer { scenarios: SCENARIOS, future_bytes: size_of_val(&bare()) }.main(build)
}

/// What the peer's server span says.
fn describe(segment: &Entity) {
    if segment.is_recorded() {
        segment.set_http_request(HttpRequest::new().with_method("GET").with_url("/api/activities/home"));
        segment.set_http_response(HttpResponse::new().with_status(200));
    }
}

fn build(name: Name<'_>) -> Scenario {
    let children = name.children;
    let sink = Sink::start();
    let builder = Recorder::builder().service("bench").daemon_address(sink.address().to_string());
    let builder = match name.mode {
        "unsampled" => builder.sampler(NoneSampler),
        _ => builder.sampler(AllSampler),
    };
    let recorder = Arc::new(builder.install().expect("the settings are good"));
    let rooted = name.mode != "none";
    tracing_subscriber::registry().with(XRayTracing::new().annotate(["n"])).init();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    macro_rules! roots {
        ($function:ident) => {
            Scenario::new(children + 1, move |n| {
                for _ in 0..n {
                    let _root = rooted.then(|| begin_segment("root"));
                    describe(&current());
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
                            describe(&current());
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
        // The program's own spans, the request's among them, in a segment as `XRayLayer` makes it, which is ours on top.
        shape @ ("request" | "failed") => {
            let failed = shape == "failed";
            Scenario::new(children + 1, move |n| {
                runtime.block_on(async {
                    for _ in 0..n {
                        let work = async move {
                            describe(&current());
                            request::request(children, failed).await;
                        };
                        work.in_segment("root").await;
                    }
                });
            })
        }
        "sync" => roots!(sync_fn),
        "sync-note" => roots!(sync_note),
        "async" => roots!(async_fn.await),
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
