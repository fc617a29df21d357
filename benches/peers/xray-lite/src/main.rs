//! xray-lite: a packet a subsegment, sent by the caller. It has no root of its own and no annotations.

use harness::{Counting, Name, Peer, Scenario, Sink, trivial};
use xray_lite::{Context, CustomNamespace, DaemonClient, SubsegmentContext};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Tracer = SubsegmentContext<DaemonClient>;

#[inline(never)]
fn sync_fn(tracer: &Tracer, x: u64) -> u64 {
    let _subsegment = tracer.enter_subsegment(CustomNamespace::new("sync_fn"));
    trivial(x)
}
async fn async_fn(tracer: &Tracer, x: u64) -> u64 {
    let _subsegment = tracer.enter_subsegment(CustomNamespace::new("async_fn"));
    trivial(x)
}

fn main() {
    let scenarios = &["sync/sampled/k10", "sync/sampled/k100", "async/sampled/k100"];
    Peer { scenarios, future_bytes: 0 }.main(build)
}

fn build(name: Name<'_>) -> Scenario {
    let children = name.children;
    let sink = Sink::start();
    let header = "Root=1-65dfb5a1-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1";
    // SAFETY: no other thread exists yet.
    unsafe { std::env::set_var("_X_AMZN_TRACE_ID", header) };
    let client = DaemonClient::new(sink.address()).expect("a client of the sink");
    let tracer = SubsegmentContext::from_lambda_env(client).expect("the header that was just set");
    let scenario = match name.shape {
        "sync" => Scenario::new(children + 1, move |n| {
            for _ in 0..n {
                let _root = tracer.enter_subsegment(CustomNamespace::new("root"));
                for i in 0..children {
                    sync_fn(&tracer, i);
                }
            }
        }),
        "async" => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            Scenario::new(children + 1, move |n| {
                runtime.block_on(async {
                    for _ in 0..n {
                        let _root = tracer.enter_subsegment(CustomNamespace::new("root"));
                        for i in 0..children {
                            async_fn(&tracer, i).await;
                        }
                    }
                })
            })
        }
        shape => unreachable!("no such shape: {shape}"),
    };
    // It sends each subsegment twice: when it begins and when it ends.
    scenario.received(move || sink.spans() / 2)
}
