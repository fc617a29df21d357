use std::time::{Duration, Instant};

use serde_json::json;
use xray_runtime::{AnnotationKeyPolicy, begin_segment, current, current_segment, in_subsegment};

use crate::support::{recorder, recorder_with};

#[test]
fn bad_keys_are_fixed_or_dropped_and_counted() {
    for (policy, kept) in
        [(AnnotationKeyPolicy::Fix, json!({"a_b": 1, "___": 2})), (AnnotationKeyPolicy::Drop, json!(null))]
    {
        let (recorder, delivered) = recorder_with(|builder| builder.annotation_keys(policy));
        recorder.enter(|| {
            let segment = begin_segment("s");
            segment.put_annotation("a b", 1);
            segment.put_annotation("é\"\0", 2);
            segment.put_annotation("", 3);
        });
        let forest = delivered.complete(&recorder);
        assert_eq!(forest.one("s").json["annotations"], kept);
        assert_eq!(recorder.stats().refused, if policy == AnnotationKeyPolicy::Fix { 1 } else { 3 });
    }
}

#[test]
fn numbers_that_are_none_are_refused_and_counted() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        for (key, value) in [("a", f64::NAN), ("b", f64::INFINITY), ("c", f64::NEG_INFINITY)] {
            segment.put_annotation(key, value);
        }
        segment.put_annotation("d", f64::MAX);
        segment.put_annotation("e", None::<i32>);
        segment.put_annotation("f", u64::MAX);
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.one("s").json["annotations"], json!({"d": f64::MAX, "f": u64::MAX}));
    assert_eq!(recorder.stats().refused, 3);
}

#[test]
fn a_long_text_is_cut_and_counted() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| begin_segment("s").put_annotation("text", "é".repeat(1_500)));
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.one("s").json["annotations"]["text"], "é".repeat(1_000));
    assert_eq!(recorder.stats().truncated, 1);
}

#[test]
fn more_than_fifty_in_a_tree_become_metadata() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        for n in 0..30 {
            segment.put_annotation(format!("segment_{n}"), n);
        }
        in_subsegment("child", || {
            for n in 0..30 {
                current().put_annotation(format!("child_{n}"), n);
            }
        });
    });
    let forest = delivered.complete(&recorder);
    let (segment, child) = (&forest.one("s").json, &forest.one("child").json);
    let indexed =
        segment["annotations"].as_object().unwrap().len() + child["annotations"].as_object().unwrap().len();
    assert_eq!(indexed, 50);
    assert_eq!(child["metadata"]["annotations_overflow"].as_object().unwrap().len(), 10);
}

#[test]
fn the_fifty_are_counted_over_streamed_parts() {
    let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(0));
    recorder.enter(|| {
        let _segment = begin_segment("s");
        for n in 0..60 {
            in_subsegment("child", || current().put_annotation("n", n));
        }
    });
    let forest = delivered.complete(&recorder);
    let indexed = forest.named("child").filter(|child| child.json.get("annotations").is_some()).count();
    let moved = forest
        .named("child")
        .filter(|child| child.json.pointer("/metadata/annotations_overflow/n").is_some())
        .count();
    assert_eq!((indexed, moved), (50, 10));
}

#[test]
fn a_million_updates_of_one_key_keep_one() {
    let (recorder, delivered) = recorder();
    let begun = Instant::now();
    recorder.enter(|| {
        let segment = begin_segment("s");
        for n in 0..1_000_000 {
            segment.put_annotation("n", n);
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.one("s").json["annotations"], json!({"n": 999_999}));
    assert_eq!(recorder.stats().late_facts, 0);
}

/// The notes leave the thread with each part: the exporter's thread must not gather them either.
#[test]
fn updates_of_a_segment_that_streams_keep_one() {
    let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(0));
    let before = resident_bytes();
    recorder.enter(|| {
        let segment = begin_segment("s");
        for n in 0..2_000 {
            for m in 0..50 {
                segment.put_annotation("n", n * 50 + m);
                segment.put_annotation("text", "x".repeat(500));
            }
            in_subsegment("child", || ());
            if n % 100 == 0 {
                recorder.flush(crate::support::SOON);
            }
        }
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.one("s").json["annotations"]["n"], 99_999);
    // All of them would be more than 70 MB. Other tests of this process take memory too, so that this is a coarse look.
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 1 << 30, "{grown}");
    assert_eq!(recorder.stats().late_facts, 0);
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[test]
fn the_last_of_large_values_wins() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        // 20 MB in all, past any limit of notes.
        for n in 0..2_000 {
            segment.put_metadata("value", format!("{n} {}", "x".repeat(10_000)));
            segment.put_annotation("n", n);
        }
    });
    let forest = delivered.complete(&recorder);
    let json = &forest.one("s").json;
    assert!(json["metadata"]["default"]["value"].as_str().unwrap().starts_with("1999 "));
    assert_eq!(json["annotations"]["n"], 1_999);
    assert_eq!(recorder.stats().late_facts, 0);
}

/// A flag and an error are small and matter most: they are kept where the room for notes is used up.
#[test]
fn a_fault_is_kept_where_metadata_has_used_the_room() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        for n in 0..100 {
            segment.put_metadata(format!("{n}"), "x".repeat(200_000));
        }
        in_subsegment(String::from("named at run time"), || ());
        segment.set_flags(xray_runtime::StatusFlags::from_http(500));
    });
    let stats = recorder.stats();
    let forest = delivered.complete(&recorder);
    assert!(stats.late_facts >= 70, "{stats:?}");
    assert!(forest.one("s").is("fault"));
    assert_eq!(forest.parent_of("named at run time"), "s");
}

#[test]
fn what_is_said_after_the_end_is_counted_and_has_no_effect() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        let kept = in_subsegment("child", current);
        kept.put_annotation("late", true);
        kept.put_metadata("late", true);
        let kept_segment = current_segment();
        segment.end();
        kept_segment.put_annotation("late", true);
        kept.put_annotation("late", true);
    });
    let forest = delivered.complete(&recorder);
    assert!(forest.entities.values().all(|found| !found.json.to_string().contains("late")));
    let stats = recorder.stats();
    assert_eq!(stats.after_end + stats.late_facts, 4, "{stats:?}");
}

#[test]
fn keys_that_we_use_ourselves_make_no_key_twice() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        for n in 0..60 {
            segment.put_annotation(format!("k{n}"), n);
        }
        segment.put_metadata_in("annotations_overflow", "mine", 1);
    });
    recorder.flush(crate::support::SOON);
    let text = delivered.0.try_iter().next().unwrap();
    assert_eq!(text.matches("\"annotations_overflow\"").count(), 1, "{text}");
    assert!(text.contains("\"mine\":1") && text.contains("\"k59\":59"), "{text}");
}
