//! Paths that have no segment.
#![allow(missing_docs, clippy::unwrap_used)]

use axum::body::Body;
use axum::http::Request;
use axum::{Router, routing::get};
use http_body_util::BodyExt;
use tower::ServiceExt;
use xray_runtime::{
    Captured, Recorder, SamplingRequest, TRACE_HEADER, XRayLayer, begin_segment, current, in_subsegment,
    xray_capture,
};

const OF_CALLER: &str =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:1";

#[xray_capture("health")]
async fn health() -> String {
    tokio::task::yield_now().await;
    let nested = xray_runtime::spawn(async { current().trace_header() }).await.unwrap();
    assert_eq!(nested, current().trace_header(), "tasks have the same");
    let id = current().trace_id().map(|id| id.to_string()).unwrap_or_default();
    let header = nested.map(|header| header.to_string()).unwrap_or_default();
    assert!(!current().is_recorded() && current().id().is_none());
    current().put_annotation("nobody", "sees it");
    format!("{id} {header}")
}

async fn ask(layer: XRayLayer, path: &str, header: Option<&str>) -> (bool, String) {
    let app = Router::new().route("/{*path}", get(health)).layer(layer);
    let mut request = Request::get(format!("http://example.com{path}"));
    if let Some(header) = header {
        request = request.header(TRACE_HEADER, header);
    }
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let has_header = response.headers().contains_key("x-amzn-trace-id");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (has_header, String::from_utf8(body.to_vec()).unwrap())
}

fn nothing(recorder: &Recorder, captured: &Captured) {
    assert!(captured.documents().is_empty());
    let stats = recorder.stats();
    assert_eq!((stats.segments, stats.segments_unsampled, stats.after_end), (0, 0, 0), "{stats:?}");
}

#[tokio::test]
async fn a_skipped_path_has_no_segment_and_lets_the_header_through() {
    let (recorder, captured) = Recorder::in_memory();
    let of_layer = XRayLayer::with_recorder(&recorder).skip_path("/health*").skip_path("/metrics");
    let (other, seen) = Recorder::builder().skip_path("/HEALTH*").skip_path("/metrics").in_memory().unwrap();
    let of_recorder = XRayLayer::with_recorder(&other);
    for (layer, recorder, captured) in [(of_layer, &recorder, &captured), (of_recorder, &other, &seen)] {
        for path in ["/healthz", "/health/deep?x=1", "/metrics"] {
            let answered = ask(layer.clone(), path, None).await;
            assert_eq!(answered, (false, " ".into()), "no header goes on where none came");
            let answered = ask(layer.clone(), path, Some(OF_CALLER)).await;
            assert_eq!(answered, (false, format!("1-5759e988-bd862e3fe1be46a994272793 {OF_CALLER}")));
            // A header without a trace leads nowhere.
            assert_eq!(ask(layer.clone(), path, Some("Sampled=1")).await, (false, " ".into()));
            assert_eq!(ask(layer.clone(), path, Some("nonsense;=;Root=1-2-3")).await.1, " ");
        }
        nothing(recorder, captured);
    }
}

#[test]
fn whichever_way_a_request_comes() {
    let (recorder, captured) = Recorder::builder().skip_path("/health").in_memory().unwrap();
    let begin = |path| recorder.request_segment().request(SamplingRequest::new().with_url_path(path)).begin();
    recorder.enter(|| {
        let segment = begin("/health");
        assert!(!segment.is_recorded());
        assert_eq!(segment.response_header(), None);
        in_subsegment("step", || assert!(!current().is_recorded()));
        drop(segment);
        nothing(&recorder, &captured);
        // Without a path there is nothing to match.
        begin_segment("job").end();
        begin("/health/2").end();
    });
    assert_eq!(captured.segments().len(), 2);
}

#[test]
fn a_segment_of_its_own_begins_inside_as_anywhere() {
    let (recorder, captured) = Recorder::builder().skip_path("/health").in_memory().unwrap();
    recorder.enter(|| {
        let _skipped =
            recorder.request_segment().request(SamplingRequest::new().with_url_path("/health")).begin();
        begin_segment("refresh").end();
        assert_eq!(current().trace_header(), None);
    });
    assert_eq!(captured.segment("refresh").parent_id(), "");
    assert_eq!(recorder.stats().segments, 1);
}
