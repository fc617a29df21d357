//! Guards that end in another order, at another place or never. To end one twice is no program: `end` takes the guard
//! (`let g = begin_subsegment("x"); g.end(); g.end();` is "use of moved value").

use xray_runtime::{begin_segment, begin_subsegment, current, in_subsegment, xray_capture};

use crate::support::{recorder, recorder_with};

#[xray_capture]
fn leaf() {}

#[test]
fn a_parent_that_ends_before_its_child() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        let parent = begin_subsegment("parent");
        let child = begin_subsegment("child");
        parent.end();
        leaf();
        child.end();
        in_subsegment("after", || ());
        segment.end();
        assert_eq!(current().id(), None);
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("child"), "parent");
    assert_eq!(forest.parent_of("leaf"), "s");
    assert_eq!(forest.parent_of("after"), "s");
}

#[test]
fn siblings_that_end_crossed() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        let (a, b, c) = (begin_subsegment("a"), begin_subsegment("b"), begin_subsegment("c"));
        b.end();
        in_subsegment("d", || ());
        a.end();
        in_subsegment("e", || ());
        c.end();
        in_subsegment("f", || ());
    });
    let forest = delivered.complete(&recorder);
    let parents: Vec<_> = ["b", "c", "d", "e", "f"].iter().map(|name| forest.parent_of(name)).collect();
    assert_eq!(parents, ["a", "b", "a", "s", "s"]);
}

#[test]
fn a_subsegment_that_ends_on_another_thread() {
    for threshold in [0, 100] {
        let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(threshold));
        recorder.enter(|| {
            let segment = begin_segment("s");
            let moved = begin_subsegment("moved");
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    moved.put_annotation("where", "there");
                    moved.set_flags(xray_runtime::StatusFlags::from_http(500));
                    moved.end();
                    assert_eq!(current().id(), None);
                });
            });
            segment.end();
        });
        let forest = delivered.complete(&recorder);
        let moved = forest.one("moved");
        assert_eq!(moved.json["annotations"]["where"], "there");
        assert!(moved.is("fault") && !moved.is("in_progress"), "{}", moved.json);
    }
}

/// No thread looks at another on the recording path, so that this is what the documentation of `Subsegment` says.
#[test]
fn what_ended_on_another_thread_stays_the_parent_where_it_began() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        in_subsegment("around", || {
            let moved = begin_subsegment("moved");
            std::thread::scope(|scope| _ = scope.spawn(move || moved.end()));
            in_subsegment("after", || ());
        });
        in_subsegment("further out", || ());
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("after"), "moved");
    assert_eq!(forest.parent_of("further out"), "s");
}

#[test]
fn a_segment_of_which_another_thread_speaks() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        let handle = current();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                handle.put_annotation("n", 1);
                handle.put_metadata("n", 2);
                handle.set_user("u");
                handle.record_exception("type", "message", xray_runtime::ErrorClass::Throttle);
            });
        });
        segment.put_annotation("here", true);
    });
    let forest = delivered.complete(&recorder);
    let found = forest.one("s");
    assert_eq!(found.json["annotations"], serde_json::json!({"n": 1, "here": true}));
    assert_eq!(found.json["metadata"]["default"]["n"], 2);
    assert_eq!(found.json["user"], "u");
    assert_eq!(found.json["cause"]["exceptions"][0]["message"], "message");
    assert!(found.is("error") && found.is("throttle"), "{}", found.json);
}

/// Said from outside again and again, of a segment that no thread has now.
#[tokio::test]
async fn a_suspended_segment_of_which_another_thread_speaks_a_lot() {
    use xray_runtime::FutureExt;
    let (recorder, delivered) = recorder();
    let job = recorder.enter(|| {
        async {
            let (segment, child) = (current(), begin_subsegment("child"));
            tokio::task::spawn_blocking(move || {
                for n in 0..20_000 {
                    segment.put_annotation("n", n);
                    child.put_metadata("n", "x".repeat(1_000));
                }
            })
            .await
            .unwrap();
        }
        .in_segment("s")
    });
    job.await;
    let forest = delivered.complete(&recorder);
    // More than 4 MiB of it was said: the first of it stays, or the last, but all is counted.
    let said = forest.one("s").json["annotations"]["n"].as_u64().unwrap();
    assert!(said == 19_999 || recorder.stats().late_facts > 0, "{said}");
}

