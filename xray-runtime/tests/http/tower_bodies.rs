//! When the segment of a request ends, and how: bodies that stream, end, fail or are dropped; handlers that fail,
//! panic or are dropped; what strangers send.

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use tokio::sync::{mpsc, oneshot};
use tower::{Layer, ServiceExt, service_fn};
use xray_runtime::{Captured, CapturedEntity, Recorder, XRayBody, XRayLayer, xray_capture};

use crate::served;

type BoxError = Box<dyn Error + Send + Sync>;
type Sent = Result<Frame<Bytes>, BoxError>;

#[xray_capture]
fn render() {}

/// A body of the frames that are sent to it; it calls a captured function for each.
struct Frames {
    frames: mpsc::UnboundedReceiver<Sent>,
    gone: Option<oneshot::Sender<()>>,
}

impl Frames {
    fn new() -> (mpsc::UnboundedSender<Sent>, oneshot::Receiver<()>, Self) {
        let (sender, frames) = mpsc::unbounded_channel();
        let (gone, dropped) = oneshot::channel();
        (sender, dropped, Self { frames, gone: Some(gone) })
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        if let Some(gone) = self.gone.take() {
            let _ = gone.send(());
        }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Sent>> {
        let frame = self.frames.poll_recv(cx);
        if let Poll::Ready(Some(_)) = frame {
            render();
        }
        frame
    }
}

fn data(text: &'static str) -> Sent {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

fn get() -> Request<()> {
    Request::get("http://a.example/").body(()).unwrap()
}

/// What the client gets where the handler answers with `response`, and what is recorded.
async fn answer<B: Body>(request: Request<()>, response: Response<B>) -> (Response<XRayBody<B>>, Captured) {
    let (recorder, captured) = Recorder::in_memory();
    let mut response = Some(response);
    let handler = service_fn(move |_: Request<()>| {
        let response = response.take().unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let response = XRayLayer::with_recorder(&recorder).layer(handler).oneshot(request).await.unwrap();
    (response, captured)
}

fn content_length(segment: &CapturedEntity) -> Option<u64> {
    segment.json().pointer("/http/response/content_length")?.as_u64()
}

fn is_cancelled(segment: &CapturedEntity) -> bool {
    segment.annotation("cancelled") == Some(true.into())
}

#[tokio::test]
async fn a_streaming_body_is_measured_to_its_end() {
    let (sender, _, body) = Frames::new();
    let (response, captured) = answer(get(), Response::new(body)).await;
    let mut body = response.into_body();
    for text in ["hello", ", ", "world"] {
        sender.send(data(text)).unwrap();
        assert!(body.frame().await.is_some());
        assert!(captured.segments().is_empty(), "the segment ends with the body");
    }
    drop(sender);
    assert!(body.frame().await.is_none());
    let segment = captured.segment("test");
    assert_eq!(content_length(&segment), Some(12));
    assert_eq!(segment.subsegments().len(), 3);
    assert!(segment.subsegments().iter().all(|child| child.name() == "render"));
    assert!(!is_cancelled(&segment));
    drop(body);
    assert_eq!(captured.segments().len(), 1);
}

#[tokio::test]
async fn nothing_of_the_segment_stays_on_the_thread_between_polls() {
    let (sender, _, body) = Frames::new();
    let (response, captured) = answer(get(), Response::new(body)).await;
    assert_eq!(xray_runtime::current().trace_id(), None);
    let mut body = response.into_body();
    sender.send(data("x")).unwrap();
    body.frame().await.unwrap().unwrap();
    assert_eq!(xray_runtime::current().trace_id(), None);
    drop(body);
    assert_eq!(xray_runtime::current().trace_id(), None);
    assert_eq!(captured.segments().len(), 1);
}

#[tokio::test]
async fn what_call_does_before_its_future_is_recorded() {
    let (recorder, captured) = Recorder::in_memory();
    let mut service = XRayLayer::with_recorder(&recorder).layer(service_fn(|_: Request<()>| {
        render();
        std::future::ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    }));
    let response = tower::Service::call(&mut service, get());
    assert_eq!(xray_runtime::current().trace_id(), None);
    response.await.unwrap();
    captured.segment("test").subsegment("render");
}

#[tokio::test]
async fn a_dropped_body_is_cancelled() {
    let (sender, _, body) = Frames::new();
    let (response, captured) = answer(get(), Response::new(body)).await;
    let mut body = response.into_body();
    sender.send(data("hello")).unwrap();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let segment = captured.segment("test");
    assert!(is_cancelled(&segment));
    assert!(!segment.is_fault());
    assert_eq!(content_length(&segment), Some(5));
}

/// Many requests at once on two threads: a body is not polled where its handler ran.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_move_between_threads() {
    let (recorder, captured) = Recorder::in_memory();
    let handler = async || {
        let (sender, _, body) = Frames::new();
        tokio::spawn(async move {
            for _ in 0..20 {
                sender.send(data("0123456789")).unwrap();
                tokio::task::yield_now().await;
            }
        });
        axum::body::Body::new(body)
    };
    let router = axum::Router::new()
        .route("/", axum::routing::get(handler))
        .layer(XRayLayer::with_recorder(&recorder));
    let base = served::serve(router).await;
    let client = reqwest::Client::new();
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let request = client.get(&base);
            tokio::spawn(async move { request.send().await.unwrap().bytes().await.unwrap().len() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
    let segments = captured.segments();
    assert_eq!(segments.len(), 16);
    for segment in &segments {
        assert_eq!(content_length(segment), Some(200));
        assert_eq!(segment.subsegments().len(), 20);
        assert!(!is_cancelled(segment));
    }
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.sent, stats.pending), (16 * 21, 16 * 21, 0));
}

#[tokio::test]
async fn a_client_that_goes_away_is_seen() {
    let (recorder, captured) = Recorder::in_memory();
    let (sender, dropped, body) = Frames::new();
    let body = Arc::new(Mutex::new(Some(body)));
    let router = axum::Router::new()
        .route(
            "/",
            axum::routing::get(async move || axum::body::Body::new(body.lock().unwrap().take().unwrap())),
        )
        .layer(XRayLayer::with_recorder(&recorder));
    let base = served::serve(router).await;
    sender.send(data("first")).unwrap();
    let mut response = reqwest::get(&base).await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "first");
    drop(response);
    dropped.await.unwrap();
    assert!(is_cancelled(&captured.segment("test")));
}

#[tokio::test]
async fn servers_drop_bodies_that_are_complete() {
    // As hyper does once Content-Length is reached, or where the body says so.
    let (sender, _, body) = Frames::new();
    let response = Response::builder().header("Content-Length", "5").body(body).unwrap();
    let (response, captured) = answer(get(), response).await;
    let mut body = response.into_body();
    sender.send(data("hello")).unwrap();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let segment = captured.segment("test");
    assert!(!is_cancelled(&segment));
    assert_eq!(content_length(&segment), Some(5));

    let (response, captured) = answer(get(), Response::new(Full::<Bytes>::from("hi"))).await;
    assert!(captured.segments().is_empty());
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    let segment = captured.segment("test");
    assert!(!is_cancelled(&segment));
    assert_eq!(content_length(&segment), Some(2));

    let (response, captured) = answer(get(), Response::new(Empty::<Bytes>::new())).await;
    assert_eq!(content_length(&captured.segment("test")), Some(0));
    drop(response);
    assert_eq!(captured.segments().len(), 1);

    let (response, captured) = answer(get(), Response::new(Full::<Bytes>::from("unread"))).await;
    drop(response);
    assert!(is_cancelled(&captured.segment("test")));
}

#[tokio::test]
async fn responses_without_a_body_end_the_segment() {
    let head = || Request::head("http://a.example/").body(()).unwrap();
    let switching = || Request::get("http://a.example/ws").body(()).unwrap();
    let connect = || Request::connect("a.example:443").body(()).unwrap();
    for (request, status, length) in [
        (head(), StatusCode::OK, Some("9")),
        (head(), StatusCode::OK, None),
        (switching(), StatusCode::SWITCHING_PROTOCOLS, None),
        (connect(), StatusCode::OK, None),
        (get(), StatusCode::NO_CONTENT, None),
        (get(), StatusCode::NOT_MODIFIED, Some("9")),
    ] {
        let (_sender, _, body) = Frames::new();
        let mut response = Response::builder().status(status);
        if let Some(length) = length {
            response = response.header("Content-Length", length);
        }
        let (response, captured) = answer(request, response.body(body).unwrap()).await;
        let segment = captured.segment("test");
        assert!(!is_cancelled(&segment), "{status}");
        assert_eq!(content_length(&segment), length.map(|length| length.parse().unwrap()));
        assert_eq!(segment.json().pointer("/http/response/status"), Some(&status.as_u16().into()));
        drop(response);
        assert_eq!(captured.segments().len(), 1);
    }
}

#[tokio::test]
async fn a_body_that_fails_is_a_fault() {
    let (sender, _, body) = Frames::new();
    let (response, captured) = answer(get(), Response::new(body)).await;
    sender.send(data("half")).unwrap();
    sender.send(Err("the disk is gone".into())).unwrap();
    assert_eq!(response.into_body().collect().await.unwrap_err().to_string(), "the disk is gone");
    let segment = captured.segment("test");
    assert!(segment.is_fault() && !is_cancelled(&segment));
    assert_eq!(segment.exceptions(), ["the disk is gone"]);
    assert_eq!(content_length(&segment), Some(4));
}

#[tokio::test]
async fn grpc_says_in_its_trailers_how_it_went() {
    for (code, flags) in [
        ("0", [false, false, false]),
        ("5", [true, false, false]),
        ("8", [true, true, false]),
        ("13", [false, false, true]),
        ("nonsense", [false, false, true]),
    ] {
        let mut status = HeaderMap::new();
        status.insert("grpc-status", HeaderValue::from_static(code));
        let (sender, _, body) = Frames::new();
        let (response, in_trailers) = answer(get(), Response::new(body)).await;
        sender.send(data("message")).unwrap();
        sender.send(Ok(Frame::trailers(status.clone()))).unwrap();
        drop(sender);
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&status));
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.headers_mut() = status;
        let (_, in_headers) = answer(get(), response).await;
        for captured in [in_trailers, in_headers] {
            let segment = captured.segment("test");
            assert_eq!([segment.is_error(), segment.is_throttle(), segment.is_fault()], flags, "{code}");
        }
    }
}

