//! Segments that were not sampled and are kept for how they end.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use xray_runtime::{
    Captured, FutureExt, LateKeep, LocalSampler, NoneSampler, Recorder, StatusFlags, TraceHeader,
    begin_segment, begin_subsegment, current, current_segment, in_segment, in_subsegment, xray_capture,
};

const NOT_SAMPLED: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";

fn keeping(keep: LateKeep) -> (Recorder, Captured) {
    Recorder::builder().sampler(NoneSampler).late_keep(keep.per_second(1_000)).in_memory().unwrap()
}

#[xray_capture(segment)]
fn job(fail: bool) -> Result<u32, std::fmt::Error> {
    in_subsegment("work", || if fail { Err(std::fmt::Error) } else { Ok(7) })
}

fn names(captured: &Captured) -> Vec<String> {
    captured.segments().iter().map(|segment| segment.name().to_owned()).collect()
}

#[test]
fn a_fault_is_kept_whole_and_the_rest_goes_nowhere() {
    let (recorder, captured) = keeping(LateKeep::new());
    recorder.enter(|| {
        job(false).unwrap();
        job(true).unwrap_err();
    });
    let kept = captured.segment("job");
    assert!(kept.is_fault());
    assert_eq!(kept.annotation("kept_late"), Some("fault".into()));
    assert_eq!(kept.exceptions().len(), 1);
    assert_eq!(kept.subsegment("work").name(), "work");
    assert!(kept.json().pointer("/aws/xray/sampling_rule_name").is_none());
    let stats = recorder.stats();
    assert_eq!((stats.segments, stats.segments_unsampled, stats.segments_kept_late), (2, 2, 1), "{stats:?}");
    assert_eq!((stats.recorded, stats.sent, stats.pending, stats.dropped()), (2, 2, 0, 0), "{stats:?}");
}

#[test]
fn called_services_and_the_caller_are_told_that_it_is_not_sampled() {
    let (recorder, captured) = keeping(LateKeep::new());
    recorder.enter(|| {
        let header = TraceHeader::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?");
        let segment = recorder.segment("s").trace_header(header).begin();
        let id = segment.id().unwrap();
        let out = segment.trace_header().unwrap().to_string();
        assert_eq!(out, format!("Root=1-5759e988-bd862e3fe1be46a994272793;Parent={id};Sampled=0"));
        let back = segment.response_header().unwrap();
        assert_eq!(back, "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0");
        segment.set_flags(StatusFlags { fault: true, ..StatusFlags::default() });
    });
    assert_eq!(captured.segment("s").trace_id(), "1-5759e988-bd862e3fe1be46a994272793");
}

#[test]
fn a_callers_no_is_obeyed_unless_told_otherwise() {
    for (despite, kept) in [(false, 0), (true, 1)] {
        let (recorder, captured) = keeping(LateKeep::new().despite_caller(despite));
        recorder.enter(|| {
            let segment = recorder.segment("s").trace_header(TraceHeader::parse(NOT_SAMPLED)).begin();
            assert_eq!(segment.is_recorded(), despite);
            segment.record_error(&std::fmt::Error);
        });
        assert_eq!(captured.segments().len(), kept);
        if despite {
            assert_eq!(captured.segment("s").parent_id(), "53995c3f42cd8ad8");
        }
    }
}

#[test]
fn what_is_sampled_is_as_ever() {
    let (recorder, captured) =
        Recorder::builder().late_keep(LateKeep::new().slower_than(Duration::ZERO)).in_memory().unwrap();
    recorder.enter(|| job(true).unwrap_err());
    assert_eq!(captured.segment("job").annotation("kept_late"), None);
    assert_eq!(recorder.stats().segments_kept_late, 0);
}

#[test]
fn slow_ones_errors_and_those_asked_for() {
    let slow = LateKeep::new().slower_than(Duration::ZERO);
    for (keep, reason) in [
        (slow.clone(), Some("slow")),
        (slow.slower_than(Duration::from_secs(3_600)), None),
        (LateKeep::new().errors(true), Some("error")),
        (LateKeep::new(), None),
    ] {
        let (recorder, captured) = keeping(keep);
        recorder.enter(|| {
            let segment = begin_segment("s");
            segment.set_flags(StatusFlags { error: true, ..StatusFlags::default() });
        });
        let found = captured.segments().first().and_then(|segment| segment.annotation("kept_late"));
        assert_eq!(found, reason.map(Into::into), "{:?}", captured.documents());
    }
    let (recorder, captured) = keeping(LateKeep::new().faults(false));
    recorder.enter(|| {
        in_segment("unasked", || current_segment().record_error(&std::fmt::Error));
        in_segment("asked", || in_subsegment("deep", || current().keep()));
    });
    assert_eq!(names(&captured), ["asked"]);
}

#[test]
fn a_fault_of_a_subsegment_is_not_the_segments() {
    let (recorder, captured) = keeping(LateKeep::new());
    recorder.enter(|| {
        let _segment = begin_segment("s");
        in_subsegment("tried in vain", || current().record_error(&std::fmt::Error));
    });
    assert!(captured.documents().is_empty());
}

