//! gRPC, over a real tonic server and channel: trailers that never come, streams that break, clients that go away.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tower::{Layer, Service, ServiceExt};
use xray_runtime::{Recorder, XRayGrpcBody, XRayGrpcLayer, XRayLayer};

use crate::support::{Delivered, Found, recorder};

type BoxError = Box<dyn Error + Send + Sync>;

/// A call of `Silent` has come.
static ARRIVED: Notify = Notify::const_new();

/// Answers as no server should; each method another fault.
#[derive(Clone)]
struct Faulty;

impl NamedService for Faulty {
    const NAME: &'static str = "demo.Faulty";
}

impl Service<Request<Body>> for Faulty {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
        Box::pin(async move { Ok(answer(&method).await) })
    }
}

/// One message of gRPC.
const MESSAGE: Bytes = Bytes::from_static(b"\0\0\0\0\x05hello");

async fn answer(method: &str) -> Response<Body> {
    let data = || Ok(Frame::data(MESSAGE));
    let trailers = |status: &'static [u8]| {
        let status = HeaderValue::from_bytes(status).unwrap();
        Ok(Frame::trailers(HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), status)])))
    };
    let frames: Vec<Result<Frame<Bytes>, Status>> = match method {
        "Silent" => {
            ARRIVED.notify_one();
            pending().await
        }
        "Late" => pending().await,
        "Panics" => panic!("the handler gave up"),
        "Without" | "Never" | "Html" => vec![data()],
        "Resets" => vec![data(), Err(Status::data_loss("the disk is gone"))],
        "Junk" => vec![data(), trailers(b"\xff\xfe")],
        "Beyond" => vec![data(), trailers(b"4711")],
        "Twice" => vec![data(), trailers(b"5"), trailers(b"13"), data()],
        other => panic!("no method {other}"),
    };
    let frames = stream::iter(frames);
    let mut response = Response::new(match method {
        "Never" => Body::new(StreamBody::new(frames.chain(stream::pending()))),
        _ => Body::new(StreamBody::new(frames)),
    });
    let kind = if method == "Html" { "text/html" } else { "application/grpc" };
    response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    if method == "Html" {
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

async fn serve(recorder: Recorder, listener: TcpListener) {
    let server = Server::builder().layer(XRayLayer::with_recorder(&recorder)).add_service(Faulty);
    server.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap();
}

/// Client and server with a recorder each.
struct Sides {
    address: SocketAddr,
    recorder: Recorder,
    client: Delivered,
    server: Delivered,
}

impl Sides {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (of_server, server) = recorder();
        tokio::spawn(serve(of_server, listener));
        let (recorder, client) = recorder();
        Self { address, recorder, client, server }
    }

    /// Runs `calls` in a segment.
    async fn run<T>(&self, calls: impl Future<Output = T>) -> T {
        self.recorder.segment("root").instrument(calls).await
    }

    async fn call(&self, method: &str) -> Result<Response<XRayGrpcBody<Body>>, BoxError> {
        call(self.address, method).await
    }

    /// The subsegment of the call, once its segment has ended: exactly once, with nothing lost.
    fn of_client(&self) -> Found {
        self.client.complete(&self.recorder).one("127.0.0.1").clone()
    }
}