#[tokio::test]
async fn trailers_follow_a_body_of_known_length() {
    let (response, captured) = answer(
        get(),
        Response::new(Full::<Bytes>::from("message").with_trailers(async {
            tokio::task::yield_now().await;
            Some(Ok(HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                HeaderValue::from_static("13"),
            )])))
        })),
    )
    .await;
    response.into_body().collect().await.unwrap();
    assert!(captured.segment("test").is_fault());
}

#[tokio::test]
async fn a_dropped_handler_is_cancelled() {
    let (recorder, captured) = Recorder::in_memory();
    let handler = service_fn(|_: Request<()>| async {
        render();
        pending::<Result<Response<Full<Bytes>>, Infallible>>().await
    });
    let mut response = Box::pin(XRayLayer::with_recorder(&recorder).layer(handler).oneshot(get()));
    assert!(std::future::poll_fn(|cx| Poll::Ready(response.as_mut().poll(cx))).await.is_pending());
    assert!(captured.segments().is_empty());
    drop(response);
    let segment = captured.segment("test");
    assert!(is_cancelled(&segment) && !segment.is_fault());
    segment.subsegment("render");
}

#[tokio::test]
async fn a_panic_is_recorded_and_goes_on() {
    let (recorder, captured) = Recorder::in_memory();
    let layer = XRayLayer::with_recorder(&recorder);
    let later = layer.layer(service_fn(|_: Request<()>| async {
        tokio::task::yield_now().await;
        if true {
            panic!("out of cheese");
        }
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let panicked = tokio::spawn(later.oneshot(get())).await.unwrap_err();
    assert!(panicked.is_panic());
    let segment = captured.segment("test");
    assert!(segment.is_fault() && !is_cancelled(&segment));
    assert_eq!(segment.exceptions(), ["out of cheese"]);
    captured.clear();

    // Before there is a future, and in a body.
    let mut at_once = layer.layer(service_fn(|_: Request<()>| {
        if true {
            panic!("at once");
        }
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    }));
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| {
        drop(tower::Service::call(&mut at_once, get()));
    }));
    assert!(caught.is_err());
    assert_eq!(captured.segment("test").exceptions(), ["at once"]);
    assert_eq!(xray_runtime::current().trace_id(), None);

    struct Panics;
    impl Body for Panics {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            panic!("in the body")
        }
    }
    let (response, captured) = answer(get(), Response::new(Panics)).await;
    assert!(tokio::spawn(response.into_body().collect()).await.unwrap_err().is_panic());
    let segment = captured.segment("test");
    assert_eq!(segment.exceptions(), ["in the body"]);
    assert!(!is_cancelled(&segment));
}