#[test]
fn so_many_a_second_and_so_many_at_once() {
    let keep = LateKeep::new().per_second(3).open_at_once(4);
    let (recorder, captured) = Recorder::builder().sampler(NoneSampler).late_keep(keep).in_memory().unwrap();
    recorder.enter(|| {
        let open: Vec<_> = (0..6).map(|_| begin_segment("s")).collect();
        assert_eq!(open.iter().filter(|segment| segment.is_recorded()).count(), 4);
        // From the last, so that each is current when it ends.
        for segment in open.into_iter().rev() {
            segment.record_error(&std::fmt::Error);
            segment.end();
        }
        // They are free again.
        assert!(begin_segment("t").is_recorded());
    });
    let kept = captured.segments().len() as u64;
    let stats = recorder.stats();
    // Where the machine stood still, a second may have passed in between.
    assert!((3..=4).contains(&kept), "{stats:?}");
    assert_eq!((stats.segments_kept_late, stats.late_over_limit), (kept, 2 + 4 - kept), "{stats:?}");
}

#[test]
fn one_with_very_much_below_it_keeps_the_first() {
    let (recorder, captured) = keeping(LateKeep::new());
    recorder.enter(|| {
        let segment = begin_segment("s");
        for _ in 0..5_000 {
            let step = begin_subsegment("step");
            step.put_metadata("text", "x".repeat(100));
        }
        assert!(captured.documents().is_empty(), "nothing goes ahead");
        segment.record_error(&std::fmt::Error);
    });
    let stats = recorder.stats();
    let found = captured.documents();
    let text = serde_json::to_string(&found).unwrap();
    let steps = text.matches("\"name\":\"step\"").count() as u64;
    assert_eq!(steps + stats.late_unrecorded, 5_000, "{stats:?}");
    assert!((1_000..=1_100).contains(&steps), "{steps}");
    assert!(stats.late_facts > 0, "notes are bounded too: {stats:?}");
    let stats = recorder.stats();
    assert_eq!((stats.sent, stats.dropped(), stats.pending), (steps + 1, 0, 0), "{stats:?}");
    assert_eq!(captured.segment("s").annotation("kept_late"), Some("fault".into()));
    assert_eq!(stats.after_end, 0, "{stats:?}");
}

#[tokio::test]
async fn futures_on_several_threads_are_kept_together_or_let_go_together() {
    for fail in [false, true] {
        let (recorder, captured) = keeping(LateKeep::new());
        let entered = recorder.entered();
        let work = async move {
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    xray_runtime::spawn(async {
                        for _ in 0..200 {
                            tokio::task::yield_now().in_subsegment("step").await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            if fail {
                current_segment().record_error(&std::fmt::Error);
            }
        }
        .in_segment("s");
        drop(entered);
        work.await;
        recorder.flush_async().await;
        let stats = recorder.stats();
        let expected = if fail { 1 + 8 * 200 } else { 0 };
        assert_eq!((stats.sent + stats.late_unrecorded) * u64::from(fail), expected, "{stats:?}");
        assert_eq!((stats.dropped(), stats.pending), (0, 0), "{stats:?}");
        assert_eq!(captured.documents().is_empty(), !fail);
    }
}

#[test]
fn what_ends_after_its_segment_follows_its_fate() {
    for fail in [false, true] {
        let (recorder, captured) = keeping(LateKeep::new());
        recorder.enter(|| {
            let segment = begin_segment("s");
            let open = begin_subsegment("open");
            if fail {
                segment.record_error(&std::fmt::Error);
            }
            segment.end();
            assert!(captured.documents().is_empty(), "it waits for what is open");
            std::thread::spawn(move || {
                open.put_annotation("late", true);
                open.end();
            })
            .join()
            .unwrap();
        });
        assert_eq!(captured.segments().len(), usize::from(fail));
        if fail {
            assert_eq!(captured.segment("s").subsegment("open").annotation("late"), Some(true.into()));
        }
        let stats = recorder.stats();
        assert_eq!((stats.dropped(), stats.pending, stats.late_facts), (0, 0, 0), "{stats:?}");
    }
}

#[test]
fn a_flag_from_another_thread_counts() {
    let (recorder, captured) = keeping(LateKeep::new());
    recorder.enter(|| {
        let segment = begin_segment("s");
        let handle = current_segment();
        std::thread::spawn(move || handle.set_flags(StatusFlags { fault: true, ..StatusFlags::default() }))
            .join()
            .unwrap();
        segment.end();
    });
    assert!(captured.segment("s").is_fault());
}

#[test]
fn without_it_nothing_is_recorded() {
    let rules = r#"{"version": 2, "default": {"fixed_target": 0, "rate": 0}}"#;
    let sampler = LocalSampler::from_json(rules).unwrap();
    let (recorder, captured) = Recorder::builder().sampler(sampler).in_memory().unwrap();
    recorder.enter(|| {
        let segment = begin_segment("s");
        assert!(!segment.is_recorded());
        segment.keep();
        segment.record_error(&std::fmt::Error);
    });
    assert!(captured.documents().is_empty());
}
