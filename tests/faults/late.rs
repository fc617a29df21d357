//! Segments that end while children are open.

use std::time::{Duration, Instant};

use xray_runtime::{begin_segment, begin_subsegment, current};

use crate::support::{Forest, recorder_with};

#[test]
fn a_segment_does_not_wait_for_ever() {
    let (recorder, delivered) = recorder_with(|b| b.open_children_patience(Duration::from_millis(20)));
    let begun = Instant::now();
    let child = recorder.enter(|| {
        let segment = begin_segment("s");
        let child = begin_subsegment("child");
        segment.end();
        child
    });
    let first = delivered.next();
    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert!(first.get("end_time").is_some(), "the segment itself has ended");
    assert_eq!(first["subsegments"][0]["in_progress"], true);
    // What was handed to the exporter is counted once it is done with it.
    recorder.flush(crate::support::SOON);
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.sent, stats.pending), (2, 1, 1), "{stats:?}");
    child.put_annotation("n", 1);
    child.end();
    let second = delivered.next();
    assert_eq!(second["id"], first["subsegments"][0]["id"]);
    assert_eq!(second["parent_id"], first["id"]);
    assert_eq!(second["type"], "subsegment");
    assert!(second.get("end_time").is_some());
    recorder.flush(crate::support::SOON);
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.sent, stats.pending), (2, 2, 0), "counted once, {stats:?}");
}

#[test]
fn a_child_that_ends_is_not_kept_back_by_one_that_never_does() {
    let (recorder, delivered) = recorder_with(|b| b.open_children_patience(Duration::from_millis(1)));
    let (ends, never) = recorder.enter(|| {
        let segment = begin_segment("s");
        let (ends, never) = (begin_subsegment("ends"), begin_subsegment("never"));
        segment.end();
        (ends, never)
    });
    delivered.next();
    ends.end();
    let late = delivered.next();
    assert_eq!((&late["name"], late.get("in_progress")), (&"ends".into(), None));
    std::mem::forget(never);
    recorder.flush(crate::support::SOON);
    let stats = recorder.stats();
    assert_eq!((stats.sent, stats.pending), (2, 1), "{stats:?}");
}

#[test]
fn a_child_that_ends_in_time_is_part_of_the_segment() {
    let (recorder, delivered) = recorder_with(|b| b.open_children_patience(Duration::from_secs(600)));
    let child = recorder.enter(|| {
        let segment = begin_segment("s");
        let child = begin_subsegment("child");
        segment.end();
        child
    });
    recorder.flush(crate::support::SOON);
    assert!(delivered.0.try_recv().is_err());
    child.end();
    assert_eq!(delivered.next()["subsegments"][0]["name"], "child");
}

#[test]
fn thousands_that_never_settle_are_sent_oldest_first() {
    let (recorder, delivered) = recorder_with(|b| b.open_children_patience(Duration::from_secs(600)));
    recorder.enter(|| {
        for n in 0..5_000 {
            let segment = begin_segment("s");
            segment.put_annotation("n", n);
            std::mem::forget(begin_subsegment("never"));
            segment.end();
            assert_eq!(current().id(), None);
        }
    });
    let forest = Forest::of(&delivered.flushed(&recorder));
    let mut sent: Vec<u64> =
        forest.named("s").map(|segment| segment.json["annotations"]["n"].as_u64().unwrap()).collect();
    sent.sort_unstable();
    assert_eq!(sent, (0..5_000 - 4_096).collect::<Vec<u64>>());
}
