//! Invocations of a Lambda function before the layer, without the runtime: what the header makes of them.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Context, Error, LambdaEvent, LambdaInvocation, Service, service_fn};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use xray_runtime::{
    Captured, FutureExt, Namespace, Observed, Recorder, SegmentListener, XRayLambdaLayer, begin_segment,
    begin_subsegment, current, current_segment, in_message_segment, in_segment, in_subsegment, xray_capture,
};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const PARENT: &str = "53995C3f42cd8ad8";

fn active() -> String {
    format!("Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:a:0")
}

fn invocation(header: Option<&str>) -> LambdaInvocation {
    let mut context = Context::default();
    context.xray_trace_id = header.map(str::to_owned);
    let (parts, ()) = http::Response::new(()).into_parts();
    LambdaInvocation { parts, body: "{}".into(), context }
}

/// Runs the work of one invocation behind the layer.
async fn invoke<F: Future<Output = ()>>(layer: &XRayLambdaLayer, header: Option<&str>, work: impl Fn() -> F) {
    let handle = service_fn(|_: LambdaInvocation| {
        let work = work();
        async move {
            work.await;
            Ok::<(), Error>(())
        }
    });
    layer.layer(handle).oneshot(invocation(header)).await.unwrap();
}

/// The header that a call made here would carry.
fn outgoing() -> Option<String> {
    current().trace_header().map(|header| header.to_string())
}

fn layer() -> (XRayLambdaLayer, Recorder, Captured) {
    let (recorder, captured) = Recorder::in_memory();
    (XRayLambdaLayer::with_recorder(&recorder), recorder, captured)
}

#[track_caller]
fn all_sent(recorder: &Recorder) {
    let stats = recorder.stats();
    assert_eq!((stats.pending, stats.dropped(), stats.refused, stats.late_facts), (0, 0, 0, 0), "{stats:?}");
    assert_eq!(stats.sent, stats.recorded, "{stats:?}");
}

