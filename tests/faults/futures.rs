use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use xray_runtime::{FutureExt, begin_segment, begin_subsegment, current, in_subsegment, spawn, xray_capture};

use crate::support::recorder;

#[xray_capture]
async fn two_polls() {
    tokio::task::yield_now().await;
    in_subsegment("second poll", || ());
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_future_that_is_moved_into_another_segment_stays_in_its_own() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let mut future = Box::pin(two_polls());
        {
            let _segment = begin_segment("first");
            assert!(poll(&mut future).is_pending());
        }
        let _other = begin_segment("other");
        assert!(poll(&mut future).is_ready());
        in_subsegment("of other", || ());
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("two_polls"), "first");
    assert_eq!(forest.parent_of("second poll"), "two_polls");
    assert_eq!(forest.parent_of("of other"), "other");
}

#[test]
fn a_future_that_is_moved_to_another_thread_goes_on_there() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        let mut future = Box::pin(two_polls());
        assert!(poll(&mut future).is_pending());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                assert!(poll(&mut future).is_ready());
                assert_eq!(current().id(), None);
            });
        });
        segment.end();
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("second poll"), "two_polls");
    assert!(forest.entities.values().all(|found| !found.is("in_progress")));
}

#[test]
fn a_future_that_is_dropped_on_another_thread_is_cancelled() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        let mut future = Box::pin(two_polls());
        assert!(poll(&mut future).is_pending());
        std::thread::scope(|scope| _ = scope.spawn(move || drop(future)));
        segment.end();
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.one("two_polls").json["annotations"]["cancelled"], true);
}

#[test]
fn a_future_that_is_dropped_after_its_segment_is_sent() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let mut future = Box::pin(two_polls());
        {
            let _segment = begin_segment("s");
            assert!(poll(&mut future).is_pending());
        }
        drop(future);
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("two_polls"), "s");
    assert_eq!(forest.one("two_polls").json["annotations"]["cancelled"], true);
}

#[test]
fn a_future_that_is_never_polled_records_nothing() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        drop(two_polls());
        drop(async {}.in_subsegment("x"));
        drop(async {}.in_subsegment(String::from("x")));
        drop(async {}.in_segment("x"));
        drop(async {}.in_current_segment());
    });
    assert_eq!(delivered.complete(&recorder).names(), ["s"]);
}

#[test]
fn a_segment_whose_future_is_never_polled_is_closed() {
    let (recorder, delivered) = recorder();
    drop(recorder.segment("s").instrument(async {}));
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.one("s").json["annotations"]["cancelled"], true);
}

#[test]
fn a_future_that_is_forgotten_keeps_nothing_else_back() {
    let (recorder, delivered) =
        crate::support::recorder_with(|b| b.open_children_patience(std::time::Duration::ZERO));
    recorder.enter(|| {
        let _segment = begin_segment("s");
        let mut future = Box::pin(two_polls());
        assert!(poll(&mut future).is_pending());
        std::mem::forget(future);
        in_subsegment("after", || ());
    });
    let document = delivered.next();
    assert_eq!(document["subsegments"][0]["in_progress"], true);
    assert_eq!(document["subsegments"][1]["name"], "after");
}

#[tokio::test]
async fn siblings_of_every_combinator_have_one_parent() {
    let (recorder, delivered) = recorder();
    let job = recorder.enter(|| {
        async {
            let mut unordered: FuturesUnordered<_> = (0..50).map(|_| two_polls()).collect();
            while unordered.next().await.is_some() {
                in_subsegment("between", || ());
            }
            tokio::join!(two_polls(), two_polls(), async {
                let held = begin_subsegment("held");
                two_polls().await;
                held.end();
            });
            tokio::select! {
                () = two_polls() => {},
                () = two_polls() => {},
            }
            in_subsegment("last", || ());
        }
        .in_segment("s")
    });
    job.await;
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("two_polls").count(), 50 + 3 + 2);
    for found in forest.named("two_polls") {
        let parent = &forest.entities[found.parent.as_ref().unwrap()].name;
        assert!(parent == "s" || parent == "held", "{parent}");
    }
    assert!(forest.named("between").all(|found| forest.entities[found.parent.as_ref().unwrap()].name == "s"));
    assert_eq!(forest.parent_of("held"), "s");
    assert_eq!(forest.parent_of("last"), "s");
}

#[tokio::test]
#[expect(clippy::async_yields_async, reason = "the task is awaited once its segment is over")]
async fn a_task_that_outlives_its_segment_keeps_its_order() {
    let (recorder, delivered) = recorder();
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let job = recorder.enter(|| {
        async {
            spawn(async {
                let _ = gone.await;
                let a = begin_subsegment("a");
                tokio::task::yield_now().await;
                a.end();
                in_subsegment("b", || ());
                tokio::task::yield_now().await;
                in_subsegment("c", || ());
            })
        }
        .in_segment("s")
    });
    let task = job.await;
    recorder.flush(crate::support::SOON);
    go.send(()).unwrap();
    task.await.unwrap();
    let forest = delivered.complete(&recorder);
    for name in ["a", "b", "c"] {
        assert_eq!(forest.parent_of(name), "s", "{name}");
    }
}

#[tokio::test]
async fn an_aborted_task_is_cancelled() {
    let (recorder, delivered) = recorder();
    let job = recorder.enter(|| {
        async {
            let (started, has_started) = tokio::sync::oneshot::channel();
            let task = spawn(
                async {
                    let _held = begin_subsegment("held");
                    let _ = started.send(());
                    std::future::pending::<()>().await;
                }
                .in_subsegment("aborted"),
            );
            has_started.await.unwrap();
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        .in_segment("s")
    });
    job.await;
    let forest = delivered.complete(&recorder);
    let aborted = forest.one("aborted");
    assert_eq!(aborted.json["annotations"]["cancelled"], true);
    assert!(!aborted.is("fault"));
    assert_eq!(forest.parent_of("held"), "aborted");
}

#[test]
fn an_annotation_of_the_name_cancelled_is_there_once() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        let mut future = Box::pin(
            async {
                current().put_annotation("cancelled", "by the user");
                std::future::pending::<()>().await;
            }
            .in_subsegment("child"),
        );
        assert!(poll(&mut future).is_pending());
    });
    recorder.flush(crate::support::SOON);
    let text = delivered.0.try_iter().next().unwrap();
    assert_eq!(text.matches("\"cancelled\"").count(), 1, "{text}");
}
