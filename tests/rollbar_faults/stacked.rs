//! Both attributes on one function: one error, one item, one cause, which know of each other.

use std::fmt;

use rollbar_runtime::{FutureExt as _, Rollbar, rollbar_report};
use serde_json::Value;
use xray_runtime::{Captured, FutureExt as _, Recorder, xray_capture};

#[derive(Debug)]
struct Broken(u32);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {} is broken", self.0)
    }
}

impl std::error::Error for Broken {}

#[derive(Debug)]
struct Wrapped(Broken);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[xray_capture]
#[rollbar_report]
fn one(n: u32) -> Result<(), Broken> {
    Err(Broken(n))
}

#[rollbar_report]
#[xray_capture]
fn two(n: u32) -> Result<(), Broken> {
    one(n)
}

#[xray_capture]
#[rollbar_report(custom(n))]
async fn three(n: u32) -> Result<(), Wrapped> {
    tokio::task::yield_now().await;
    two(n).map_err(Wrapped)
}

#[rollbar_report(capture(n))]
#[xray_capture]
async fn four(n: u32) -> anyhow::Result<()> {
    let failed = three(n).await;
    tokio::task::yield_now().await;
    Ok(failed?)
}

#[xray_capture]
#[rollbar_report]
async fn five(n: u32) -> anyhow::Result<()> {
    use anyhow::Context as _;
    tokio::task::yield_now().await;
    four(n).await.context("in five")
}

fn causes(segment: &Value, found: &mut Vec<Value>) {
    found.extend(segment["cause"]["exceptions"].as_array().into_iter().flatten().cloned());
    for subsegment in segment["subsegments"].as_array().into_iter().flatten() {
        causes(subsegment, found);
    }
}

fn check(items: &rollbar_runtime::Captured, segments: &Captured, n: usize) {
    let items = items.items();
    assert_eq!(items.len(), n, "{items:#?}");
    let documents = segments.documents();
    assert_eq!(documents.len(), n);
    for document in &documents {
        let mut found = Vec::new();
        causes(document, &mut found);
        let first: Vec<_> = found
            .iter()
            .filter(|exception| exception["message"].as_str().is_some_and(|m| m.contains("is broken")))
            .collect();
        assert_eq!(first.len(), 1, "{document:#}");
        let item = items
            .iter()
            .find(|item| item.json()["custom"]["trace_id"] == document["trace_id"])
            .expect("an item of this trace");
        let text = document.to_string();
        assert!(text.contains(&format!(r#""rollbar_uuid":"{}""#, item.uuid())), "{document:#}");
        let segment = item.json()["custom"]["segment_id"].as_str().unwrap();
        assert!(text.contains(&format!(r#""id":"{segment}""#)), "{document:#}");
    }
}

#[test]
fn one_error_through_five_functions() {
    let (recorder, segments) = Recorder::in_memory();
    let (rollbar, items) = Rollbar::in_memory();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let futures: Vec<_> = (0..40)
        .map(|n| recorder.enter(|| rollbar.enter(|| five(n).in_current_scope().in_segment("s"))))
        .collect();
    runtime.block_on(async {
        for task in futures.into_iter().map(tokio::spawn).collect::<Vec<_>>() {
            assert!(task.await.unwrap().is_err());
        }
    });
    check(&items, &segments, 40);
}

#[test]
fn one_error_through_two_functions_that_are_not_async() {
    let (recorder, segments) = Recorder::in_memory();
    let (rollbar, items) = Rollbar::in_memory();
    recorder.enter(|| {
        rollbar.enter(|| {
            for n in 0..5 {
                xray_runtime::in_segment("s", || assert!(two(n).is_err()));
            }
        });
    });
    check(&items, &segments, 5);
}