#[tokio::test]
async fn a_service_that_fails_is_a_fault() {
    struct Opaque;
    let (recorder, captured) = Recorder::in_memory();
    let layer = XRayLayer::with_recorder(&recorder);
    let opaque = layer
        .layer(service_fn(|_: Request<()>| async { Err::<Response<Full<Bytes>>, _>(Opaque) }))
        .oneshot(get());
    assert!(opaque.await.is_err());
    let segment = captured.segment("test");
    assert!(segment.is_fault());
    let exception = segment.json().pointer("/cause/exceptions/0").unwrap().clone();
    assert!(exception["type"].as_str().unwrap().ends_with("Opaque"), "{exception}");
    assert_eq!(exception["message"], "the service returned an error");
    captured.clear();

    let boxed = layer
        .layer(service_fn(|_: Request<()>| async {
            Err::<Response<Full<Bytes>>, BoxError>("no such tenant".into())
        }))
        .oneshot(get());
    assert!(boxed.await.is_err());
    assert_eq!(captured.segment("test").exceptions(), ["no such tenant"]);
}

#[tokio::test]
async fn services_in_services_have_traces_of_their_own_recorders() {
    let (inner_recorder, inner_captured) = Recorder::in_memory();
    let (outer_recorder, outer_captured) = Recorder::in_memory();
    let inner = XRayLayer::with_recorder(&inner_recorder).layer(service_fn(|_: Request<()>| async {
        render();
        tokio::task::yield_now().await;
        render();
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("inner")))
    }));
    let outer = XRayLayer::with_recorder(&outer_recorder).layer(service_fn(move |_: Request<()>| {
        let inner = inner.clone();
        async move {
            let mut request = get();
            let header = xray_runtime::current().trace_header().unwrap().to_string();
            request.headers_mut().insert("x-amzn-trace-id", header.parse().unwrap());
            let response = inner.oneshot(request).await?;
            render();
            Ok::<_, Infallible>(response)
        }
    }));
    let response = outer.oneshot(get()).await.unwrap();
    response.into_body().collect().await.unwrap();
    let (outer, inner) = (outer_captured.segment("test"), inner_captured.segment("test"));
    assert_eq!(inner.parent_id(), outer.id());
    assert_eq!(inner.trace_id(), outer.trace_id());
    assert_eq!((inner.subsegments().len(), outer.subsegments().len()), (2, 1));
}

