//! One table of requests for two servers. Their documents have to be equal, field by field, but for ids, times and the frames
//! of stacks.

use std::net::SocketAddr;

use actix_web::web;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use futures_util::stream::{self, StreamExt as _};
use http_body_util::StreamBody;
use serde_json::Value;
use tokio::net::TcpListener;
use xray_runtime::{
    NoneSampler, Recorder, RecorderBuilder, StatusFlags, XRayActix, XRayLayer, begin_subsegment, current,
    xray_capture,
};

use crate::served::{Documents, collecting};
use crate::server::{self, Served, header, request, send};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const PARENT: &str = "53995c3f42cd8ad8";

#[xray_capture("notifications-activities")]
async fn notifications() -> &'static str {
    tokio::task::yield_now().await;
    let step = begin_subsegment("step");
    tokio::task::yield_now().await;
    step.put_annotation("after", "an await");
    "[]"
}

#[xray_capture]
fn render() {}

fn parts<E>() -> impl stream::Stream<Item = Result<bytes::Bytes, E>> {
    stream::iter(["hello", ", ", "world"]).map(|text| {
        render();
        Ok(bytes::Bytes::from_static(text.as_bytes()))
    })
}

/// Says what is current, to whoever asks.
fn traced() -> String {
    current().trace_header().map(|header| header.to_string()).unwrap_or_default()
}

async fn panics() {
    tokio::task::yield_now().await;
    if true {
        panic!("out of cheese");
    }
}

mod of_axum {
    use axum::body::Body;
    use axum::extract::Path;
    use axum::http::{Response, StatusCode};

    use super::*;

    async fn status(Path(code): Path<u16>) -> StatusCode {
        StatusCode::from_u16(code).unwrap()
    }

    pub(super) fn router(layer: XRayLayer) -> Router {
        let streamed = || {
            Body::new(StreamBody::new(parts::<std::io::Error>().map(|part| part.map(http_body::Frame::data))))
        };
        let nested = Router::new().route("/users/{id}", get(async || "user"));
        Router::new()
            .route("/api/notifications", get(notifications))
            .route("/status/{code}", get(status))
            .route("/any", any(async || "any"))
            .route("/traced", get(async || traced()))
            .route("/stream", get(async move || streamed()))
            .route(
                "/length",
                get(async move || {
                    Response::builder().header("content-length", "12").body(streamed()).unwrap()
                }),
            )
            .route("/own", get(async || [("x-amzn-trace-id", "Root=of-another")].into_response()))
            .route("/panics", get(panics))
            .nest("/v1", nested)
            .layer(layer)
    }
}

mod of_actix {
    use actix_web::http::StatusCode;
    use actix_web::{HttpResponse, Responder};

    use super::*;

    async fn status(code: web::Path<u16>) -> impl Responder {
        HttpResponse::new(StatusCode::from_u16(*code).unwrap())
    }

    pub(super) fn routes(config: &mut web::ServiceConfig) {
        config
            .service(
                web::resource("/api/notifications")
                    .route(web::get().to(notifications))
                    .route(web::head().to(notifications)),
            )
            .route("/status/{code}", web::get().to(status))
            .service(web::resource("/any").to(async || "any"))
            .route("/traced", web::get().to(async || traced()))
            .route(
                "/stream",
                web::get().to(async || HttpResponse::Ok().streaming(parts::<actix_web::Error>())),
            )
            .route(
                "/length",
                web::get()
                    .to(async || HttpResponse::Ok().no_chunking(12).streaming(parts::<actix_web::Error>())),
            )
            .route(
                "/own",
                web::get().to(async || {
                    HttpResponse::Ok().insert_header(("x-amzn-trace-id", "Root=of-another")).finish()
                }),
            )
            .route(
                "/panics",
                web::get().to(async || {
                    panics().await;
                    HttpResponse::Ok().finish()
                }),
            )
            .service(web::scope("/v1").route("/users/{id}", web::get().to(async || "user")));
    }
}

struct Side {
    address: SocketAddr,
    recorder: Recorder,
    documents: Documents,
}

struct Both {
    axum: Side,
    actix: Side,
    _served: Served,
}