async fn call(address: SocketAddr, method: &str) -> Result<Response<XRayGrpcBody<Body>>, BoxError> {
    let endpoint = Endpoint::try_from(format!("http://{address}")).unwrap();
    let endpoint = if method == "Late" { endpoint.timeout(Duration::from_millis(50)) } else { endpoint };
    let layer = XRayGrpcLayer::new().endpoint(endpoint.uri().clone());
    let request = Request::post(format!("/demo.Faulty/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Full::new(MESSAGE).map_err(|never| match never {})))
        .unwrap();
    layer.layer(endpoint.connect_lazy()).oneshot(request).await
}

fn flags(json: &Value) -> [bool; 3] {
    ["error", "throttle", "fault"].map(|flag| json.get(flag) == Some(&true.into()))
}

const ERROR: [bool; 3] = [true, false, false];
const FAULT: [bool; 3] = [false, false, true];
const NONE: [bool; 3] = [false; 3];

fn is_cancelled(json: &Value) -> bool {
    json["annotations"]["cancelled"] == true
}

fn exception(call: &Found) -> &Value {
    &call.json["cause"]["exceptions"][0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_status_that_is_missing_or_none_is_unknown() {
    for (method, expected) in [("Without", FAULT), ("Junk", FAULT), ("Beyond", FAULT), ("Twice", ERROR)] {
        let sides = Sides::new().await;
        sides.run(async { sides.call(method).await.unwrap().into_body().collect().await.unwrap() }).await;
        let (call, segment) = (sides.of_client(), sides.server.next());
        assert_eq!((flags(&call.json), flags(&segment)), (expected, expected), "{method}");
        assert!(!is_cancelled(&call.json) && !is_cancelled(&segment), "{method}");
        assert_eq!(exception(&call)["remote"], true);
        let kind = if method == "Twice" { "NotFound" } else { "Unknown" };
        assert_eq!(exception(&call)["type"], kind, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_stops_half_way_is_cancelled_on_both_sides() {
    let sides = Sides::new().await;
    sides
        .run(async {
            let mut body = sides.call("Never").await.unwrap().into_body();
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), MESSAGE);
        })
        .await;
    let (call, segment) = (sides.of_client(), sides.server.next());
    for json in [&call.json, &segment] {
        assert!(is_cancelled(json), "{json}");
        assert_eq!(flags(json), NONE);
        assert_eq!(json["http"]["response"]["status"], 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_call_that_is_dropped_before_its_answer_is_cancelled_on_both_sides() {
    let sides = Sides::new().await;
    sides
        .run(async {
            tokio::select! {
                _ = sides.call("Silent") => unreachable!("it never answers"),
                () = ARRIVED.notified() => {}
            }
        })
        .await;
    let (call, segment) = (sides.of_client(), sides.server.next());
    for json in [&call.json, &segment] {
        assert!(is_cancelled(json), "{json}");
        assert_eq!(flags(json), NONE);
        assert_eq!(json["http"].get("response"), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deadline_that_passes_is_a_fault_of_the_call_and_cancels_the_server() {
    let sides = Sides::new().await;
    let answer = sides.run(sides.call("Late")).await;
    let failed = answer.expect_err("it never answers");
    assert_eq!(Status::from_error(failed).message(), "Timeout expired", "tonic finds its own error");
    let (call, segment) = (sides.of_client(), sides.server.next());
    assert_eq!(flags(&call.json), FAULT, "{:?}", call.json);
    assert!(!is_cancelled(&call.json), "it has a cause");
    assert!(call.json.to_string().contains("Timeout expired"), "{:?}", call.json);
    assert!(is_cancelled(&segment), "{segment}");
    assert_eq!(flags(&segment), NONE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_panic_of_the_handler_is_a_fault_on_both_sides() {
    let sides = Sides::new().await;
    let answer = sides.run(sides.call("Panics")).await;
    assert!(answer.is_err());
    let (call, segment) = (sides.of_client(), sides.server.next());
    assert_eq!((flags(&call.json), flags(&segment)), (FAULT, FAULT));
    assert_eq!(segment["cause"]["exceptions"][0]["message"], "the handler gave up");
    assert_eq!(exception(&call)["remote"], true, "{:?}", call.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_that_is_reset_is_a_fault_on_both_sides() {
    let sides = Sides::new().await;
    sides
        .run(async {
            // The reset may overtake the headers.
            if let Ok(answer) = sides.call("Resets").await {
                assert!(answer.into_body().collect().await.is_err());
            }
        })
        .await;
    let (call, segment) = (sides.of_client(), sides.server.next());
    assert_eq!((flags(&call.json), flags(&segment)), (FAULT, FAULT));
    assert_eq!(exception(&call)["remote"], true, "{:?}", call.json);
    assert!(!is_cancelled(&call.json) && !is_cancelled(&segment));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_dies_in_the_middle_is_a_remote_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = listener.into_std().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (of_server, _server) = recorder();
    runtime.spawn(async move { serve(of_server, TcpListener::from_std(listener).unwrap()).await });
    let (recorder, client) = recorder();
    recorder
        .segment("root")
        .instrument(async {
            let mut body = call(address, "Never").await.unwrap().into_body();
            body.frame().await.unwrap().unwrap();
            runtime.shutdown_background();
            assert!(body.frame().await.unwrap().is_err());
        })
        .await;
    let call = client.complete(&recorder).one("127.0.0.1").clone();
    assert_eq!(flags(&call.json), FAULT);
    assert_eq!(exception(&call)["remote"], true, "{:?}", call.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_proxy_that_speaks_no_grpc_has_the_flags_of_its_status() {
    let sides = Sides::new().await;
    sides.run(async { sides.call("Html").await.unwrap() }).await;
    let call = sides.of_client();
    assert_eq!(flags(&call.json), FAULT);
    assert_eq!(call.json["http"]["response"]["status"], 503);
    assert!(!is_cancelled(&call.json), "a client does not read such a body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refused_connection_is_our_fault() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (recorder, client) = recorder();
    let answer = recorder.segment("root").instrument(call(address, "Never")).await;
    assert!(answer.is_err());
    let call = client.complete(&recorder).one("127.0.0.1").clone();
    assert_eq!(flags(&call.json), FAULT);
    let exceptions = call.json["cause"]["exceptions"].as_array().unwrap();
    assert!(exceptions.len() > 1, "the chain of causes is there: {exceptions:?}");
    assert!(
        exceptions.iter().all(|exception| exception.get("remote") != Some(&true.into())),
        "{exceptions:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_outlives_its_segment_and_ends_once() {
    let sides = Sides::new().await;
    let mut body = sides.run(async { sides.call("Never").await.unwrap().into_body() }).await;
    body.frame().await.unwrap().unwrap();
    drop(body);
    let call = sides.of_client();
    assert!(is_cancelled(&call.json));
    assert!(is_cancelled(&sides.server.next()));
}
