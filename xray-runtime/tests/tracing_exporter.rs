//! An exporter whose client has spans and errors of its own, under the subscriber of the whole program: none of them is recorded.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::{Level, error, info_span, span};
use tracing_subscriber::prelude::*;
use xray_runtime::{
    AllSampler, Batch, Exporter, Recorder, XRayTracing, begin_segment, in_segment, xray_capture,
};

/// As hyper, h2 and the AWS SDK do.
#[derive(Clone, Debug, Default)]
struct Talkative(Arc<Mutex<Vec<String>>>);

impl Exporter for Talkative {
    fn export(&mut self, batch: &mut Batch) {
        span!(target: "hyper::client", Level::TRACE, "call").in_scope(|| {
            let _framed = info_span!(target: "h2::codec", "framed", bytes = 7).entered();
            error!(target: "hyper::client", "the daemon did not answer");
            captured();
            let documents = batch.documents().map(|document| document.json().to_owned());
            self.0.lock().unwrap().extend(documents);
        });
    }

    fn flush(&mut self) {
        info_span!(target: "hyper::client", "flush").in_scope(|| error!("flush"));
    }
}

#[xray_capture]
fn captured() {}

#[test]
fn what_an_exporter_does_is_not_recorded() {
    tracing_subscriber::registry().with(XRayTracing::new().max_level(LevelFilter::TRACE)).init();
    let exporter = Talkative::default();
    let recorder =
        Recorder::builder().service("s").sampler(AllSampler).exporter(exporter.clone()).build().unwrap();
    recorder.enter(|| {
        for _ in 0..50 {
            in_segment("s", || info_span!("span").in_scope(captured));
            // Waited for with a segment open here: that one is not the exporter's.
            let waiting = begin_segment("waiting");
            recorder.flush(Duration::from_secs(60));
            waiting.end();
        }
    });
    recorder.flush(Duration::from_secs(60));
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.sent, stats.dropped()), (50 * 4, 50 * 4, 0), "{stats:?}");
    let documents = exporter.0.lock().unwrap();
    assert_eq!(documents.len(), 100);
    assert!(documents.iter().all(|json| !json.contains("\"fault\"") && !json.contains("framed")));
}
