//! Annotated futures that are dropped, moved and polled where nobody expects it.

use std::pin::pin;
use std::task::{Context, Waker};

use rollbar_runtime::{
    FutureExt, Level, Rollbar, Scope, current_scope, in_scope, report_message, rollbar_report,
};

#[derive(Debug)]
struct Reports(&'static str);

impl Drop for Reports {
    fn drop(&mut self) {
        report_message(self.0, Level::Info);
    }
}

#[rollbar_report(custom(n), capture(n))]
async fn waits(n: u32) -> Result<(), std::fmt::Error> {
    let _dropped = Reports("dropped mid-way");
    std::future::pending::<()>().await;
    Err(std::fmt::Error)
}

#[rollbar_report]
async fn fails(n: u32) -> Result<(), std::io::Error> {
    tokio::task::yield_now().await;
    Err(std::io::Error::other(format!("number {n}")))
}

#[test]
fn a_future_that_is_dropped_mid_way_leaves_nothing_behind() {
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| {
        for n in 0..100 {
            let mut future = Box::pin(waits(n));
            assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            drop(future);
        }
        assert!(pin!(fails(1)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(waits(7));
        report_message("after", Level::Info);
    });
    let items = captured.items();
    assert_eq!(items.len(), 101);
    assert_eq!(items[100].message(), Some("after"));
    assert!(items.iter().all(|item| item.json().get("custom").is_none()), "none is an error's");
}

/// The future knows whose it is also while it is dropped: a request that is cancelled reports as a request.
#[test]
fn what_is_reported_while_a_future_is_dropped_is_of_its_scope() {
    let (rollbar, captured) = Rollbar::in_memory();
    let scope = rollbar.enter(Scope::new);
    scope.put_custom("of", "the future");
    let mut future = rollbar.enter(|| Box::pin(waits(1).in_scope(scope)));
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(future);
    let item = captured.only();
    assert_eq!(item.message(), Some("dropped mid-way"));
    assert_eq!(item.json()["custom"]["of"], "the future");
}

#[tokio::test]
async fn select_drops_the_loser_and_its_error_is_nobody_s() {
    let (rollbar, captured) = Rollbar::in_memory();
    let work = rollbar.enter(|| {
        async {
            for n in 0..50 {
                tokio::select! {
                    biased;
                    failed = fails(n) => assert!(failed.is_err()),
                    _ = waits(n) => unreachable!(),
                }
            }
        }
        .in_current_scope()
    });
    work.await;
    let errors = captured.items().iter().filter(|item| item.class() == Some("std::io::error::Error")).count();
    assert_eq!((errors, captured.items().len()), (50, 100));
}

#[test]
fn one_future_polled_on_many_threads() {
    let (rollbar, captured) = Rollbar::in_memory();
    let mut future = rollbar.enter(|| {
        in_scope(&Scope::new(), || {
            current_scope().put_custom("of", "the maker");
            Box::pin(
                async {
                    for n in 0..50 {
                        assert!(fails(n).await.is_err());
                        tokio::task::yield_now().await;
                    }
                }
                .in_current_scope(),
            )
        })
    });
    let mut threads = 0;
    loop {
        let (polled, back) = std::thread::spawn(move || {
            let done = future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            // Nothing is left on the thread.
            assert_eq!(report_message("nobody takes it", Level::Error), None);
            (done, future)
        })
        .join()
        .unwrap();
        future = back;
        threads += 1;
        if polled {
            break;
        }
    }
    assert!(threads >= 100, "{threads}");
    let items = captured.items();
    assert_eq!(items.len(), 50);
    assert!(items.iter().all(|item| item.json()["custom"]["of"] == "the maker"));
}
