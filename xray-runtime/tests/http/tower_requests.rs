//! A real axum server and a real client: what a request leaves in the document, and what it gets back.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};
use xray_runtime::{Captured, NoneSampler, Recorder, StatusFlags, XRayLayer, xray_capture};

use crate::served::{collecting, serve};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

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

async fn served() -> (String, Captured) {
    let (recorder, captured) = Recorder::in_memory();
    (serve(router(XRayLayer::with_recorder(&recorder))).await, captured)
}

fn get_request(url: String) -> reqwest::RequestBuilder {
    reqwest::Client::builder().user_agent("tests/1").build().unwrap().get(url)
}

/// Sends the request, reads the whole response and returns its trace header.
async fn send(request: reqwest::RequestBuilder) -> String {
    let response = request.send().await.unwrap();
    let header = response.headers()["x-amzn-trace-id"].to_str().unwrap().to_owned();
    response.bytes().await.unwrap();
    header
}

fn only(captured: &Captured) -> Value {
    let documents = captured.documents();
    assert_eq!(documents.len(), 1, "{documents:?}");
    captured.clear();
    documents[0].clone()
}

#[tokio::test]
async fn a_request_is_a_segment() {
    let (base, captured) = served().await;
    let header = send(get_request(format!("{base}/api/notifications?token=secret"))).await;
    let segment = captured.segment("test");
    assert_eq!(header, format!("Root={}", segment.trace_id()));
    let http = json!({
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

/// As the SDK for Python does it, but for spaces, lower-case keys and invalid ids, which it takes wrongly.
#[tokio::test]
async fn the_trace_header_goes_in_and_out() {
    let (base, captured) = served().await;
    let parent = "53995c3f42cd8ad8";
    let adopted = [
        (format!("Root={ROOT};Parent={parent};Sampled=1"), Some(parent), ""),
        (format!("Root={ROOT};Parent={parent};Sampled=?"), Some(parent), ";Sampled=1"),
        (format!("Root={ROOT}"), None, ""),
        (format!("Self=1-1-1;Root={ROOT};CalledFrom=app;Lineage=a:1"), None, ""),
        (format!("Root={ROOT}; Parent={parent}; Sampled=1"), Some(parent), ""),
        (format!("root={ROOT};PARENT={parent};sampled=1;"), Some(parent), ""),
    ];
    for (sent, parent, asked) in adopted {
        let request = get_request(format!("{base}/status/200")).header("X-Amzn-Trace-Id", &sent);
        assert_eq!(send(request).await, format!("Root={ROOT}{asked}"), "{sent}");
        let document = only(&captured);
        assert_eq!(document["trace_id"], ROOT, "{sent}");
        assert_eq!(document.get("parent_id").and_then(Value::as_str), parent, "{sent}");
    }
    for sent in ["garbage", "Root=not-a-trace-id;Parent=zz", &format!("Parent={parent};Sampled=1")] {
        let request = get_request(format!("{base}/status/200")).header("X-Amzn-Trace-Id", sent);
        let header = send(request).await;
        let document = only(&captured);
        assert_eq!(header, format!("Root={}", document["trace_id"].as_str().unwrap()));
        assert!(!header.contains("not-a-trace-id"));
        assert_eq!(document.get("parent_id"), None, "{sent}");
    }
}

#[tokio::test]
async fn what_is_not_sampled_has_its_header_too() {
    let (base, captured) = served().await;
    let request = get_request(format!("{base}/api/notifications"))
        .header("X-Amzn-Trace-Id", format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0"));
    assert_eq!(send(request).await, format!("Root={ROOT}"));
    assert!(captured.documents().is_empty());

    let (recorder, documents) = collecting(|builder| builder.sampler(NoneSampler));
    let base = serve(router(XRayLayer::with_recorder(&recorder))).await;
    let request = get_request(format!("{base}/api/notifications"))
        .header("X-Amzn-Trace-Id", format!("Root={ROOT};Sampled=?"));
    assert_eq!(send(request).await, format!("Root={ROOT};Sampled=0"));
    assert!(documents.all(&recorder).is_empty());
    assert_eq!(recorder.stats().recorded, 0);
}

#[tokio::test]
async fn head_has_the_length_that_get_would_have() {
    let (base, captured) = served().await;
    let response = reqwest::Client::new().head(format!("{base}/api/notifications")).send().await.unwrap();
    assert_eq!(response.headers()["content-length"], "2");
    let document = only(&captured);
    assert_eq!(document["http"]["request"]["method"], "HEAD");
    assert_eq!(document["http"]["response"], json!({ "status": 200, "content_length": 2 }));
    assert_eq!(document["annotations"], json!({ "route": "/api/notifications" }));
}

#[tokio::test]
async fn statuses_have_their_flags() {
    let (base, captured) = served().await;
    for (status, flags) in [
        (200, [false, false, false]),
        (204, [false, false, false]),
        (304, [false, false, false]),
        (400, [true, false, false]),
        (404, [true, false, false]),
        (429, [true, true, false]),
        (500, [false, false, true]),
        (503, [false, false, true]),
    ] {
        send(get_request(format!("{base}/status/{status}"))).await;
        let document = only(&captured);
        assert_eq!(document["http"]["response"]["status"], status);
        let found = ["error", "throttle", "fault"].map(|flag| document.get(flag) == Some(&true.into()));
        assert_eq!(found, flags, "{status}");
        assert_eq!(document["annotations"], json!({ "route": "/status/{code}" }));
    }
}

#[tokio::test]
async fn a_status_may_mean_something_else() {
    let (recorder, documents) = collecting(|builder| builder.status(404, StatusFlags::NONE));
    let base = serve(router(XRayLayer::with_recorder(&recorder))).await;
    send(get_request(format!("{base}/status/404"))).await;
    let document = documents.only(&recorder);
    assert_eq!((document.get("error"), document.get("fault")), (None, None));
}

#[tokio::test]
async fn routes_are_templates() {
    let (base, captured) = served().await;
    send(get_request(format!("{base}/v1/users/7"))).await;
    let document = only(&captured);
    assert_eq!(document["annotations"]["route"], "/v1/users/{id}");
    assert_eq!(document["http"]["request"]["url"], format!("{base}/v1/users/7"));
    send(get_request(format!("{base}/nope"))).await;
    let document = only(&captured);
    assert_eq!(document["http"]["response"]["status"], 404);
    assert_eq!(document.get("annotations"), None);
    // On the nested router itself: the address is what the client asked for, not what is left of it.
    let (recorder, captured) = Recorder::in_memory();
    let nested =
        Router::new().route("/users/{id}", get(async || "user")).layer(XRayLayer::with_recorder(&recorder));
    let base = serve(Router::new().nest("/v1", nested)).await;
    send(get_request(format!("{base}/v1/users/7"))).await;
    let document = only(&captured);
    assert_eq!(document["http"]["request"]["url"], format!("{base}/v1/users/7"));
    assert_eq!(document["annotations"]["route"], "/v1/users/{id}");
}

#[tokio::test]
async fn the_client_is_found_behind_proxies() {
    let client = |document: &Value| {
        let request = &document["http"]["request"];
        (request["client_ip"].as_str().unwrap().to_owned(), request.get("x_forwarded_for").is_some())
    };
    for (hops, expected) in [
        (None, ("198.51.100.1", true)),
        (Some(1), ("10.0.0.1", true)),
        (Some(2), ("203.0.113.7", true)),
        (Some(4), ("127.0.0.1", false)),
    ] {
        let (recorder, documents) =
            collecting(|builder| hops.into_iter().fold(builder, |builder, hops| builder.trusted_hops(hops)));
        let base = serve(router(XRayLayer::with_recorder(&recorder))).await;
        // Two lines of one header are one list.
        let request = get_request(format!("{base}/status/200"))
            .header("X-Forwarded-For", " , 198.51.100.1")
            .header("X-Forwarded-For", "203.0.113.7, 10.0.0.1");
        send(request).await;
        let (address, forwarded) = client(&documents.only(&recorder));
        assert_eq!((address.as_str(), forwarded), expected, "{hops:?}");
    }
}

#[tokio::test]
async fn the_host_names_the_segment() {
    let (recorder, documents) =
        collecting(|builder| builder.service("Cruddur").dynamic_naming("*.cruddur.com"));
    let base = serve(router(XRayLayer::with_recorder(&recorder))).await;
    for (host, name) in [("api.cruddur.com", "api.cruddur.com"), ("evil.example", "Cruddur")] {
        send(get_request(format!("{base}/status/200")).header("Host", host)).await;
        let document = documents.only(&recorder);
        assert_eq!(document["name"], name);
        assert_eq!(document["http"]["request"]["url"], format!("http://{host}/status/200"));
    }
}

#[tokio::test]
async fn options_change_what_is_recorded() {
    let (recorder, captured) = Recorder::in_memory();
    let layer = XRayLayer::with_recorder(&recorder)
        .keep_query(true)
        .forwarded(true)
        .scheme("https")
        .skip_path("/status/2*")
        .response_header(false);
    let base = serve(router(layer)).await;
    let response = get_request(format!("{base}/status/200")).send().await.unwrap();
    assert!(!response.headers().contains_key("x-amzn-trace-id"));
    assert!(captured.documents().is_empty());
    let response = get_request(format!("{base}/status/404?q=1"))
        .header("X-Forwarded-Host", "shop.example, inner.example")
        .send()
        .await
        .unwrap();
    assert!(!response.headers().contains_key("x-amzn-trace-id"));
    assert_eq!(only(&captured)["http"]["request"]["url"], "https://shop.example/status/404?q=1");
    let request = get_request(format!("{base}/status/404"))
        .header("Host", "a.example")
        .header("X-Forwarded-Proto", "wss://evil/");
    request.send().await.unwrap();
    assert_eq!(only(&captured)["http"]["request"]["url"], "https://a.example/status/404");
}

#[tokio::test]
async fn the_recorder_is_that_of_the_layers_place() {
    let (recorder, captured) = Recorder::in_memory();
    let router = recorder.enter(|| router(XRayLayer::new()));
    // Served by another thread, where nothing is entered.
    let base = serve(router).await;
    tokio::spawn(async move { send(get_request(format!("{base}/status/200"))).await }).await.unwrap();
    assert_eq!(only(&captured)["http"]["response"]["status"], 200);
}

#[tokio::test]
async fn a_disabled_recorder_leaves_requests_alone() {
    let (recorder, documents) = collecting(|builder| builder.enabled(false));
    let base = serve(router(XRayLayer::with_recorder(&recorder))).await;
    let response = get_request(format!("{base}/api/notifications")).send().await.unwrap();
    assert!(!response.headers().contains_key("x-amzn-trace-id"));
    assert_eq!(response.text().await.unwrap(), "[]");
    assert!(documents.all(&recorder).is_empty());
}

#[tokio::test]
async fn a_peer_may_be_an_extension() {
    use tower::ServiceExt;
    let (recorder, captured) = Recorder::in_memory();
    let mut request = axum::http::Request::get("/status/204").body(axum::body::Body::empty()).unwrap();
    let peer: SocketAddr = "[::ffff:192.0.2.1]:80".parse().unwrap();
    request.extensions_mut().insert(peer);
    router(XRayLayer::with_recorder(&recorder)).oneshot(request).await.unwrap();
    let document = only(&captured);
    // Without a host there is no more to say than the path.
    assert_eq!(
        document["http"]["request"],
        json!({ "method": "GET", "url": "/status/204", "client_ip": "192.0.2.1" })
    );
}
