use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use xray_runtime::{
    FutureExt, begin_segment, begin_subsegment, current, in_subsegment, spawn, spawn_blocking, xray_capture,
};

use crate::support::recorder;

fn caught(f: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
}

#[xray_capture]
fn leaf() {}

#[xray_capture]
fn panics() {
    panic!("out of cheese");
}

#[xray_capture]
async fn panics_later(polls: usize) {
    for _ in 0..polls {
        tokio::task::yield_now().await;
    }
    panic!("out of cheese");
}

#[test]
fn a_panic_marks_what_it_crosses_and_nothing_more() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        leaf();
        caught(|| {
            let _guard = begin_subsegment("guard");
            panics();
        });
        assert_eq!(current().trace_id(), _segment.trace_id());
        in_subsegment("after", || ());
    });
    let forest = delivered.complete(&recorder);
    assert!(forest.one("panics").is("fault") && forest.one("guard").is("fault"));
    for name in ["s", "leaf", "after"] {
        assert!(!forest.one(name).is("fault"), "{name}");
    }
    assert_eq!(forest.one("guard").json["cause"], forest.one("panics").json["cause"]["exceptions"][0]["id"]);
    assert_eq!(forest.parent_of("after"), "s");
}

#[tokio::test]
async fn a_panic_in_the_first_or_a_later_poll() {
    for polls in [0, 3] {
        let (recorder, delivered) = recorder();
        let job = recorder.enter(|| async move { panics_later(polls).await }.in_segment("s"));
        assert!(tokio::spawn(job).await.unwrap_err().is_panic());
        let forest = delivered.complete(&recorder);
        let found = forest.one("panics_later");
        assert!(found.is("fault") && forest.one("s").is("fault"));
        assert_eq!(found.json["cause"]["exceptions"][0]["message"], "out of cheese");
        assert_eq!(found.json.pointer("/annotations/cancelled"), None);
        assert_eq!(forest.one("s").json["cause"], found.json["cause"]["exceptions"][0]["id"]);
        assert_eq!(current().id(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_spawned_task_leaves_the_segment_whole() {
    let (recorder, delivered) = recorder();
    let job = recorder.enter(|| {
        async {
            for _ in 0..20 {
                assert!(spawn(panics_later(2)).await.unwrap_err().is_panic());
                assert!(spawn_blocking(panics).await.unwrap_err().is_panic());
                leaf();
            }
        }
        .in_segment("s")
    });
    tokio::spawn(job).await.unwrap();
    let forest = delivered.complete(&recorder);
    assert!(!forest.one("s").is("fault"));
    assert_eq!(forest.named("panics").filter(|found| found.is("fault")).count(), 20);
    assert_eq!(forest.named("panics_later").filter(|found| found.is("fault")).count(), 20);
    assert!(forest.named("leaf").all(|found| !found.is("fault")));
}

struct CallsOnDrop;

impl Drop for CallsOnDrop {
    fn drop(&mut self) {
        leaf();
        in_subsegment("guarded in drop", || ());
        // A panic of its own, which it survives.
        let _ = catch_unwind(panics);
    }
}

#[test]
fn what_a_destructor_calls_while_unwinding_is_not_marked() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        caught(|| {
            in_subsegment("outer", || {
                let _drops = CallsOnDrop;
                panic!("the outer one");
            });
        });
    });
    let forest = delivered.complete(&recorder);
    assert!(forest.one("outer").is("fault"));
    assert!(!forest.one("leaf").is("fault"));
    assert!(!forest.one("guarded in drop").is("fault"));
    let inner = forest.one("panics");
    assert!(inner.is("fault"));
    assert_eq!(inner.json["cause"]["exceptions"][0]["message"], "out of cheese");
    assert!(!forest.one("s").is("fault"));
}

/// A panic that is passed on does not call the hook: the thread may know of an older one only.
#[test]
fn a_panic_that_is_resumed_is_a_fault() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        caught(|| panic!("an older one, of no concern"));
        let _segment = begin_segment("s");
        caught(|| in_subsegment("resumed", || resume_unwind(Box::new("passed on"))));
    });
    let forest = delivered.complete(&recorder);
    assert!(forest.one("resumed").is("fault"));
    assert!(!forest.one("resumed").json.to_string().contains("of no concern"));
}

#[test]
fn a_panic_in_an_unsampled_segment_changes_nothing() {
    let (recorder, delivered) = crate::support::recorder_with(|b| b.sampler(xray_runtime::NoneSampler));
    recorder.enter(|| {
        caught(|| {
            let _segment = begin_segment("s");
            panics();
        });
        assert_eq!(current().trace_id(), None);
    });
    assert!(delivered.complete(&recorder).names().is_empty());
}

#[test]
fn a_panic_ends_the_segment() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        caught(|| {
            let _segment = begin_segment("s");
            panics();
        });
        assert_eq!(current().id(), None);
    });
    let forest = delivered.complete(&recorder);
    assert!(forest.one("s").is("fault"));
    assert_eq!(forest.one("s").json["cause"], forest.one("panics").json["cause"]["exceptions"][0]["id"]);
}

#[test]
fn payloads_that_are_no_text_and_texts_without_end() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        caught(|| in_subsegment("number", || std::panic::panic_any(7)));
        caught(|| in_subsegment("long", || panic!("{}", "é".repeat(100_000))));
    });
    let forest = delivered.complete(&recorder);
    assert!(forest.one("number").is("fault"));
    let message = &forest.one("long").json["cause"]["exceptions"][0]["message"];
    assert_eq!(message.as_str().unwrap().chars().count(), 4_096);
}