/// Both servers with the same settings and options.
macro_rules! both {
    ($settings:expr, |$layer:ident| $options:expr) => {{
        let settings: fn(RecorderBuilder) -> RecorderBuilder = $settings;
        let (recorder, documents) = collecting(settings);
        let $layer = XRayLayer::with_recorder(&recorder);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = of_axum::router($options).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        let axum = Side { address, recorder, documents };

        let (recorder, documents) = collecting(settings);
        let $layer = XRayActix::with_recorder(&recorder);
        let served = server::serve($options, of_actix::routes);
        let actix = Side { address: served.address, recorder, documents };
        Both { axum, actix, _served: served }
    }};
    ($settings:expr) => {
        both!($settings, |layer| layer)
    };
}

impl Side {
    /// What is recorded of a request, and the trace header and body of its response.
    async fn ask(&self, request: &[u8]) -> (Vec<Value>, String, String) {
        let answer = send(self.address, request).await;
        let mut documents = self.documents.all(&self.recorder);
        let stats = self.recorder.stats();
        assert_eq!((stats.pending, stats.dropped()), (0, 0), "{stats:?}");
        let trace_id = documents.first().map(|document| document["trace_id"].as_str().unwrap().to_owned());
        documents.iter_mut().for_each(without_chance);
        let header = header(&answer, "x-amzn-trace-id").unwrap_or("none").to_owned();
        let id_of_header = header.strip_prefix("Root=").map_or("", |rest| rest.split(';').next().unwrap());
        assert!(trace_id.is_none_or(|id| header == "none" || id == id_of_header), "{header}");
        let header = match id_of_header {
            "" | ROOT => header,
            id => header.replace(id, "its own"),
        };
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        (documents, header, body)
    }
}

impl Both {
    /// The documents, which are the same.
    async fn ask(&self, request: &[u8]) -> (Vec<Value>, String) {
        let name = String::from_utf8_lossy(request).into_owned();
        let (of_axum, header, _) = self.axum.ask(request).await;
        let (of_actix, other_header, _) = self.actix.ask(request).await;
        assert_eq!(of_actix, of_axum, "{name}");
        assert_eq!(other_header, header, "{name}");
        (of_actix, header)
    }

    async fn only(&self, request: &[u8]) -> Value {
        let (mut documents, _) = self.ask(request).await;
        assert_eq!(documents.len(), 1, "{documents:?}");
        documents.remove(0)
    }
}

/// Takes away what differs from request to request.
fn without_chance(entity: &mut Value) {
    let fields = entity.as_object_mut().unwrap();
    for field in ["id", "start_time", "end_time"] {
        assert!(fields.remove(field).is_some(), "{field}");
    }
    if fields.get("trace_id").is_some_and(|id| id != ROOT) {
        fields.remove("trace_id");
    }
    if let Some(cause) = fields.get_mut("cause").and_then(Value::as_object_mut) {
        for exception in cause.get_mut("exceptions").and_then(Value::as_array_mut).into_iter().flatten() {
            let exception = exception.as_object_mut().unwrap();
            for field in ["id", "stack", "truncated"] {
                exception.remove(field);
            }
        }
    } else if fields.get("cause").is_some_and(Value::is_string) {
        // The id of an exception below.
        fields.insert("cause".into(), "below".into());
    }
    for child in fields.get_mut("subsegments").and_then(Value::as_array_mut).into_iter().flatten() {
        without_chance(child);
    }
}

