//! Ours: items posted to the sink, as in production.

use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use harness::reports::{Account, OrderRefused, Reporter, Reporting, Setup, Stack, message};
use harness::trivial;
use rollbar_runtime::{Level, Rollbar, report_error, report_message, rollbar_report};

#[inline(never)]
fn sync_plain(x: u64) -> Result<u64, OrderRefused> {
    if x == u64::MAX { Err(OrderRefused(x)) } else { Ok(trivial(x)) }
}
#[inline(never)]
#[rollbar_report]
fn sync_reported(x: u64) -> Result<u64, OrderRefused> {
    if x == u64::MAX { Err(OrderRefused(x)) } else { Ok(trivial(x)) }
}
async fn async_plain(x: u64) -> Result<u64, OrderRefused> {
    if x == u64::MAX { Err(OrderRefused(x)) } else { Ok(trivial(x)) }
}
#[rollbar_report]
async fn async_reported(x: u64) -> Result<u64, OrderRefused> {
    if x == u64::MAX { Err(OrderRefused(x)) } else { Ok(trivial(x)) }
}

const SCENARIOS: &[&str] = &[
    "message",
    "error",
    "error-frames",
    "ok-sync-plain",
    "ok-sync-on",
    "ok-sync-off",
    "ok-async-plain",
    "ok-async-on",
    "ok-async-off",
];

fn main() {
    Reporter { scenarios: SCENARIOS }.main(build)
}

fn build(setup: &Setup<'_>) -> Reporting {
    let builder = Rollbar::builder()
        .access_token("00112233445566778899aabbccddeeff")
        .environment("benches")
        .endpoint(format!("http://{}", setup.sink))
        .backtraces(setup.scenario == "error-frames")
        .enabled(!setup.scenario.ends_with("-off"));
    let builder = if setup.one_connection { builder.connections(1) } else { builder };
    // Never dropped: the process ends with the measurement.
    let rollbar = ManuallyDrop::new(builder.install().expect("the settings are good")).rollbar().clone();
    let reporting = match setup.scenario {
        "message" => Reporting::new(|n| {
            black_box(report_message(message(n), Level::Warning));
        }),
        "error" => Reporting::new(|n| {
            black_box(report_error(&OrderRefused(n)));
        }),
        "error-frames" => {
            let mut stack = Stack::default();
            Reporting::new(move |n| {
                stack.run(&mut || {
                    black_box(report_error(&OrderRefused(n)));
                });
            })
        }
        "ok-sync-plain" => Reporting::new(|n| {
            for x in 0..n {
                black_box(sync_plain(x).is_ok());
            }
        }),
        "ok-async-plain" => Reporting::new(|n| {
            poll(async move {
                for x in 0..n {
                    black_box(async_plain(x).await.is_ok());
                }
            })
        }),
        sync if sync.starts_with("ok-sync") => Reporting::new(|n| {
            for x in 0..n {
                black_box(sync_reported(x).is_ok());
            }
        }),
        _ => Reporting::new(|n| {
            poll(async move {
                for x in 0..n {
                    black_box(async_reported(x).await.is_ok());
                }
            })
        }),
    };
    let flushed = rollbar.clone();
    reporting
        .flush(move || {
            let _ = flushed.flush(Duration::from_secs(60));
        })
        .account(move || {
            let stats = rollbar.stats();
            Account { coalesced: stats.coalesced, dropped: stats.dropped(), pending: stats.pending }
        })
}

/// Runs a future that never waits.
fn poll(future: impl Future<Output = ()>) {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(()));
}