#[tokio::test]
async fn subsegments_are_documents_below_the_segment_of_lambda() {
    let (layer, recorder, captured) = layer();
    invoke(&layer, Some(&active()), || async {
        in_subsegment("first", || current().set_namespace(Namespace::Remote));
        async { in_subsegment("inner", || ()) }.in_subsegment("second").await;
    })
    .await;
    let documents = captured.documents();
    let names: Vec<_> = documents.iter().map(|document| document["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "inner", "second", "## handler"], "each as it ends, the facade never");
    for document in &documents {
        assert_eq!(document["trace_id"], ROOT, "{document}");
        assert_eq!(document["type"], "subsegment", "{document}");
        assert!(document.get("subsegments").is_none() && document.get("in_progress").is_none(), "{document}");
        assert!(document["end_time"].as_f64() >= document["start_time"].as_f64(), "{document}");
        assert!(document.get("service").is_none() && document.get("aws").is_none(), "{document}");
    }
    let [first, inner, second, handler] = &documents[..] else { panic!("{documents:?}") };
    assert_eq!(handler["parent_id"], PARENT, "in the case that it came in");
    assert_eq!(handler["annotations"], json!({ "ColdStart": true }));
    assert_eq!((&first["parent_id"], &second["parent_id"]), (&handler["id"], &handler["id"]));
    assert_eq!(inner["parent_id"], second["id"]);
    assert_eq!(first["namespace"], "remote");
    all_sent(&recorder);
}

#[tokio::test]
async fn each_subsegment_is_sent_when_it_ends() {
    let (layer, _recorder, captured) = layer();
    invoke(&layer, Some(&active()), || async {
        let outer = begin_subsegment("outer");
        for n in 1..=3 {
            in_subsegment("step", || ());
            let seen = captured.documents();
            assert_eq!(seen.len(), n, "the invocation goes on");
            assert_eq!(seen[n - 1]["parent_id"], outer.id().unwrap().to_string());
        }
        outer.end();
        assert_eq!(captured.documents()[3]["name"], "outer");
    })
    .await;
}

#[tokio::test]
async fn calls_carry_the_trace() {
    let (layer, _recorder, captured) = layer();
    let layer = layer.without_handler_subsegment();
    invoke(&layer, Some(&active()), || async {
        assert_eq!(outgoing(), Some(active()), "of the facade itself");
        assert_eq!(current().id().unwrap().to_string(), PARENT);
        let call = begin_subsegment("call");
        let id = call.id().unwrap();
        assert_eq!(outgoing(), Some(format!("Root={ROOT};Parent={id};Sampled=1;Lineage=1:a:0")));
    })
    .await;
    let [call] = &captured.documents()[..] else { panic!() };
    assert_eq!((&call["name"], &call["parent_id"]), (&"call".into(), &PARENT.into()));
}

#[tokio::test]
async fn what_is_not_sampled_is_not_recorded_and_propagates() {
    let (layer, recorder, captured) = layer();
    let header = format!("Root={ROOT};Parent={PARENT};Sampled=0;Lineage=1:a:0");
    invoke(&layer, Some(&header), || async {
        in_subsegment("step", || assert!(!current().is_recorded()));
        in_segment("segment", || assert!(!current().is_recorded()));
        assert_eq!(outgoing(), Some(format!("Root={ROOT};Sampled=0;Lineage=1:a:0")));
    })
    .await;
    assert!(captured.documents().is_empty());
    let stats = recorder.stats();
    assert_eq!((stats.segments, stats.segments_unsampled), (1, 1), "{stats:?}");
}

#[tokio::test]
async fn a_header_without_parent_or_decision_passes_through() {
    let (layer, recorder, captured) = layer();
    for header in [
        format!("Root={ROOT}"),
        format!("Root={ROOT};Lineage=1:a:0"),
        format!("Root={ROOT};Sampled=1"),
        format!("Root={ROOT};Parent={PARENT}"),
        format!("Root={ROOT};Parent={PARENT};Sampled=?"),
        format!("Root={ROOT};Parent=short;Sampled=1"),
    ] {
        invoke(&layer, Some(&header), || {
            let header = header.clone();
            async move {
                in_subsegment("step", || assert!(!current().is_recorded()));
                assert_eq!(outgoing(), Some(header.clone()));
                let segment = begin_segment("segment");
                assert_eq!(outgoing(), Some(header.clone()), "through what would be a segment too");
                assert_eq!(segment.response_header(), None);
                drop(segment);
                let nested = xray_runtime::spawn(async { outgoing() }).await.unwrap();
                assert_eq!(nested, Some(header), "and into tasks");
            }
        })
        .await;
    }
    assert!(captured.documents().is_empty());
    let stats = recorder.stats();
    assert_eq!((stats.segments, stats.recorded, stats.context_missing_warnings), (0, 0, 0), "{stats:?}");
}

#[tokio::test]
async fn outside_of_lambda_an_invocation_without_a_trace_is_a_segment() {
    for header in [None, Some(""), Some("Root=junk;Parent=53995c3f42cd8ad8;Sampled=1")] {
        let (layer, recorder, captured) = layer();
        invoke(&layer, header, || async { in_subsegment("step", || ()) }).await;
        let handler = captured.segment("test").subsegment("## handler");
        assert_eq!(handler.annotation("ColdStart"), Some(true.into()));
        assert_eq!(handler.subsegments().len(), 1);
        all_sent(&recorder);
    }
}

#[tokio::test]
async fn segments_become_subsegments() {
    #[xray_capture("captured", segment)]
    async fn captured_segment() {}

    let (layer, recorder, captured) = layer();
    invoke(&layer, Some(&active()), || {
        let recorder = recorder.clone();
        async move {
            let _entered = recorder.entered();
            in_segment("sync", || in_subsegment("below sync", || ()));
            let of_other = "Root=1-5759e988-bd862e3fe1be46a994272799;Parent=53995c3f42cd8ad9;Sampled=0";
            let message = vec![("AWSTraceHeader", of_other)];
            in_message_segment("message", &message, async {
                tokio::task::yield_now().await;
                in_subsegment("below message", || ());
                tokio::task::yield_now().await;
            })
            .await;
            async { tokio::task::yield_now().await }.in_segment("future").await;
            captured_segment().await;
            let dropped = begin_segment("left");
            drop(std::thread::spawn(|| ()));
            drop(dropped);
            in_subsegment("after", || ());
        }
    })
    .await;
    assert!(captured.segments().is_empty(), "{:?}", captured.segments());
    let handler = captured.entity("## handler");
    for name in ["sync", "message", "future", "captured", "left", "after"] {
        assert_eq!(captured.entity(name).parent_id(), handler.id(), "{name}");
        assert_eq!(captured.entity(name).trace_id(), ROOT);
    }
    for name in ["sync", "message"] {
        let below = captured.entity(&format!("below {name}"));
        assert_eq!(below.parent_id(), captured.entity(name).id());
    }
    all_sent(&recorder);
    assert_eq!(recorder.stats().segments, 1);
}

#[tokio::test]
async fn what_is_said_of_the_segment_is_said_of_the_handler() {
    let (layer, recorder, captured) = layer();
    invoke(&layer, Some(&active()), || async {
        async {
            current_segment().put_annotation("user", "ada");
            tokio::task::yield_now().await;
            in_subsegment("step", || current_segment().put_metadata("step", 1));
        }
        .in_subsegment("deep")
        .await;
    })
    .await;
    let handler = captured.entity("## handler");
    assert_eq!(handler.annotation("user"), Some("ada".into()));
    assert_eq!(handler.metadata("default", "step"), Some(1.into()));
    all_sent(&recorder);

    // Without one there is nobody to say it of.
    captured.clear();
    let layer = layer.without_handler_subsegment();
    invoke(&layer, Some(&active()), || async {
        current_segment().put_annotation("user", "ada");
        in_subsegment("step", || ());
    })
    .await;
    assert_eq!(captured.documents().len(), 1);
    let stats = recorder.stats();
    assert_eq!((stats.refused, stats.pending, stats.late_facts), (1, 0, 0), "{stats:?}");
}

#[tokio::test]
async fn only_the_first_invocation_starts_cold() {
    let (layer, _recorder, captured) = layer();
    let layer = layer.handler_name(String::from("## orders"));
    // Counted although nobody sees it.
    invoke(&layer, Some(&format!("Root={ROOT}")), || async {}).await;
    invoke(&layer, Some(&active()), || async {}).await;
    assert_eq!(captured.entity("## orders").annotation("ColdStart"), Some(false.into()));
}

#[tokio::test]
async fn invocations_at_once_do_not_see_each_other() {
    let (layer, recorder, captured) = layer();
    let header = |n: usize| format!("Root=1-5759e988-{n:024x};Parent={n:016x};Sampled=1");
    let invocations: Vec<_> = (1..=20)
        .map(|n| {
            let layer = layer.clone();
            async move {
                invoke(&layer, Some(&header(n)), || async move {
                    for _ in 0..10 {
                        tokio::task::yield_now().await;
                        let step = begin_subsegment(format!("step {n}"));
                        tokio::task::yield_now().await;
                        assert!(outgoing().unwrap().starts_with(&format!("Root=1-5759e988-{n:024x};")));
                        step.end();
                    }
                })
                .await;
            }
        })
        .collect();
    futures_util::future::join_all(invocations).await;
    let documents = captured.documents();
    assert_eq!(documents.len(), 20 * 11);
    for n in 1..=20 {
        let trace = format!("1-5759e988-{n:024x}");
        let of_it: Vec<_> = documents.iter().filter(|document| document["trace_id"] == trace[..]).collect();
        let handler = of_it.iter().find(|document| document["name"] == "## handler").unwrap();
        assert_eq!(handler["parent_id"], format!("{n:016x}"));
        let steps = of_it.iter().filter(|document| document["name"] == format!("step {n}")[..]);
        assert_eq!(steps.clone().count(), 10);
        assert!(steps.clone().all(|step| step["parent_id"] == handler["id"]));
    }
    let cold = documents.iter().filter(|document| document["annotations"]["ColdStart"] == true).count();
    assert_eq!(cold, 1);
    all_sent(&recorder);
}

#[tokio::test]
async fn what_an_invocation_left_open_stays_in_its_trace() {
    let (layer, recorder, captured) = layer();
    let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = Mutex::new(Some(wait));
    let task = Mutex::new(None);
    invoke(&layer, Some(&active()), || async {
        let wait = wait.lock().unwrap().take().unwrap();
        // In the background, beyond the answer.
        let running = xray_runtime::spawn(
            async move {
                current().put_annotation("part", 1);
                let _ = wait.await;
                in_subsegment("late", || ());
            }
            .in_subsegment("background"),
        );
        tokio::task::yield_now().await;
        // A guard that is forgotten.
        std::mem::forget(begin_subsegment("forgotten"));
        *task.lock().unwrap() = Some(running);
    })
    .await;
    let open = captured.entity("background");
    assert!(open.is_in_progress() && captured.entity("forgotten").is_in_progress());

    let next = "Root=1-5759e988-bd862e3fe1be46a994272799;Parent=53995c3f42cd8ad9;Sampled=1";
    let go_on = Mutex::new(Some(go_on));
    let background = Mutex::new(task.lock().unwrap().take());
    captured.clear();
    invoke(&layer, Some(next), || async {
        assert!(outgoing().unwrap().starts_with("Root=1-5759e988-bd862e3fe1be46a994272799;"));
        go_on.lock().unwrap().take().unwrap().send(()).unwrap();
        let running = background.lock().unwrap().take().unwrap();
        running.await.unwrap();
        in_subsegment("of the second", || ());
    })
    .await;
    for name in ["background", "late"] {
        assert_eq!(captured.entity(name).trace_id(), ROOT, "{name}");
        assert!(!captured.entity(name).is_in_progress());
    }
    assert_eq!(captured.entity("background").id(), open.id());
    for name in ["of the second", "## handler"] {
        assert_eq!(captured.entity(name).trace_id(), "1-5759e988-bd862e3fe1be46a994272799", "{name}");
    }
    assert_eq!(recorder.stats().dropped(), 0);
}

#[tokio::test]
async fn an_invocation_that_is_dropped_ends_as_cancelled() {
    let (layer, recorder, captured) = layer();
    let handle = service_fn(|_: LambdaInvocation| {
        async { std::future::pending::<Result<(), Error>>().await }.in_subsegment("hangs")
    });
    let mut future = Box::pin(layer.layer(handle).oneshot(invocation(Some(&active()))));
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(future);
    for name in ["hangs", "## handler"] {
        assert_eq!(captured.entity(name).annotation("cancelled"), Some(true.into()), "{name}");
    }
    all_sent(&recorder);
}

#[tokio::test]
async fn the_wrapped_handler_has_its_error_and_its_end() {
    let (recorder, captured) = Recorder::in_memory();
    let layer = XRayLambdaLayer::with_recorder(&recorder);
    #[xray_capture]
    async fn fails() -> Result<Value, Error> {
        tokio::task::yield_now().await;
        Err("no orders today".into())
    }
    let handler = layer.handler(service_fn(|_: LambdaEvent<Value>| fails()));
    let outer = service_fn(|event: LambdaInvocation| {
        let mut handler = handler.clone();
        async move {
            let answer = handler.call(LambdaEvent::new(Value::Null, event.context)).await;
            assert_eq!(answer.map(|_| ()).unwrap_err().to_string(), "no orders today");
            // The runtime's work after it.
            in_subsegment("answer", || ());
            Ok::<(), Error>(())
        }
    });
    layer.layer(outer).oneshot(invocation(Some(&active()))).await.unwrap();
    let handler = captured.entity("## handler");
    assert!(handler.is_fault());
    let fails = captured.entity("fails");
    assert_eq!(fails.exceptions(), ["no orders today"]);
    assert_eq!(handler.json()["cause"], fails.json()["cause"]["exceptions"][0]["id"], "one exception");
    assert_eq!(handler.parent_id(), PARENT, "there is one of it");
    assert_eq!(captured.entity("answer").parent_id(), PARENT);
    all_sent(&recorder);
}

#[tokio::test]
async fn times_are_of_the_invocation() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let (layer, _recorder, captured) = layer();
    let before = now();
    invoke(&layer, Some(&active()), || async {
        in_subsegment("sleep", || std::thread::sleep(Duration::from_millis(5)));
    })
    .await;
    let after = now();
    for document in captured.documents() {
        let [start, end] = ["start_time", "end_time"].map(|key| document[key].as_f64().unwrap());
        assert!(before - 0.001 <= start && end <= after + 0.001, "{before} {document} {after}");
        assert!(end - start >= 0.004_9, "{document}");
    }
}

#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl SegmentListener for Heard {
    fn hears_subsegments(&self) -> bool {
        true
    }

    fn on_begin(&self, observed: &Observed<'_>) {
        self.0.lock().unwrap().push(format!("+{}", observed.name().unwrap_or_default()));
    }

    fn before_end(&self, observed: &Observed<'_>) {
        observed.put_annotation("heard", true);
    }

    fn after_end(&self, observed: &Observed<'_>) {
        self.0.lock().unwrap().push(format!("-{}", observed.name().unwrap_or_default()));
    }
}