#[tokio::test]
async fn requests_of_all_kinds() {
    let both = both!(|builder| builder);
    let huge = "h".repeat(3_000);
    let cases = [
        ("GET", "/api/notifications?token=secret", vec![("user-agent", "tests/1")]),
        ("HEAD", "/api/notifications", vec![]),
        ("GET", "/v1/users/7", vec![]),
        ("GET", "/nope", vec![]),
        ("GET", "/v1/nope", vec![]),
        ("POST", "/any", vec![("content-length", "0")]),
        ("PATCH", "/any?a=b", vec![]),
        ("OPTIONS", "/any", vec![]),
        ("TRACE", "/any", vec![]),
        ("PURGE", "/any", vec![]),
        ("GET", "http://a.example:8080/any?x#y", vec![]),
        ("GET", "/any/%00%ff//../b", vec![]),
        ("GET", "/any", vec![("host", "")]),
        ("GET", "/any", vec![("user-agent", "")]),
        ("GET", "/any", vec![("user-agent", &huge)]),
        ("GET", "/any", vec![("user-agent", "ü\u{1F980}")]),
        ("GET", "/any", vec![("x-forwarded-for", &huge)]),
        ("GET", "/any", vec![("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.7")]),
        ("GET", "/any", vec![("x-forwarded-for", " , ,")]),
        ("GET", "/any", vec![("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")]),
        ("GET", "/own", vec![]),
        ("GET", "/stream", vec![]),
        ("GET", "/length", vec![]),
        ("GET", "/panics", vec![]),
    ];
    for (method, target, headers) in cases {
        both.only(&request(method, target, &headers)).await;
    }
    // What there is to see, once: both could be wrong alike.
    let document =
        both.only(&request("GET", "/api/notifications?token=secret", &[("user-agent", "tests/1")])).await;
    let http = serde_json::json!({
        "request": {
            "method": "GET",
            "url": "http://a.example:8080/api/notifications",
            "user_agent": "tests/1",
            "client_ip": "127.0.0.1",
        },
        "response": { "status": 200, "content_length": 2 },
    });
    assert_eq!(document["http"], http);
    assert_eq!(document["annotations"]["route"], "/api/notifications");
    let handler = &document["subsegments"][0];
    assert_eq!(handler["name"], "notifications-activities");
    assert_eq!(handler["subsegments"][0]["annotations"]["after"], "an await");
    let document = both.only(&request("GET", "/stream", &[])).await;
    assert_eq!(document["http"]["response"]["content_length"], 12);
    assert_eq!(document["subsegments"].as_array().unwrap().len(), 3, "{document}");
    let document = both.only(&request("GET", "/panics", &[])).await;
    assert_eq!((&document["fault"], &document["annotations"]["route"]), (&true.into(), &"/panics".into()));
    assert_eq!(document["cause"]["exceptions"][0]["message"], "out of cheese");
    assert_eq!(both.only(&request("GET", "/nope", &[])).await.get("annotations"), None);
    // HTTP/1.0 has no host.
    let document = both.only(b"GET /any?x=1 HTTP/1.0\r\n\r\n").await;
    assert_eq!(document["http"]["request"]["url"], "/any");
    // Bytes that are no text.
    both.only(b"GET /any HTTP/1.1\r\nconnection: close\r\nhost: a\r\nuser-agent: \xff\xfe\r\nx-forwarded-for: \xc3\x28\r\n\r\n").await;
}

#[tokio::test]
async fn statuses() {
    let both = both!(|builder| builder.status(418, StatusFlags::NONE).status(302, StatusFlags::FAULT));
    for status in [200, 201, 204, 205, 302, 304, 400, 401, 403, 404, 418, 429, 499, 500, 503, 599] {
        let document = both.only(&request("GET", &format!("/status/{status}"), &[])).await;
        assert_eq!(document["http"]["response"]["status"], status);
        let flags = ["error", "throttle", "fault"].map(|flag| document.get(flag) == Some(&true.into()));
        let expected = match status {
            418 => [false; 3],
            429 => [true, true, false],
            400..500 => [true, false, false],
            302 | 500.. => [false, false, true],
            _ => [false; 3],
        };
        assert_eq!(flags, expected, "{status}");
    }
}

#[tokio::test]
async fn trace_headers() {
    let both = both!(|builder| builder);
    for (sent, expected) in [
        (format!("Root={ROOT};Parent={PARENT};Sampled=1"), format!("Root={ROOT}")),
        (format!("Root={ROOT};Parent={PARENT};Sampled=?"), format!("Root={ROOT};Sampled=1")),
        (format!("Root={ROOT}"), format!("Root={ROOT}")),
        (format!("Self=1-1-1;Root={ROOT};CalledFrom=app;Lineage=a:1"), format!("Root={ROOT}")),
        (format!("root={ROOT}; PARENT={PARENT};sampled=1;"), format!("Root={ROOT}")),
        ("garbage".into(), "Root=its own".into()),
        ("Root=not-a-trace-id;Parent=zz".into(), "Root=its own".into()),
        (format!("Parent={PARENT};Sampled=1"), "Root=its own".into()),
        (String::new(), "Root=its own".into()),
    ] {
        let (documents, header) = both.ask(&request("GET", "/any", &[("X-Amzn-Trace-Id", &sent)])).await;
        assert_eq!((documents.len(), header), (1, expected), "{sent}");
    }
    // The handler's calls go on with it.
    let sent = format!("Root={ROOT};Parent={PARENT};Sampled=1");
    for side in [&both.axum, &both.actix] {
        let (_, _, body) = side.ask(&request("GET", "/traced", &[("X-Amzn-Trace-Id", &sent)])).await;
        assert!(body.starts_with(&format!("Root={ROOT};Parent=")) && body.ends_with(";Sampled=1"), "{body}");
        assert!(!body.contains(PARENT), "{body}");
    }
}

