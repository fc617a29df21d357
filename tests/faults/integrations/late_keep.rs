use std::time::{Duration, Instant};

use xray_runtime::{
    FutureExt, LateKeep, NoneSampler, begin_segment, begin_subsegment, current_segment, in_segment,
    in_subsegment,
};

use crate::support::{SOON, recorder_with};

#[test]
fn a_storm_of_failures_is_kept_in_part_and_the_rest_is_counted() {
    const STORM: u64 = 20_000;
    let keep = LateKeep::new().per_second(5);
    let (recorder, documents) = recorder_with(|builder| builder.sampler(NoneSampler).late_keep(keep));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                recorder.enter(|| {
                    for _ in 0..STORM / 4 {
                        in_segment("s", || {
                            in_subsegment("step", || ());
                            current_segment().record_error(&std::fmt::Error);
                        });
                    }
                })
            });
        }
    });
    let seconds = begun.elapsed().as_secs() + 1;
    let forest = documents.complete(&recorder);
    let stats = recorder.stats();
    assert_eq!(forest.entities.len() as u64, 2 * stats.segments_kept_late, "{stats:?}");
    assert!(stats.segments_kept_late >= 5 && stats.segments_kept_late <= 5 * seconds, "{stats:?}");
    assert_eq!(stats.segments_kept_late + stats.late_over_limit, STORM, "{stats:?}");
    assert_eq!((stats.segments, stats.segments_unsampled), (STORM, STORM));
    assert_eq!(stats.recorded, 2 * stats.segments_kept_late, "what went nowhere was not recorded: {stats:?}");
}

#[test]
fn places_are_given_back_whatever_way_a_segment_ends() {
    let keep = LateKeep::new().open_at_once(1).per_second(1_000_000);
    let (recorder, documents) = recorder_with(|builder| {
        builder.sampler(NoneSampler).late_keep(keep).open_children_patience(Duration::ZERO)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    recorder.enter(|| {
        for round in 0..50 {
            let segment = begin_segment("well");
            assert!(segment.is_recorded(), "round {round}");
            segment.end();
            // A future that is dropped before it was polled, and one that is dropped between two polls.
            drop(std::future::pending::<()>().in_segment("never polled"));
            runtime.block_on(async {
                let cancelled = async {
                    assert!(current_segment().is_recorded());
                    std::future::pending::<()>().await;
                }
                .in_segment("cancelled");
                tokio::select! {
                    biased;
                    () = cancelled => {}
                    () = tokio::task::yield_now() => {}
                }
            });
            let unwound = std::panic::catch_unwind(|| {
                let _segment = begin_segment("unwound");
                panic!("of the program");
            });
            assert!(unwound.is_err());
            // Ends before what is open below it.
            let segment = begin_segment("first");
            let open = begin_subsegment("after it");
            segment.end();
            open.end();
        }
        assert!(begin_segment("last").is_recorded());
    });
    let kept = documents.complete(&recorder);
    let stats = recorder.stats();
    assert_eq!(stats.segments_kept_late, 50, "the panics are faults: {stats:?}");
    assert_eq!(kept.entities.len(), 50);
    assert_eq!(stats.late_over_limit, 0, "{stats:?}");
}

#[test]
fn threads_that_go_on_after_the_decision_leave_nothing_behind() {
    for fail in [false, true] {
        let keep = LateKeep::new().per_second(1_000_000);
        let (recorder, documents) =
            recorder_with(|builder| builder.sampler(NoneSampler).late_keep(keep).streaming_threshold(10));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            for _ in 0..20 {
                let entered = recorder.entered();
                let segment = async {
                    let tasks: Vec<_> = (0..4)
                        .map(|_| {
                            xray_runtime::spawn(async {
                                for _ in 0..50 {
                                    in_subsegment("step", || ());
                                    tokio::task::yield_now().in_subsegment("wait").await;
                                }
                            })
                        })
                        .collect();
                    if fail {
                        current_segment().record_error(&std::fmt::Error);
                    }
                    tasks
                }
                .in_segment("s");
                drop(entered);
                for task in segment.await {
                    task.await.unwrap();
                }
            }
        });
        recorder.flush(SOON);
        let stats = recorder.stats();
        assert_eq!(stats.segments_kept_late, if fail { 20 } else { 0 }, "{stats:?}");
        if fail {
            let forest = documents.complete(&recorder);
            assert_eq!(forest.entities.len(), 20 * (1 + 4 * 100), "{stats:?}");
        } else {
            assert_eq!((stats.recorded, stats.pending), (0, 0), "{stats:?}");
            assert!(documents.flushed(&recorder).is_empty());
        }
    }
}