#[tokio::test]
async fn listeners_hear_of_subsegments_and_not_of_the_facade() {
    let heard = Heard::default();
    let (recorder, captured) = Recorder::builder().listener(heard.clone()).in_memory().unwrap();
    let layer = XRayLambdaLayer::with_recorder(&recorder);
    invoke(&layer, Some(&active()), || async {
        let _entered = recorder.entered();
        in_segment("step", || in_subsegment("inner", || ()));
    })
    .await;
    let names = heard.0.lock().unwrap().clone();
    // What was sent ahead has no name any more.
    assert_eq!(names, ["+## handler", "+step", "+inner", "-inner", "-", "-## handler"]);
    assert!(captured.documents().iter().all(|document| document["annotations"]["heard"] == true));
    assert_eq!(captured.documents().len(), 3);
    all_sent(&recorder);
}

#[tokio::test]
async fn many_open_subsegments_and_threads_arrive() {
    let (layer, recorder, captured) = layer();
    invoke(&layer, Some(&active()), || async {
        let open: Vec<_> = (0..300).map(|n| begin_subsegment(format!("open {n}"))).collect();
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                xray_runtime::spawn_blocking(|| in_subsegment("thread", || in_subsegment("deep", || ())))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        // The oldest first.
        open.into_iter().for_each(drop);
    })
    .await;
    fn walk(entity: &Value, ids: &mut BTreeSet<String>) {
        assert!(entity.get("in_progress").is_none(), "{entity}");
        assert!(ids.insert(entity["id"].as_str().unwrap().to_owned()), "{entity}");
        entity["subsegments"].as_array().into_iter().flatten().for_each(|child| walk(child, ids));
    }
    let (documents, mut ids) = (captured.documents(), BTreeSet::new());
    documents.iter().for_each(|document| walk(document, &mut ids));
    assert_eq!(ids.len(), 401);
    for document in &documents {
        let parent = document["parent_id"].as_str().unwrap();
        assert!(parent == PARENT || ids.contains(parent), "{document}");
    }
    all_sent(&recorder);
}

#[tokio::test]
async fn without_a_recorder_invocations_pass() {
    let disabled = Recorder::builder().enabled(false).in_memory().unwrap().0;
    for layer in [XRayLambdaLayer::new(), XRayLambdaLayer::with_recorder(&disabled)] {
        invoke(&layer, Some(&active()), || async { assert_eq!(outgoing(), None) }).await;
    }
}
