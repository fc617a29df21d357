//! What a Rust team uses today to reach the X-Ray daemon: tracing, tracing-opentelemetry, opentelemetry-aws.

#[path = "../../xray-tracing/src/functions.rs"]
mod functions;
#[path = "../../xray-tracing/src/request.rs"]
mod request;

use functions::{async_fn, async_note, bare, sync_fn, sync_note};
use harness::{Counting, Name, Peer, Scenario, Sink};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_aws::xray_exporter::{XrayExporter, daemon_client::XrayDaemonClient};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tracing::Instrument;
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SCENARIOS: &[&str] = &[
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

/// A server's span: the exporter makes segments of these only.
macro_rules! root {
    () => {
        tracing::info_span!(
            "root",
            otel.kind = "server",
            http.request.method = "GET",
            url.path = "/api/activities/home",
            http.response.status_code = 200
        )
    };
}

fn build(name: Name<'_>) -> Scenario {
    let children = name.children;
    let sampled = name.mode == "sampled";
    let sink = Sink::start();
    let client = XrayDaemonClient::new(sink.address()).expect("a client of the sink");
    // Ample, so that the paced figures lose nothing.
    let batches = BatchConfigBuilder::default().with_max_queue_size(1 << 17).build();
    let processor = BatchSpanProcessor::builder(XrayExporter::new(client)).with_batch_config(batches).build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_id_generator(XrayIdGenerator::default())
        .with_sampler(if sampled { Sampler::AlwaysOn } else { Sampler::AlwaysOff })
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
    tracing_subscriber::registry().with(layer).init();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    macro_rules! roots {
        ($function:ident) => {
            Scenario::new(children + 1, move |n| {
                for _ in 0..n {
                    let _root = root!().entered();
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
                        work.instrument(root!()).await;
                    }
                })
            })
        };
    }
    let scenario = match name.shape {
        shape @ ("request" | "failed") => {
            let failed = shape == "failed";
            Scenario::new(children + 1, move |n| {
                runtime.block_on(async {
                    for _ in 0..n {
                        request::request(children, failed).await;
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
    let flush = move || provider.force_flush().expect("the exporter runs");
    scenario.flush(flush).received_by(sink)
}