#[test]
fn a_subsegment_that_ends_after_its_segment() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        let child = begin_subsegment("child");
        segment.end();
        assert_eq!(current().id(), None);
        leaf();
        child.put_annotation("late", 1);
        child.end();
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("child"), "s");
    assert_eq!(forest.one("child").json["annotations"]["late"], 1);
    assert_eq!(forest.entities.len(), 2, "what has no segment is not recorded");
}

#[test]
fn a_subsegment_that_is_forgotten() {
    let (recorder, delivered) = recorder_with(|b| b.open_children_patience(std::time::Duration::ZERO));
    recorder.enter(|| {
        let segment = begin_segment("s");
        in_subsegment("around", || std::mem::forget(begin_subsegment("forgotten")));
        in_subsegment("after", || ());
        segment.end();
        assert_eq!(current().id(), None);
        begin_segment("next").end();
    });
    let (first, second) = (delivered.next(), delivered.next());
    let forest = crate::support::Forest::of(&[first, second]);
    forest.check();
    assert_eq!(forest.parent_of("forgotten"), "around");
    assert_eq!(forest.parent_of("after"), "s");
    assert!(forest.one("forgotten").is("in_progress") && !forest.one("s").is("in_progress"));
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.sent, stats.pending), (5, 4, 1), "{stats:?}");
}

/// A forgotten segment is one that never ends: it stays current on its thread, and is counted in nothing.
#[test]
fn a_segment_that_is_forgotten() {
    let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(10));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            recorder.enter(|| {
                std::mem::forget(begin_segment("forgotten"));
                (0..10_000).for_each(|_| leaf());
                let segment = begin_segment("another");
                leaf();
                segment.end();
            });
        });
    });
    let forest = crate::support::Forest::of(&delivered.flushed(&recorder));
    assert_eq!(forest.named("another").count(), 1);
    assert!(forest.named("leaf").count() > 9_900);
    let stats = recorder.stats();
    assert_eq!(stats.sent + stats.pending, stats.recorded, "{stats:?}");
    // A new thread starts with nothing.
    std::thread::scope(|scope| _ = scope.spawn(|| assert_eq!(current().id(), None)));
}

#[test]
fn a_segment_in_a_segment_is_a_trace_of_its_own() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let outer = begin_segment("outer");
        let around = begin_subsegment("around");
        let inner = begin_segment("inner");
        leaf();
        inner.end();
        in_subsegment("back", || ());
        around.end();
        outer.end();
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("leaf"), "inner");
    assert_eq!(forest.parent_of("back"), "around");
    assert_ne!(forest.one("outer").json["trace_id"], forest.one("inner").json["trace_id"]);
}

#[test]
fn nested_segments_that_end_out_of_order() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let (a, b, c) = (begin_segment("a"), begin_segment("b"), begin_segment("c"));
        a.end();
        in_subsegment("of c", || ());
        b.put_annotation("said", "below the top");
        b.end();
        in_subsegment("of c too", || ());
        c.end();
        assert_eq!(current().id(), None);
        assert_eq!(current().trace_id(), None);
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.entities.len(), 5);
    assert_eq!(forest.parent_of("of c"), "c");
    assert_eq!(forest.parent_of("of c too"), "c");
    assert_eq!(forest.one("b").json["annotations"]["said"], "below the top");
    assert!(forest.entities.values().all(|found| !found.is("in_progress")));
}

#[test]
fn subsegments_of_a_segment_below_another() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let a = begin_segment("a");
        let of_a = begin_subsegment("of a");
        let b = begin_segment("b");
        of_a.put_annotation("n", 1);
        of_a.end();
        in_subsegment("of b", || ());
        b.end();
        in_subsegment("of a too", || ());
        a.end();
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.one("of a").json["annotations"]["n"], 1);
    assert_eq!(forest.parent_of("of b"), "b");
    assert_eq!(forest.parent_of("of a too"), "a");
}

#[test]
fn unsampled_segments_nested_and_out_of_order() {
    let (recorder, delivered) = recorder();
    let unsampled = recorder_with(|builder| builder.sampler(xray_runtime::NoneSampler)).0;
    let sampled = recorder.begin_segment("sampled");
    let first = unsampled.begin_segment("first");
    let second = unsampled.begin_segment("second");
    in_subsegment("not recorded", || assert!(!current().is_recorded()));
    first.end();
    assert!(current().trace_id().is_some() && !current().is_recorded());
    sampled.end();
    leaf();
    second.end();
    assert_eq!(current().trace_id(), None);
    assert_eq!(delivered.complete(&recorder).names(), ["sampled"]);
    assert_eq!(unsampled.stats().segments_unsampled, 2);
    assert_eq!(unsampled.stats().recorded, 0);
}
