//! The trace's id on each line of a log.
#![allow(clippy::unwrap_used)]

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::{Subscriber, info, info_span};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::prelude::*;
use xray_runtime::{
    EntityId, NoneSampler, Recorder, TraceId, XRayFormat, XRayTracing, begin_segment, begin_subsegment,
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

fn text(lines: &Lines) -> impl Subscriber + Send + Sync {
    let format = XRayFormat::new(fmt::format().without_time().with_target(false));
    tracing_subscriber::registry()
        .with(fmt::layer().event_format(format).with_writer(lines.clone()))
        .with(XRayTracing::new())
}

#[test]
fn a_line_ends_with_trace_and_entity() {
    let lines = Lines::default();
    let (recorder, captured) = Recorder::in_memory();
    tracing::subscriber::with_default(text(&lines), || {
        recorder.enter(|| {
            info!("before");
            let segment = begin_segment("s");
            let root = segment.trace_id().unwrap();
            info!(n = 1, "in the segment");
            let subsegment = begin_subsegment("sub");
            info!("in a subsegment\nof two lines");
            let span = info_span!("span").entered();
            info!("in a span");
            drop(span);
            subsegment.end();
            let id = segment.id().unwrap();
            segment.end();
            info!("after");
            let sub = captured.entity("sub").id().to_owned();
            let of_span = captured.entity("span").id().to_owned();
            let expected = [
                " INFO before".to_owned(),
                format!(" INFO in the segment n=1 AWS-XRAY-TRACE-ID: {root}@{id}"),
                format!(" INFO in a subsegment\nof two lines AWS-XRAY-TRACE-ID: {root}@{sub}"),
                format!(" INFO span: in a span AWS-XRAY-TRACE-ID: {root}@{of_span}"),
                " INFO after".to_owned(),
            ];
            assert_eq!(lines.take(), expected.map(|line| line + "\n").concat());
        });
    });
}

#[test]
fn an_event_with_a_parent_has_that_of_its_span() {
    let lines = Lines::default();
    let (recorder, captured) = Recorder::in_memory();
    tracing::subscriber::with_default(text(&lines), || {
        recorder.enter(|| {
            let segment = begin_segment("s");
            let span = info_span!("span");
            info!(parent: &span, "there");
            let root = segment.trace_id().unwrap();
            drop(span);
            segment.end();
            let id = captured.entity("span").id().to_owned();
            assert_eq!(lines.take(), format!(" INFO span: there AWS-XRAY-TRACE-ID: {root}@{id}\n"));
        });
    });
}

#[test]
fn where_it_is_not_sampled_the_root_stands_alone() {
    let lines = Lines::default();
    let recorder = Recorder::builder().service("u").sampler(NoneSampler).build().unwrap();
    tracing::subscriber::with_default(text(&lines), || {
        recorder.enter(|| {
            let segment = begin_segment("u");
            info_span!("span").in_scope(|| info!("in it"));
            let root = segment.trace_id().unwrap();
            assert_eq!(lines.take(), format!(" INFO span: in it AWS-XRAY-TRACE-ID: {root}\n"));
        });
    });
}

#[test]
fn a_json_object_has_it_as_a_field() {
    let lines = Lines::default();
    let (recorder, _captured) = Recorder::in_memory();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .event_format(XRayFormat::json(fmt::format().json().flatten_event(true)))
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        recorder.enter(|| {
            info!("before");
            let segment = begin_segment("s");
            info!(cart = 7, "in it");
            let (root, id) = (segment.trace_id().unwrap(), segment.id().unwrap());
            let text = lines.take();
            let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(objects[0].get("AWS-XRAY-TRACE-ID"), None);
            assert_eq!(objects[1]["AWS-XRAY-TRACE-ID"], format!("{root}@{id}"));
            assert_eq!((&objects[1]["cart"], &objects[1]["message"]), (&7.into(), &"in it".into()));
        });
    });
}

/// The inner formats of the crate, as they are; each line can be read back.
#[test]
fn every_format_of_the_crate() {
    let lines = Lines::default();
    let (recorder, _captured) = Recorder::in_memory();
    let layers: [Box<dyn tracing_subscriber::Layer<_> + Send + Sync>; 2] = [
        fmt::layer().event_format(XRayFormat::new(fmt::format())).with_writer(lines.clone()).boxed(),
        fmt::layer()
            .event_format(XRayFormat::new(fmt::format().compact()))
            .with_writer(lines.clone())
            .boxed(),
    ];
    for layer in layers {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            recorder.enter(|| {
                let segment = begin_segment("s");
                info!("in it");
                let text = lines.take();
                let (_, ids) = text.split_once("AWS-XRAY-TRACE-ID: ").unwrap();
                let (root, entity) = ids.trim_end().split_once('@').unwrap();
                assert_eq!(root.parse::<TraceId>().ok(), segment.trace_id());
                assert_eq!(entity.parse::<EntityId>().ok(), segment.id());
                assert!(text.ends_with('\n'), "{text:?}");
            });
        });
    }
}
