//! Segments that are open for long are sent in progress.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::Value;
use xray_runtime::{
    Batch, Exporter, LateKeep, NoneSampler, Recorder, RecorderBuilder, TraceHeader, in_subsegment,
};

const SOON: Duration = Duration::from_secs(10);
const BEAT: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct ToChannel(Sender<Value>);

impl Exporter for ToChannel {
    fn export(&mut self, batch: &mut Batch) {
        for document in batch.documents() {
            let _ = self.0.send(serde_json::from_str(document.json()).unwrap());
        }
    }
}

fn recorder(describe: impl FnOnce(RecorderBuilder) -> RecorderBuilder) -> (Recorder, Receiver<Value>) {
    let (sender, receiver) = channel();
    let builder = Recorder::builder().service("svc").without_sampling().exporter(ToChannel(sender));
    (describe(builder).build().unwrap(), receiver)
}

#[test]
fn an_open_segment_is_sent_again_and_again_until_its_document_replaces_it() {
    let (recorder, documents) = recorder(|builder| builder.heartbeat(BEAT).origin("AWS::ECS::Container"));
    let header =
        TraceHeader::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1");
    let segment = recorder.segment(String::from("nightly")).trace_header(header).begin();
    let beats: Vec<Value> = (0..3).map(|_| documents.recv_timeout(SOON).unwrap()).collect();
    let (id, trace_id) = (segment.id().unwrap().to_string(), segment.trace_id().unwrap().to_string());
    for beat in &beats {
        assert_eq!(beat["name"], "nightly");
        assert_eq!(beat["id"], id.as_str());
        assert_eq!(beat["trace_id"], trace_id.as_str());
        assert_eq!(beat["parent_id"], "53995c3f42cd8ad8");
        assert_eq!(beat["in_progress"], true);
        assert_eq!(beat["origin"], "AWS::ECS::Container");
        assert!(beat.get("end_time").is_none() && beat.get("subsegments").is_none(), "{beat}");
        assert_eq!(beat["aws"]["xray"]["sdk"], "X-Ray for Rust");
    }
    in_subsegment("step", || ());
    segment.end();
    recorder.flush(SOON);
    let last = documents.try_iter().last().unwrap();
    assert_eq!((last["id"].as_str(), last.get("in_progress")), (Some(id.as_str()), None));
    assert!(last["end_time"].as_f64() > last["start_time"].as_f64());
    assert_eq!(last["subsegments"][0]["name"], "step");
    // The clock may have been taken anew in between.
    let drift = last["start_time"].as_f64().unwrap() - beats[0]["start_time"].as_f64().unwrap();
    assert!(drift.abs() < 0.05, "{drift}");
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.sent, stats.pending), (2, 2, 0), "no beat is a segment: {stats:?}");
    assert!(stats.documents_sent >= 4, "{stats:?}");
}

#[test]
fn after_its_end_nothing_more_is_heard_of_it() {
    let (recorder, documents) = recorder(|builder| builder.heartbeat(BEAT));
    let ended = recorder.begin_segment("ended");
    documents.recv_timeout(SOON).unwrap();
    ended.end();
    // Several beats of another one later.
    let open = recorder.begin_segment("open");
    let mut beats = 0;
    let mut is_over = false;
    while beats < 5 {
        let document = documents.recv_timeout(SOON).unwrap();
        if document["name"] == "open" {
            beats += 1;
        } else if is_over {
            panic!("{document}");
        } else {
            is_over = document.get("in_progress").is_none();
        }
    }
    assert!(is_over);
    open.end();
}

#[test]
fn many_on_many_threads() {
    let (recorder, documents) = recorder(|builder| builder.heartbeat(BEAT));
    let (done, wait) = channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let (recorder, wait) = (recorder.clone(), std::sync::Arc::clone(&wait));
            std::thread::spawn(move || {
                let segment = recorder.begin_segment(format!("thread {n}"));
                (0..1_000).for_each(|_| recorder.begin_segment("short").end());
                // An error: the test has seen enough.
                let _ = wait.lock().unwrap().recv();
                segment.end();
            })
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    while seen.len() < 8 {
        let document = documents.recv_timeout(SOON).unwrap();
        if document.get("in_progress").is_some() && document["name"] != "short" {
            seen.insert(document["name"].to_string());
        }
    }
    drop(done);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    recorder.flush(SOON);
    let stats = recorder.stats();
    assert_eq!((stats.sent, stats.pending, stats.dropped()), (8 * 1_001, 0, 0), "{stats:?}");
}

#[test]
fn what_is_not_sampled_has_none() {
    let (recorder, documents) =
        recorder(|builder| builder.sampler(NoneSampler).late_keep(LateKeep::new()).heartbeat(BEAT));
    let undecided = recorder.begin_segment("undecided");
    assert!(undecided.is_recorded(), "it may be kept");
    let sampled = recorder.segment("sampled").trace_header(TraceHeader::parse("Sampled=1")).begin();
    for _ in 0..5 {
        assert_eq!(documents.recv_timeout(SOON).unwrap()["name"], "sampled");
    }
    sampled.end();
    undecided.record_error(&std::fmt::Error);
    undecided.end();
    recorder.flush(SOON);
    let of_undecided: Vec<Value> =
        documents.try_iter().filter(|document| document["name"] == "undecided").collect();
    assert_eq!(of_undecided.len(), 1);
    assert!(of_undecided[0].get("in_progress").is_none());
}
