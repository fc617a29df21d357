use anyhow::Context;
use xray_runtime::{Recorder, begin_segment, begin_subsegment, in_subsegment, xray_capture};

use crate::support::{Forest, Found, recorder, recorder_with};

#[derive(Debug)]
struct Refused(u32);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "refused {}", self.0)
    }
}

impl std::error::Error for Refused {}

#[xray_capture]
fn inner(n: u32) -> Result<(), Refused> {
    Err(Refused(n))
}

#[xray_capture]
fn middle(n: u32) -> Result<(), Refused> {
    inner(n)
}

#[xray_capture]
fn outer(n: u32) -> Result<(), Refused> {
    middle(n)
}

fn exception(found: &Found) -> &serde_json::Value {
    &found.json["cause"]["exceptions"][0]
}

fn recorded(recorder: &Recorder, delivered: &crate::support::Delivered, f: impl FnOnce()) -> Forest {
    recorder.enter(|| xray_runtime::in_segment("s", f));
    delivered.complete(recorder)
}

#[test]
fn an_error_that_crosses_functions_is_one_exception_with_their_frames() {
    let (recorder, delivered) = recorder();
    let forest = recorded(&recorder, &delivered, || assert!(outer(1).is_err()));
    let id = &exception(forest.one("inner"))["id"];
    assert_eq!(&forest.one("middle").json["cause"], id);
    assert_eq!(&forest.one("outer").json["cause"], id);
    assert_eq!(exception(forest.one("inner"))["stack"].as_array().unwrap().len(), 3);
    assert_eq!(recorder.stats().after_end, 0);
}

#[test]
fn a_retry_is_another_error() {
    let (recorder, delivered) = recorder();
    let forest = recorded(&recorder, &delivered, || {
        for _ in 0..2 {
            assert!(inner(1).is_err());
        }
        assert!(inner(2).is_err());
    });
    let ids: std::collections::BTreeSet<_> =
        forest.named("inner").map(|found| exception(found)["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_handled_error_marks_the_child_only() {
    let (recorder, delivered) = recorder();
    let forest = recorded(&recorder, &delivered, || {
        #[xray_capture]
        fn handles() -> Result<u32, Refused> {
            Ok(inner(1).map_or(7, |()| 0))
        }
        assert!(matches!(handles(), Ok(7)));
    });
    assert!(forest.one("inner").is("fault"));
    assert!(!forest.one("handles").is("fault") && !forest.one("s").is("fault"));
}

#[test]
fn an_error_wrapped_on_its_way_is_the_same() {
    #[xray_capture]
    fn wraps() -> anyhow::Result<()> {
        inner(1).context("while asking")
    }
    #[xray_capture]
    fn wraps_again() -> anyhow::Result<()> {
        wraps().context("once more")
    }
    let (recorder, delivered) = recorder();
    let forest = recorded(&recorder, &delivered, || assert!(wraps_again().is_err()));
    let id = &exception(forest.one("inner"))["id"];
    assert_eq!(&forest.one("wraps").json["cause"], id);
    assert_eq!(&forest.one("wraps_again").json["cause"], id);
}

#[test]
fn an_error_that_crosses_streamed_parts_is_referred_to() {
    for threshold in [0, 1] {
        let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(threshold));
        let forest = recorded(&recorder, &delivered, || {
            let around = begin_subsegment("around");
            assert!(outer(1).is_err());
            around.end();
        });
        let holders = ["inner", "middle", "outer"]
            .into_iter()
            .filter(|name| forest.one(name).json["cause"].is_object())
            .collect::<Vec<_>>();
        assert_eq!(holders, ["inner"], "threshold {threshold}");
        let id = &exception(forest.one("inner"))["id"];
        assert_eq!(&forest.one("outer").json["cause"], id);
    }
}

#[test]
fn an_error_of_one_segment_is_none_of_another() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        for _ in 0..2 {
            let _segment = begin_segment("s");
            assert!(inner(1).is_err());
        }
    });
    let forest = delivered.complete(&recorder);
    assert!(forest.named("inner").all(|found| found.json["cause"].is_object()));
}

struct PanicsInDisplay;

impl std::fmt::Display for PanicsInDisplay {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("a Display of the user's")
    }
}

impl std::fmt::Debug for PanicsInDisplay {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Err(std::fmt::Error)
    }
}

impl std::error::Error for PanicsInDisplay {}

#[test]
fn an_error_whose_text_panics_is_a_fault_all_the_same() {
    #[xray_capture]
    fn fails() -> Result<(), PanicsInDisplay> {
        Err(PanicsInDisplay)
    }
    let (recorder, delivered) = recorder();
    let forest = recorded(&recorder, &delivered, || {
        assert!(fails().is_err());
        // Said by hand, where nobody expects a panic either.
        in_subsegment("by hand", || xray_runtime::current().record_error(&PanicsInDisplay));
    });
    assert!(forest.one("fails").is("fault"));
    assert!(forest.one("by hand").is("fault"));
}

#[test]
fn thousands_of_errors_on_one_entity_keep_one_cause() {
    let (recorder, delivered) = recorder();
    let forest = recorded(&recorder, &delivered, || {
        for n in 0..20_000 {
            xray_runtime::current().record_error(&Refused(n));
        }
    });
    assert_eq!(exception(forest.one("s"))["message"], "refused 19999");
    assert_eq!(recorder.stats().late_facts, 0);
}

/// A chain that refers to itself.
#[derive(Debug)]
struct Circular;

impl std::fmt::Display for Circular {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("circular")
    }
}

impl std::error::Error for Circular {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&Circular)
    }
}

#[test]
fn a_chain_without_an_end_is_cut() {
    let (recorder, delivered) = recorder();
    let forest = recorded(&recorder, &delivered, || xray_runtime::current().record_error(&Circular));
    let exceptions = forest.one("s").json["cause"]["exceptions"].as_array().unwrap();
    assert_eq!(exceptions.len(), 10);
}
