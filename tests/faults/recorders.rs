use xray_runtime::{FutureExt, begin_segment, current, in_subsegment, xray_capture};

use crate::support::recorder;

#[xray_capture]
fn leaf() {}

#[test]
fn two_recorders_keep_apart() {
    let ((one, delivered_one), (two, delivered_two)) = (recorder(), recorder());
    let first = one.begin_segment("one");
    let second = two.begin_segment("two");
    leaf();
    second.end();
    leaf();
    first.end();
    assert_eq!(delivered_one.complete(&one).parent_of("leaf"), "one");
    assert_eq!(delivered_two.complete(&two).parent_of("leaf"), "two");
}

#[test]
fn a_recorder_is_entered_on_one_thread_only() {
    let (recorder, delivered) = recorder();
    let entered = recorder.entered();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let segment = begin_segment("elsewhere");
            assert!(!segment.is_recorded());
            assert_eq!(segment.trace_id(), None);
            assert_eq!(segment.response_header(), None);
        });
    });
    begin_segment("here").end();
    drop(entered);
    assert!(!begin_segment("after").is_recorded());
    assert_eq!(delivered.complete(&recorder).names(), ["here"]);
}

#[test]
fn entered_guards_may_be_dropped_out_of_order() {
    let ((one, delivered_one), (two, delivered_two)) = (recorder(), recorder());
    let (first, second) = (one.entered(), two.entered());
    drop(first);
    begin_segment("of two").end();
    drop(second);
    assert!(!begin_segment("of none").is_recorded());
    assert_eq!(delivered_two.complete(&two).names(), ["of two"]);
    assert!(delivered_one.complete(&one).names().is_empty());
}

#[tokio::test]
async fn a_future_keeps_the_recorder_of_where_it_was_made() {
    let (recorder, delivered) = recorder();
    let job = recorder.enter(|| async { leaf() }.in_segment("job"));
    tokio::spawn(job).await.unwrap();
    assert_eq!(delivered.complete(&recorder).parent_of("leaf"), "job");
}

#[test]
fn nothing_is_recorded_without_a_recorder() {
    let segment = begin_segment("s");
    in_subsegment("child", || {
        let entity = current();
        assert!(!entity.is_recorded() && entity.id().is_none() && entity.trace_header().is_none());
        entity.put_annotation("n", 1);
        entity.put_metadata("n", 1);
        entity.record_exception("type", "message", xray_runtime::ErrorClass::Fault);
    });
    leaf();
    segment.end();
}
