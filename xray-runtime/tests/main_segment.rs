//! `segment` on a function that installs the recorder in its own body, as `main` does. One test: the recorder is global.

#![allow(clippy::expect_used, reason = "a panic is how a test fails")]

use std::sync::{Arc, Mutex};

use xray_runtime::{AllSampler, Batch, Exporter, InstallError, Recorder, xray_capture};

#[derive(Clone, Debug, Default)]
struct Documents(Arc<Mutex<Vec<serde_json::Value>>>);

impl Exporter for Documents {
    fn export(&mut self, batch: &mut Batch) {
        let parsed =
            batch.documents().map(|document| serde_json::from_str(document.json()).expect("it is JSON"));
        self.0.lock().expect("no test panics with it").extend(parsed);
    }
}

impl Documents {
    fn take(&self) -> Vec<serde_json::Value> {
        std::mem::take(&mut *self.0.lock().expect("no test panics with it"))
    }

    fn recorder(&self) -> xray_runtime::RecorderBuilder {
        Recorder::builder().service("job").sampler(AllSampler).exporter(self.clone())
    }
}

#[derive(Debug)]
struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the night was too short")
    }
}

impl std::error::Error for Failed {}

#[xray_capture]
fn step() {}

#[xray_capture("nightly", segment)]
fn sync_main(documents: &Documents, fail: bool) -> Result<(), Box<dyn std::error::Error>> {
    let _xray = documents.recorder().install()?;
    step();
    if fail {
        return Err(Failed.into());
    }
    Ok(())
}

#[xray_capture("nightly", segment)]
async fn async_main(documents: &Documents) -> Result<(), InstallError> {
    tokio::task::yield_now().await;
    let _xray = documents.recorder().install()?;
    step();
    tokio::task::yield_now().await;
    step();
    Ok(())
}

fn names(document: &serde_json::Value) -> Vec<&str> {
    let children = document["subsegments"].as_array().into_iter().flatten();
    children.filter_map(|child| child["name"].as_str()).collect()
}

#[test]
fn the_segment_of_main_is_sent_when_main_returns() {
    let documents = Documents::default();
    sync_main(&documents, false).expect("it installs");
    let sent = documents.take();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!((sent[0]["name"].as_str(), names(&sent[0])), (Some("nightly"), vec!["step"]));
    assert_eq!(sent[0].get("fault"), None);

    // The guard of the first is gone: another can be installed. What main returns is seen after its locals are dropped.
    assert!(sync_main(&documents, true).is_err());
    let sent = documents.take();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0]["fault"], true);
    assert_eq!(sent[0]["cause"]["exceptions"][0]["message"], "the night was too short");

    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async_main(&documents)).expect("it installs");
    let sent = documents.take();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!((sent[0]["name"].as_str(), names(&sent[0])), (Some("nightly"), vec!["step", "step"]));

    // Where no recorder comes nothing is recorded, and the next one is not confused.
    #[xray_capture(segment)]
    fn without() {
        step();
    }
    without();
    sync_main(&documents, false).expect("it installs");
    assert_eq!(documents.take().len(), 1);
}
