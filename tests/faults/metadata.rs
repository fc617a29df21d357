use std::time::{Duration, Instant};

use serde::ser::{Error, Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};
use xray_runtime::{begin_segment, current, in_subsegment};

use crate::support::{Forest, recorder};

struct Fails;

impl Serialize for Fails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("begun", &1)?;
        Err(S::Error::custom("no"))
    }
}

struct Panics;

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("a serializer of the user's")
    }
}

/// Records while it is serialized.
struct Records;

impl Serialize for Records {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        in_subsegment("while serializing", || current().put_annotation("n", 1));
        serializer.serialize_u8(7)
    }
}

/// Never ends.
struct Endless;

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(std::iter::repeat(0_u8))
    }
}

#[test]
fn a_serializer_that_fails_panics_or_never_ends_costs_its_entry_only() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        segment.put_metadata("fails", Fails);
        segment.put_metadata("panics", Panics);
        segment.put_metadata("endless", Endless);
        segment.put_metadata("nan", f64::NAN);
        segment.put_metadata("records", Records);
        segment.put_metadata_in("AWS.xray", "key", 1);
        segment.put_metadata("", "an empty key is none of our business");
    });
    let forest = delivered.complete(&recorder);
    let json = &forest.one("s").json;
    assert_eq!(
        json["metadata"],
        json!({"default": {"nan": null, "records": 7, "": "an empty key is none of our business"}})
    );
    assert_eq!(json.get("fault"), None);
    assert_eq!(forest.parent_of("while serializing"), "s");
    assert_eq!(recorder.stats().refused, 4);
}

#[test]
fn one_entry_of_200_kb_is_trimmed_and_named() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        segment.put_metadata("large", "x".repeat(200_000));
        segment.put_metadata("small", "stays");
    });
    let forest = delivered.complete(&recorder);
    let metadata = &forest.one("s").json["metadata"];
    assert_eq!(metadata["default"], json!({"small": "stays"}));
    assert_eq!(metadata["xray_runtime"]["truncated"], json!(["metadata.default.large"]));
    assert!(recorder.stats().truncated >= 1);
}

#[test]
fn a_hundred_entries_of_10_kb_are_trimmed() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        in_subsegment("child", || {
            for n in 0..100 {
                current().put_metadata(format!("entry_{n}"), "x".repeat(10_000));
            }
        });
        for n in 0..100 {
            segment.put_metadata(format!("entry_{n}"), "x".repeat(10_000));
        }
    });
    let forest = delivered.complete(&recorder);
    for name in ["s", "child"] {
        let metadata = &forest.one(name).json["metadata"];
        let kept = metadata["default"].as_object().unwrap().len();
        assert!((4..=6).contains(&kept), "{kept}");
        assert!(!metadata["xray_runtime"]["truncated"].as_array().unwrap().is_empty());
    }
    assert_eq!(forest.parent_of("child"), "s");
}

#[test]
fn entries_of_many_children_are_split_over_documents() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        for n in 0..100 {
            in_subsegment("child", || current().put_metadata("value", format!("{n:05}").repeat(2_000)));
        }
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("child").count(), 100);
    for child in forest.named("child") {
        assert_eq!(child.json["metadata"]["default"]["value"].as_str().unwrap().len(), 10_000);
    }
}

/// The exporter's work must stay in proportion.
#[test]
fn a_hundred_thousand_entries_are_trimmed_in_time() {
    let (recorder, delivered) = recorder();
    let begun = Instant::now();
    recorder.enter(|| {
        let segment = begin_segment("s");
        for n in 0..100_000 {
            segment.put_metadata(format!("entry_{n}"), n);
        }
    });
    let documents = delivered.flushed(&recorder);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let forest = Forest::of(&documents);
    let truncated = &forest.one("s").json["metadata"]["xray_runtime"]["truncated"];
    assert!(truncated.as_array().unwrap().last().unwrap().as_str().unwrap().ends_with("more"), "{truncated}");
}

/// Levels of the user's values count too: a reader takes 128 of them.
#[test]
fn deep_values_at_depth_can_be_read() {
    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!([inner]))
    }
    fn down(levels: usize) {
        if levels > 0 {
            in_subsegment("level", || {
                current().put_metadata("deep", nested(20));
                down(levels - 1);
            });
        }
    }
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        down(80);
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("level").count(), 80);
    assert!(forest.named("level").all(|level| level.json["metadata"]["default"]["deep"] == nested(20)));
}

/// What no reader takes is refused where it is put.
#[test]
fn a_value_too_deep_for_any_reader_is_refused() {
    struct Deep(usize);
    impl Serialize for Deep {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0 == 0 { serializer.serialize_u8(1) } else { serializer.collect_seq([Deep(self.0 - 1)]) }
        }
    }
    let (recorder, delivered) = recorder();
    recorder.enter(|| begin_segment("s").put_metadata("deep", Deep(500)));
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.one("s").json.get("metadata"), None);
    assert_eq!(recorder.stats().refused, 1);
}
