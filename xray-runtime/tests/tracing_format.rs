//! The trace's id on each line of a log.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::{Dispatch, Subscriber, info, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::{self, MakeWriter, format::FmtSpan};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
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
    type Boxed = Box<dyn Layer<tracing_subscriber::Registry> + Send + Sync>;
    let lines = Lines::default();
    let (recorder, _captured) = Recorder::in_memory();
    // That the layer would colour its lines says nothing: each format says so, or not.
    let layer = || fmt::layer().with_writer(lines.clone());
    let json = layer().json().event_format(XRayFormat::new(fmt::format().json()));
    let layers: [(&str, Boxed); 5] = [
        ("full", layer().event_format(XRayFormat::new(fmt::format())).boxed()),
        ("compact", layer().event_format(XRayFormat::new(fmt::format().compact())).boxed()),
        ("pretty", layer().event_format(XRayFormat::new(fmt::format().pretty())).boxed()),
        ("coloured", layer().event_format(XRayFormat::new(fmt::format().with_ansi(true))).boxed()),
        ("json as text", json.boxed()),
    ];
    for (name, layer) in layers {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            recorder.enter(|| {
                info!("before");
                let before = lines.take();
                assert_eq!(before.contains('\x1b'), name == "coloured", "{name}: {before:?}");
                let segment = begin_segment("s");
                let _span = info_span!("around").entered();
                info!("in it");
                let text = lines.take();
                assert!(text.contains("in it") && text.contains("around"), "{name}: {text:?}");
                let (_, ids) = text.split_once(" AWS-XRAY-TRACE-ID: ").expect(name);
                let (root, entity) = ids.trim_end().split_once('@').expect(name);
                assert_eq!(root.parse::<TraceId>().ok(), segment.trace_id(), "{name}");
                assert_eq!(entity.parse::<EntityId>().ok(), segment.id(), "{name}");
                assert!(text.ends_with('\n'), "{name}: {text:?}");
                assert_eq!(text.contains('\x1b'), name == "coloured", "{name}: {text:?}");
            });
        });
    }
}

/// A line that `fmt` writes of a span names the span's own subsegment, whichever layer comes first.
#[test]
fn lines_of_the_end_of_a_span() {
    fn lines_of_ends<S>(lines: &Lines) -> impl Layer<S> + Send + Sync
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        fmt::layer()
            .with_span_events(FmtSpan::CLOSE)
            .event_format(XRayFormat::new(fmt::format().with_ansi(false)))
            .with_writer(lines.clone())
    }
    for fmt_is_first in [true, false] {
        let lines = Lines::default();
        let (recorder, captured) = Recorder::in_memory();
        let registry = tracing_subscriber::registry();
        let dispatch = if fmt_is_first {
            Dispatch::new(registry.with(lines_of_ends(&lines)).with(XRayTracing::new()))
        } else {
            Dispatch::new(registry.with(XRayTracing::new()).with(lines_of_ends(&lines)))
        };
        tracing::dispatcher::with_default(&dispatch, || {
            recorder.enter(|| {
                let segment = begin_segment("s");
                info_span!("span").in_scope(|| ());
                segment.end();
            });
        });
        let (text, id) = (lines.take(), captured.entity("span").id().to_owned());
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(text.contains("close") && text.trim_end().ends_with(&format!("@{id}")), "{text:?}");
    }
}
