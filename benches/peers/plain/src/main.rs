//! No instrumentation: what the functions themselves cost.

use harness::{Counting, Name, Peer, Scenario, trivial};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[inline(never)]
fn sync_fn(x: u64) -> u64 {
    trivial(x)
}
async fn async_fn(x: u64) -> u64 {
    trivial(x)
}
async fn async_yield(x: u64) -> u64 {
    tokio::task::yield_now().await;
    trivial(x)
}
async fn bare() -> u64 {
    tokio::task::yield_now().await;
    trivial(7)
}

fn main() {
    let scenarios = &["sync/none/k100", "async/none/k100", "async-yield/none/k100"];
    Peer { scenarios, future_bytes: size_of_val(&bare()) }.main(build)
}

fn build(name: Name<'_>) -> Scenario {
    let children = name.children;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    macro_rules! roots {
        ($function:ident) => {
            Scenario::new(children + 1, move |n| {
                runtime.block_on(async {
                    for _ in 0..n {
                        for i in 0..children {
                            $function(i).await;
                        }
                    }
                })
            })
        };
    }
    match name.shape {
        "sync" => Scenario::new(children + 1, move |n| {
            for _ in 0..n {
                for i in 0..children {
                    sync_fn(i);
                }
            }
        }),
        "async" => roots!(async_fn),
        "async-yield" => roots!(async_yield),
        shape => unreachable!("no such shape: {shape}"),
    }
}