#[tokio::test]
async fn what_is_not_sampled() {
    let not_sampled = format!("Root={ROOT};Parent={PARENT};Sampled=0");
    let asks = format!("Root={ROOT};Sampled=?");
    let both = both!(|builder| builder.sampler(NoneSampler));
    for (sent, expected) in
        [(&not_sampled, format!("Root={ROOT}")), (&asks, format!("Root={ROOT};Sampled=0"))]
    {
        let (documents, header) =
            both.ask(&request("GET", "/api/notifications", &[("X-Amzn-Trace-Id", sent)])).await;
        assert_eq!((documents.len(), header), (0, expected));
        for side in [&both.axum, &both.actix] {
            let (_, _, body) = side.ask(&request("GET", "/traced", &[("X-Amzn-Trace-Id", sent)])).await;
            assert!(body.starts_with(&format!("Root={ROOT}")) && body.ends_with(";Sampled=0"), "{body}");
        }
    }
    assert_eq!(both.actix.recorder.stats().recorded, 0);
}

#[tokio::test]
async fn sampling_and_names_look_at_the_request() {
    let both = both!(|builder| builder.service("Cruddur").dynamic_naming("api.*").sampling_rules(
        r#"{"version":2,"default":{"fixed_target":0,"rate":0},"rules":[
            {"host":"*.cruddur.com","http_method":"GET","url_path":"/any*","fixed_target":0,"rate":1}]}"#
    ));
    for (method, target, host, name) in [
        ("GET", "/any", "api.cruddur.com", Some("api.cruddur.com")),
        ("GET", "/any", "www.cruddur.com", Some("Cruddur")),
        ("POST", "/any", "api.cruddur.com", None),
        ("GET", "/nope", "api.cruddur.com", None),
        ("GET", "/any", "api.example", None),
    ] {
        let (documents, _) = both.ask(&request(method, target, &[("host", host)])).await;
        let found = documents.first().map(|document| document["name"].as_str().unwrap());
        assert_eq!(found, name, "{method} {host}{target}");
    }
}

#[tokio::test]
async fn clients_behind_proxies() {
    let forwarded = [("x-forwarded-for", " , 198.51.100.1"), ("x-forwarded-for", "203.0.113.7, 10.0.0.1")];
    for (both, expected) in [
        (both!(|builder| builder.trusted_hops(1)), "10.0.0.1"),
        (both!(|builder| builder.trusted_hops(2)), "203.0.113.7"),
        (both!(|builder| builder.trusted_hops(4)), "127.0.0.1"),
    ] {
        let document = both.only(&request("GET", "/any", &forwarded)).await;
        assert_eq!(document["http"]["request"]["client_ip"], expected);
    }
}

#[tokio::test]
async fn options() {
    let both = both!(|builder| builder, |layer| layer
        .keep_query(true)
        .forwarded(true)
        .scheme("https")
        .skip_path("/status/2*")
        .response_header(false));
    let (documents, header) = both.ask(&request("GET", "/status/200", &[])).await;
    assert_eq!((documents.len(), header.as_str()), (0, "none"));
    for (headers, url) in [
        (vec![], "https://a.example:8080/status/404?q=1"),
        (vec![("x-forwarded-host", "shop.example, inner.example")], "https://shop.example/status/404?q=1"),
        (vec![("x-forwarded-proto", "wss"), ("x-forwarded-host", "b")], "wss://b/status/404?q=1"),
        (vec![("x-forwarded-proto", "wss://evil/")], "https://a.example:8080/status/404?q=1"),
    ] {
        let (documents, header) = both.ask(&request("GET", "/status/404?q=1", &headers)).await;
        assert_eq!((documents[0]["http"]["request"]["url"].as_str(), header.as_str()), (Some(url), "none"));
    }

    // A skipped path lets a trace of others through.
    let both = both!(|builder| builder.skip_path("/traced"));
    let sent = format!("Root={ROOT};Parent={PARENT};Sampled=1");
    for side in [&both.axum, &both.actix] {
        let asked = side.ask(&request("GET", "/traced", &[("X-Amzn-Trace-Id", &sent)])).await;
        assert_eq!(asked, (vec![], "none".into(), sent.clone()));
    }

    let both = both!(|builder| builder.enabled(false));
    let (documents, header) = both.ask(&request("GET", "/any", &[])).await;
    assert_eq!((documents.len(), header.as_str()), (0, "none"));
}
