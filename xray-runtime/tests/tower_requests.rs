//! A real axum server and a real client: what a request leaves in the document, and what it gets back.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use xray_runtime::{Captured, Recorder, XRayLayer, xray_capture};


#[xray_capture("notifications-activities")]
async fn notifications() -> &'static str {
    tokio::task::yield_now().await;
    "[]"
}

async fn status(Path(code): Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

fn router(layer: XRayLayer) -> Router {
    let nested = Router::new().route("/users/{id}", get(async || "user"));
    Router::new()
        .route("/api/notifications", get(notifications))
        .route("/status/{code}", get(status))
        .nest("/v1", nested)
        .layer(layer)
}

/// Serves on loopback until the test's runtime ends.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}

async fn served(change: impl FnOnce(XRayLayer) -> XRayLayer) -> (String, Captured) {
    let (recorder, captured) = Recorder::in_memory();
    let base = serve(router(change(XRayLayer::with_recorder(&recorder)))).await;
    (base, captured)
}

fn get_request(url: String) -> reqwest::RequestBuilder {
    reqwest::Client::builder().user_agent("tests/1").build().unwrap().get(url)
}

fn trace_header(response: &reqwest::Response) -> &str {
    response.headers()["x-amzn-trace-id"].to_str().unwrap()
}

#[tokio::test]
async fn a_request_is_a_segment() {
    let (base, captured) = served(|layer| layer).await;
    let response = get_request(format!("{base}/api/notifications?token=secret")).send().await.unwrap();
    let header = trace_header(&response).to_owned();
    assert_eq!(response.text().await.unwrap(), "[]");
    let segment = captured.segment("test");
    assert_eq!(header, format!("Root={}", segment.trace_id()));
    let http = serde_json::json!({
        "request": {
            "method": "GET",
            "url": format!("{base}/api/notifications"),
            "user_agent": "tests/1",
            "client_ip": "127.0.0.1",
        },
        "response": { "status": 200, "content_length": 2 },
    });
    assert_eq!(segment.json()["http"], http);
    assert_eq!(segment.annotation("route"), Some("/api/notifications".into()));
    assert_eq!(segment.annotation("cancelled"), None);
    assert_eq!(segment.subsegment("notifications-activities").subsegments().len(), 0);
}
