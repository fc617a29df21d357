//! Many threads on one tree.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use xray_runtime::{
    FutureExt, begin_segment, begin_subsegment, current, in_subsegment, spawn, spawn_blocking, xray_capture,
};

use crate::support::{recorder, recorder_with};

#[xray_capture]
async fn work(n: u32) -> u32 {
    let step = begin_subsegment("step");
    step.put_annotation("n", n);
    tokio::task::yield_now().await;
    in_subsegment("inside", || ());
    step.end();
    tokio::task::yield_now().await;
    in_subsegment("after", || ());
    n
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_rounds_of_tasks_and_threads() {
    for threshold in [0, 3, 100] {
        let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(threshold));
        for _ in 0..67 {
            let round = recorder.enter(|| {
                async {
                    let mut tasks = tokio::task::JoinSet::new();
                    for n in 0..4 {
                        tasks.spawn(work(n).in_current_segment());
                    }
                    let (spawned, blocking) =
                        (spawn(work(4)), spawn_blocking(|| in_subsegment("blocking", || 5)));
                    work(6).await;
                    while let Some(done) = tasks.join_next().await {
                        done.unwrap();
                    }
                    spawned.await.unwrap();
                    blocking.await.unwrap();
                }
                .in_segment("s")
            });
            tokio::spawn(round).await.unwrap();
        }
        let forest = delivered.complete(&recorder);
        assert_eq!(forest.entities.len(), 67 * (1 + 6 * 4 + 1));
        for (name, parent) in
            [("work", "s"), ("step", "work"), ("inside", "step"), ("after", "work"), ("blocking", "s")]
        {
            for found in forest.named(name) {
                assert_eq!(forest.entities[found.parent.as_ref().unwrap()].name, parent, "of {name}");
            }
        }
    }
}

/// A task resumes with another chunk than the one in which its guard began.
#[test]
fn a_guard_that_ends_in_another_chunk_gives_way_to_its_parent() {
    let (recorder, delivered) = recorder();
    let _entered = recorder.entered();
    let segment = begin_segment("s");
    let (pause, paused) = (tokio::sync::Notify::new(), std::sync::Barrier::new(2));
    let first = async {
        let a = begin_subsegment("a");
        pause.notified().await;
        a.end();
        in_subsegment("b", || ());
    }
    .in_current_segment();
    let mut first = Box::pin(first);
    let second = async {
        in_subsegment("second", || {
            // The first goes on meanwhile, elsewhere.
            paused.wait();
            paused.wait();
        });
    }
    .in_current_segment();
    std::thread::scope(|scope| {
        // On a thread of its own, so that its chunk is parked when it waits.
        scope.spawn(|| assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()));
    });
    std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            let mut second = pin!(second);
            assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        });
        paused.wait();
        pause.notify_one();
        assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        paused.wait();
        second.join().unwrap();
    });
    drop(first);
    segment.end();
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("b"), "s");
}

/// A long-lived segment numbers its chunks past 65,536.
#[test]
fn ids_stay_unique_in_a_segment_that_lives_for_long() {
    let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(0));
    let mut seen = BTreeSet::new();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        let open = begin_subsegment("open for long");
        for n in 0..140_000 {
            let id = in_subsegment("child", || current().id().unwrap().as_str().to_owned());
            assert!(seen.insert(id), "the id of child {n} was there before");
            if n % 10_000 == 0 {
                recorder.flush(crate::support::SOON);
            }
        }
        open.put_annotation("late", 1);
        open.end();
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.one("open for long").json["annotations"]["late"], 1);
    assert_eq!(forest.named("child").count(), 140_000);
}

/// Each poll of a task takes a place in the tree, whether it records or not; places are numbered by 16 bits.
#[test]
fn ids_stay_unique_over_very_many_polls() {
    let (recorder, delivered) = recorder();
    let _entered = recorder.entered();
    let segment = begin_segment("s");
    let both = std::sync::Barrier::new(2);
    let holds = async {
        in_subsegment("held", || {
            both.wait();
            both.wait();
        });
    }
    .in_current_segment();
    let idle = std::future::poll_fn(|_| std::task::Poll::<()>::Pending).in_current_segment();
    let last = async { in_subsegment("last", || ()) }.in_current_segment();
    std::thread::scope(|scope| {
        // Holds the first place for as long as the others take theirs.
        scope.spawn(|| assert!(pin!(holds).poll(&mut Context::from_waker(Waker::noop())).is_ready()));
        scope.spawn(|| {
            let mut context = Context::from_waker(Waker::noop());
            let mut idle = pin!(idle);
            both.wait();
            // All numbers but that of the first.
            for _ in 0..65_533 {
                assert!(idle.as_mut().poll(&mut context).is_pending());
            }
            assert!(pin!(last).poll(&mut context).is_ready());
            both.wait();
        });
    });
    segment.end();
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.entities.len(), 3);
    assert_eq!(forest.parent_of("last"), "s");
    assert_eq!(forest.parent_of("held"), "s");
}