#[tokio::test]
async fn what_strangers_send_breaks_nothing() {
    let (recorder, captured) = Recorder::in_memory();
    let huge = vec![b'a'; 64 * 1024];
    let hostile: [&[u8]; 6] = [
        b"",
        b"\xff\xfe;Root=\xc3\x28;Sampled=?",
        b"=;;=;Root==;Parent=;Sampled=1;\tLineage=\x80\x81",
        &huge,
        b"Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=1",
        b"{{constructor}}<script>%00%0d%0aSet-Cookie: a=b",
    ];
    for value in hostile {
        for name in ["x-amzn-trace-id", "host", "user-agent", "x-forwarded-for", "content-length"] {
            let handler = service_fn(|_: Request<()>| async {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("ok")))
            });
            let mut request = Request::get("/a%00b?c").body(()).unwrap();
            request.headers_mut().insert(name, HeaderValue::from_bytes(value).unwrap());
            let service = XRayLayer::with_recorder(&recorder).forwarded(true).layer(handler);
            let response = service.oneshot(request).await.unwrap();
            let header = response.headers()["x-amzn-trace-id"].to_str().unwrap().to_owned();
            assert!(header.starts_with("Root=1-") && header.len() <= 50, "{header}");
            response.into_body().collect().await.unwrap();
            let segment = captured.segment("test");
            for text in ["/http/request/url", "/http/request/user_agent", "/http/request/client_ip"] {
                let text =
                    segment.json().pointer(text).and_then(serde_json::Value::as_str).unwrap_or_default();
                assert!(text.chars().count() <= 250);
            }
            captured.clear();
        }
    }
    // What the handler says of its own response may be nonsense too.
    let response = Response::builder()
        .header("Content-Length", HeaderValue::from_bytes(b"\xff99999999999999999999").unwrap())
        .header("X-Amzn-Trace-Id", "Root=of-another-service")
        .body(Full::<Bytes>::from("four"))
        .unwrap();
    let (response, captured) = answer(get(), response).await;
    assert_eq!(response.headers().get_all("x-amzn-trace-id").iter().count(), 1);
    let header = response.headers()["x-amzn-trace-id"].to_str().unwrap().to_owned();
    response.into_body().collect().await.unwrap();
    let segment = captured.segment("test");
    assert_eq!(header, format!("Root={}", segment.trace_id()));
    assert_eq!(content_length(&segment), Some(4));
}

#[tokio::test]
async fn no_recorder_no_change() {
    let handler =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("ok"))) });
    let response = XRayLayer::new().layer(handler).oneshot(get()).await.unwrap();
    assert!(response.headers().is_empty());
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
}
