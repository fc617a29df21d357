//! What is recorded, by the public surface.

use xray_runtime::{
    FutureExt, Recorder, begin_segment, begin_subsegment, current, in_subsegment, spawn, spawn_blocking,
    xray_capture,
};

#[xray_capture]
fn leaf(n: u32) -> u32 {
    n + 1
}

#[xray_capture("parent")]
fn parent(n: u32) -> Result<u32, std::num::ParseIntError> {
    let _ = leaf(n);
    "x".parse::<u32>()
}

#[xray_capture]
async fn yields(n: u32) -> u32 {
    tokio::task::yield_now().await;
    let step = begin_subsegment("step");
    tokio::task::yield_now().await;
    step.put_annotation("n", n);
    leaf(n)
}

fn names(entity: &xray_runtime::CapturedEntity) -> Vec<String> {
    entity.subsegments().iter().map(|child| child.name().to_owned()).collect()
}

#[test]
fn sync_functions_nest() {
    let (recorder, captured) = Recorder::in_memory();
    recorder.enter(|| {
        let segment = begin_segment("root");
        assert!(parent(1).is_err());
        leaf(2);
        in_subsegment("closure", || leaf(3));
        segment.end();
    });
    let root = captured.segment("root");
    assert_eq!(names(&root), ["parent", "leaf", "closure"]);
    let parent = root.subsegment("parent");
    assert!(parent.is_fault());
    assert_eq!(parent.exceptions(), ["invalid digit found in string"]);
    assert_eq!(names(&parent), ["leaf"]);
    assert_eq!(names(&root.subsegment("closure")), ["leaf"]);
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.sent, stats.pending, stats.dropped()), (6, 6, 0, 0));
}

#[tokio::test]
async fn siblings_under_join_do_not_see_each_other() {
    let (recorder, captured) = Recorder::in_memory();
    let future = recorder.enter(|| async { tokio::join!(yields(1), yields(2)) }.in_segment("root"));
    assert_eq!(future.await, (2, 3));
    let root = captured.segment("root");
    assert_eq!(names(&root), ["yields", "yields"]);
    for (n, child) in root.subsegments().iter().enumerate() {
        assert_eq!(names(child), ["step"]);
        let step = child.subsegment("step");
        assert_eq!(step.annotation("n"), Some((n + 1).into()));
        assert_eq!(names(&step), ["leaf"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_threads_carry_the_segment() {
    let (recorder, captured) = Recorder::in_memory();
    let future = recorder.enter(|| {
        async {
            let task = spawn(yields(1));
            let blocking = spawn_blocking(|| leaf(5));
            task.await.unwrap();
            blocking.await.unwrap();
        }
        .in_segment("root")
    });
    future.await;
    let root = captured.segment("root");
    let mut found = names(&root);
    found.sort();
    assert_eq!(found, ["leaf", "yields"]);
}

#[tokio::test]
#[allow(clippy::async_yields_async, reason = "the task is what the segment leaves behind")]
async fn a_task_may_outlive_its_segment() {
    let (recorder, captured) = Recorder::in_memory();
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let future = recorder.enter(|| {
        async {
            spawn(async {
                let _ = receiver.await;
                leaf(1);
            })
        }
        .in_segment("root")
    });
    let task = future.await;
    let root = captured.segment("root");
    assert_eq!(root.subsegments().len(), 0);
    sender.send(()).unwrap();
    task.await.unwrap();
    let late = captured.entity("leaf");
    assert_eq!(late.parent_id(), root.id());
    assert_eq!(late.trace_id(), root.trace_id());
    assert_eq!(recorder.stats().sent, 2);
}

#[tokio::test]
async fn a_dropped_future_is_cancelled() {
    let (recorder, captured) = Recorder::in_memory();
    #[xray_capture]
    async fn never() {
        in_subsegment("before", || ());
        std::future::pending::<()>().await;
    }
    let future = recorder.enter(|| {
        async {
            tokio::select! { biased; () = never() => (), () = tokio::task::yield_now() => () }
            leaf(1);
        }
        .in_segment("root")
    });
    future.await;
    let root = captured.segment("root");
    assert_eq!(names(&root), ["never", "leaf"]);
    let never = root.subsegment("never");
    assert_eq!(never.annotation("cancelled"), Some(true.into()));
    assert!(!never.is_fault());
    assert_eq!(names(&never), ["before"]);
}

#[test]
fn panics_are_recorded_once() {
    #[xray_capture]
    fn inner() {
        panic!("out of cheese");
    }
    #[xray_capture]
    fn outer() {
        inner();
    }
    let (recorder, captured) = Recorder::in_memory();
    recorder.enter(|| {
        let _segment = begin_segment("root");
        let _ = std::panic::catch_unwind(outer);
        leaf(1);
    });
    let root = captured.segment("root");
    assert_eq!(names(&root), ["outer", "leaf"]);
    assert!(!root.is_fault());
    let outer = root.subsegment("outer");
    let inner = outer.subsegment("inner");
    assert!(outer.is_fault() && inner.is_fault());
    assert_eq!(inner.exceptions(), ["out of cheese"]);
    assert_eq!(outer.json()["cause"], inner.json()["cause"]["exceptions"][0]["id"]);
}

#[test]
fn streaming_sends_closed_subtrees_first() {
    let (recorder, captured) = Recorder::in_memory();
    recorder.enter(|| {
        let _segment = begin_segment("root");
        let _open = begin_subsegment("open");
        for n in 0..250 {
            leaf(n);
        }
        in_subsegment("last", || ());
    });
    let documents = captured.documents();
    let root = captured.segment("root");
    let open = root.subsegment("open");
    let streamed = documents.iter().filter(|document| document["type"] == "subsegment").count();
    assert_eq!(open.subsegments().len() + streamed, 251);
    assert!(streamed >= 100, "{streamed}");
    for document in documents.iter().filter(|document| document["type"] == "subsegment") {
        assert_eq!(document["parent_id"], open.json()["id"]);
    }
    assert_eq!(recorder.stats().sent, 253);
    assert_eq!(current().id(), None);
}
