//! When the segment of a request ends, and how: bodies that stream, end, fail or are dropped; handlers that are dropped or
//! panic; many requests on one thread.

use std::error::Error;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use actix_web::{App, HttpResponse, test, web};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, mpsc, oneshot};
use xray_runtime::{
    AllSampler, Batch, Captured, CapturedEntity, Exporter, FutureExt, Recorder, XRayActix, begin_subsegment,
    current_segment, xray_capture,
};

use crate::server::{get, request, serve};

type Sent = Result<Bytes, Box<dyn Error + Send + Sync>>;

#[xray_capture]
fn render() {}

/// A body of the parts that are sent to it; it calls a captured function for each.
struct Parts {
    parts: mpsc::UnboundedReceiver<Sent>,
    size: BodySize,
}

impl Parts {
    fn new(size: BodySize) -> (mpsc::UnboundedSender<Sent>, Self) {
        let (sender, parts) = mpsc::unbounded_channel();
        (sender, Self { parts, size })
    }
}

impl MessageBody for Parts {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let part = self.parts.poll_recv(cx);
        if let Poll::Ready(Some(_)) = part {
            render();
        }
        part.map_err(|error| error as _)
    }
}

fn data(text: &'static str) -> Sent {
    Ok(Bytes::from_static(text.as_bytes()))
}

async fn next<B: MessageBody>(body: &mut Pin<Box<B>>) -> Option<Result<Bytes, B::Error>> {
    std::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await
}

fn content_length(segment: &CapturedEntity) -> Option<u64> {
    segment.json().pointer("/http/response/content_length")?.as_u64()
}

fn is_cancelled(segment: &CapturedEntity) -> bool {
    segment.annotation("cancelled") == Some(true.into())
}

/// The body of what the middleware makes of this response, and what is recorded.
async fn answer(
    request: TestRequest,
    response: HttpResponse<impl MessageBody + 'static>,
) -> (Pin<Box<impl MessageBody>>, Captured) {
    let (recorder, captured) = Recorder::in_memory();
    let response = Rc::new(Mutex::new(Some(response.map_into_boxed_body())));
    let app = App::new()
        .default_service(web::to(move || {
            let response = response.lock().unwrap().take().unwrap();
            async move { response }
        }))
        .wrap(XRayActix::with_recorder(&recorder));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, request.to_request()).await;
    (Box::pin(response.into_body()), captured)
}

#[tokio::test]
async fn a_streaming_body_is_measured_to_its_end() {
    let (sender, body) = Parts::new(BodySize::Stream);
    let (mut body, captured) = answer(TestRequest::get(), HttpResponse::Ok().body(body)).await;
    for text in ["hello", ", ", "world"] {
        sender.send(data(text)).unwrap();
        assert!(next(&mut body).await.is_some());
        assert!(captured.segments().is_empty(), "the segment ends with the body");
        assert_eq!(xray_runtime::current().trace_id(), None, "nothing stays on the thread");
    }
    drop(sender);
    assert!(next(&mut body).await.is_none());
    let segment = captured.segment("test");
    assert_eq!(content_length(&segment), Some(12));
    assert_eq!(segment.subsegments().len(), 3);
    assert!(!is_cancelled(&segment));
    drop(body);
    assert_eq!(captured.segments().len(), 1);
}

#[tokio::test]
async fn a_dropped_body_is_cancelled() {
    for (size, cancelled) in
        [(BodySize::Stream, true), (BodySize::Sized(9), true), (BodySize::Sized(5), false)]
    {
        let (sender, body) = Parts::new(size);
        let (mut body, captured) = answer(TestRequest::get(), HttpResponse::Ok().body(body)).await;
        sender.send(data("hello")).unwrap();
        next(&mut body).await.unwrap().ok().unwrap();
        drop(body);
        let segment = captured.segment("test");
        assert_eq!((is_cancelled(&segment), segment.is_fault()), (cancelled, false), "{size:?}");
        assert_eq!(content_length(&segment), Some(if size == BodySize::Sized(9) { 9 } else { 5 }));
    }
    let (body, captured) = answer(TestRequest::get(), HttpResponse::Ok().body("unread")).await;
    assert!(captured.segments().is_empty());
    drop(body);
    assert!(is_cancelled(&captured.segment("test")));
}

#[tokio::test]
async fn responses_without_a_body_end_the_segment() {
    let head = || TestRequest::with_uri("/").method(actix_web::http::Method::HEAD);
    let connect = || TestRequest::with_uri("a.example:443").method(actix_web::http::Method::CONNECT);
    for (request, status, length) in [
        (head(), StatusCode::OK, None),
        (connect(), StatusCode::OK, None),
        (TestRequest::get(), StatusCode::SWITCHING_PROTOCOLS, None),
        (TestRequest::get(), StatusCode::NO_CONTENT, None),
        (TestRequest::get(), StatusCode::NOT_MODIFIED, Some(9)),
    ] {
        let (_sender, body) = Parts::new(BodySize::Stream);
        let mut response = HttpResponse::build(status);
        if let Some(length) = length {
            response.insert_header(("content-length", length));
        }
        let (body, captured) = answer(request, response.body(body)).await;
        let segment = captured.segment("test");
        assert!(!is_cancelled(&segment), "{status}");
        assert_eq!(content_length(&segment), length);
        drop(body);
        assert_eq!(captured.segments().len(), 1);
    }
    for (response, length) in [
        (HttpResponse::Ok().finish(), Some(0)),
        (HttpResponse::Ok().body(actix_web::body::None::new()), None),
    ] {
        let (_body, captured) = answer(TestRequest::get(), response).await;
        let segment = captured.segment("test");
        assert_eq!((content_length(&segment), is_cancelled(&segment)), (length, false));
    }
}

#[tokio::test]
async fn whoever_takes_the_body_at_once_has_it_all() {
    let (recorder, captured) = Recorder::in_memory();
    let app =
        App::new().route("/", web::get().to(async || "all of it")).wrap(XRayActix::with_recorder(&recorder));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, TestRequest::get().to_request()).await;
    assert!(captured.segments().is_empty());
    // As middleware around it does that compresses, or boxes.
    let bytes = response.into_body().try_into_bytes().ok().unwrap();
    let segment = captured.segment("test");
    assert_eq!((bytes.as_ref(), content_length(&segment)), (&b"all of it"[..], Some(9)));
    assert!(!is_cancelled(&segment));

    let (sender, body) = Parts::new(BodySize::Stream);
    let (recorder, captured) = Recorder::in_memory();
    let body = Rc::new(Mutex::new(Some(body)));
    let app = App::new()
        .default_service(web::to(move || {
            let body = body.lock().unwrap().take().unwrap();
            async move { HttpResponse::Ok().body(body) }
        }))
        .wrap(XRayActix::with_recorder(&recorder));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, TestRequest::get().to_request()).await;
    // It cannot be had at once: it streams as before.
    let body = response.into_body().try_into_bytes().err().unwrap();
    assert!(captured.segments().is_empty());
    sender.send(data("hello")).unwrap();
    drop(sender);
    let mut body = Box::pin(body);
    while next(&mut body).await.is_some() {}
    assert_eq!(content_length(&captured.segment("test")), Some(5));
}

#[tokio::test]
async fn a_body_that_fails_is_a_fault() {
    let (sender, body) = Parts::new(BodySize::Stream);
    let (mut body, captured) = answer(TestRequest::get(), HttpResponse::Ok().body(body)).await;
    sender.send(data("half")).unwrap();
    sender.send(Err("the disk is gone".into())).unwrap();
    assert!(next(&mut body).await.unwrap().is_ok());
    assert!(next(&mut body).await.unwrap().is_err());
    let segment = captured.segment("test");
    assert!(segment.is_fault() && !is_cancelled(&segment));
    assert_eq!(segment.exceptions().last().map(String::as_str), Some("the disk is gone"));
    assert_eq!(content_length(&segment), Some(4));
}

#[tokio::test]
async fn a_dropped_handler_is_cancelled() {
    let (recorder, captured) = Recorder::in_memory();
    let app = App::new()
        .route(
            "/waits",
            web::get().to(async || {
                render();
                pending::<&'static str>().await
            }),
        )
        .wrap(XRayActix::with_recorder(&recorder));
    let app = test::init_service(app).await;
    let mut response = Box::pin(app.call(TestRequest::get().uri("/waits").to_request()));
    assert!(std::future::poll_fn(|cx| Poll::Ready(response.as_mut().poll(cx))).await.is_pending());
    assert!(captured.segments().is_empty());
    drop(response);
    let segment = captured.segment("test");
    assert!(is_cancelled(&segment) && !segment.is_fault());
    assert_eq!(segment.annotation("route"), Some("/waits".into()));
    segment.subsegment("render");
}

#[tokio::test]
async fn a_panic_is_recorded_and_goes_on() {
    let (recorder, captured) = Recorder::in_memory();
    let app = App::new()
        .wrap_fn(|request: ServiceRequest, inner| {
            if request.path() == "/at-once" {
                panic!("at once");
            }
            inner.call(request)
        })
        .wrap(XRayActix::with_recorder(&recorder));
    let app = test::init_service(app).await;
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| {
        drop(app.call(TestRequest::get().uri("/at-once").to_request()));
    }));
    assert!(caught.is_err());
    let segment = captured.segment("test");
    assert_eq!(segment.exceptions(), ["at once"]);
    assert!(segment.is_fault() && !is_cancelled(&segment));
    assert_eq!(xray_runtime::current().trace_id(), None);

    struct Panics;
    impl MessageBody for Panics {
        type Error = Box<dyn Error>;
        fn size(&self) -> BodySize {
            BodySize::Stream
        }
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
            panic!("in the body")
        }
    }
    let (mut body, captured) = answer(TestRequest::get(), HttpResponse::Ok().body(Panics)).await;
    let polled = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _ = body.as_mut().poll_next(&mut Context::from_waker(std::task::Waker::noop()));
    }));
    assert!(polled.is_err());
    let segment = captured.segment("test");
    assert_eq!(segment.exceptions(), ["in the body"]);
    assert!(!is_cancelled(&segment));
}

/// All are open at once on the one thread of the worker, and go on in turns.
#[tokio::test]
async fn requests_on_one_thread_keep_their_own() {
    const REQUESTS: usize = 16;
    let (recorder, captured) = Recorder::in_memory();
    let barrier = Arc::new(Barrier::new(REQUESTS));
    let served = serve(XRayActix::with_recorder(&recorder), move |config| {
        let barrier = Arc::clone(&barrier);
        config.route(
            "/{number}",
            web::get().to(move |number: web::Path<u64>| {
                let barrier = Arc::clone(&barrier);
                async move {
                    let outer = begin_subsegment("outer");
                    barrier.wait().await;
                    current_segment().put_annotation("number", *number);
                    // A task of the same thread, which need not be `Send`.
                    let local = Rc::new(*number);
                    let spawned = actix_web::rt::spawn(
                        async move {
                            tokio::task::yield_now().await;
                            begin_subsegment("spawned").put_annotation("number", *local);
                        }
                        .in_current_segment(),
                    );
                    spawned.await.unwrap();
                    barrier.wait().await;
                    render();
                    outer.put_annotation("number", *number);
                    "done"
                }
            }),
        );
    });
    let address = served.address;
    let calls: Vec<_> = (0..REQUESTS)
        .map(|number| tokio::spawn(async move { get(address, &format!("/{number}")).await }))
        .collect();
    for call in calls {
        assert!(call.await.unwrap().ends_with("done"));
    }
    let segments = captured.segments();
    assert_eq!(segments.len(), REQUESTS);
    for segment in &segments {
        let number = segment.annotation("number").unwrap();
        assert_eq!(segment.json()["http"]["request"]["url"], format!("http://a.example:8080/{number}"));
        let outer = segment.subsegment("outer");
        assert_eq!(outer.annotation("number").as_ref(), Some(&number));
        assert_eq!(outer.subsegment("spawned").annotation("number").as_ref(), Some(&number));
        outer.subsegment("render");
    }
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.sent, stats.pending), (64, 64, 0));
}

/// A recorder that tells of each document, so that it can be awaited.
fn awaited() -> (Recorder, mpsc::UnboundedReceiver<serde_json::Value>) {
    #[derive(Debug)]
    struct Tell(mpsc::UnboundedSender<serde_json::Value>);
    impl Exporter for Tell {
        fn export(&mut self, batch: &mut Batch) {
            for document in batch.documents() {
                let _ = self.0.send(serde_json::from_str(document.json()).unwrap());
            }
        }
    }
    let (sender, documents) = mpsc::unbounded_channel();
    let builder = Recorder::builder().service("test").sampler(AllSampler).exporter(Tell(sender));
    (builder.build().unwrap(), documents)
}

#[tokio::test]
async fn a_client_that_goes_away_is_seen() {
    let (recorder, mut documents) = awaited();
    let (sender, body) = Parts::new(BodySize::Stream);
    let body = Arc::new(Mutex::new(Some(body)));
    let served = serve(XRayActix::with_recorder(&recorder), move |config| {
        let body = Arc::clone(&body);
        config.route(
            "/",
            web::get().to(move || {
                let body = body.lock().unwrap().take().unwrap();
                async move { HttpResponse::Ok().body(body) }
            }),
        );
    });
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(&request("GET", "/", &[])).await.unwrap();
    sender.send(data("first")).unwrap();
    let mut read = Vec::new();
    while !read.windows(5).any(|window| window == b"first") {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0);
    }
    assert!(documents.try_recv().is_err());
    drop(stream);
    // The server sees it when it writes, at the latest.
    let writes = tokio::spawn(async move {
        while sender.send(data("more")).is_ok() {
            tokio::task::yield_now().await;
        }
    });
    let document = loop {
        let document = documents.recv().await.unwrap();
        // So many parts that some are sent ahead.
        if document.get("type").is_none() {
            break document;
        }
    };
    assert_eq!(document["annotations"]["cancelled"], true, "{document}");
    assert_eq!(document["http"]["response"]["status"], 200);
    writes.await.unwrap();
}

#[tokio::test]
async fn the_recorder_is_that_of_the_middlewares_place() {
    let (recorder, captured) = Recorder::in_memory();
    // Cloned into the workers, where nothing is entered.
    let middleware = recorder.enter(XRayActix::new);
    let served = serve(middleware, |config| {
        config.route("/", web::get().to(async || "ok"));
    });
    get(served.address, "/").await;
    captured.segment("test");
}

#[tokio::test]
async fn no_recorder_no_change() {
    let app = App::new().route("/", web::get().to(async || "ok")).wrap(XRayActix::new());
    let app = test::init_service(app).await;
    let response: ServiceResponse<_> = test::call_service(&app, TestRequest::get().to_request()).await;
    assert!(!response.headers().contains_key("x-amzn-trace-id"));
    assert_eq!(test::read_body(response).await, "ok");
}

/// What a task that outlives its request records is in the request's segment.
#[tokio::test]
async fn a_task_outlives_its_request() {
    let (recorder, mut documents) = awaited();
    let (go, gone) = oneshot::channel();
    let gone = Arc::new(Mutex::new(Some(gone)));
    let served = serve(XRayActix::with_recorder(&recorder), move |config| {
        let gone = Arc::clone(&gone);
        config.route(
            "/",
            web::get().to(move || {
                let gone = gone.lock().unwrap().take().unwrap();
                async move {
                    let task = async move {
                        let step = begin_subsegment("late");
                        gone.await.unwrap();
                        step.end();
                    };
                    actix_web::rt::spawn(task.in_current_segment());
                    tokio::task::yield_now().await;
                    "ok"
                }
            }),
        );
    });
    assert!(get(served.address, "/").await.ends_with("ok"));
    go.send(()).unwrap();
    let mut seen = Vec::new();
    while !seen.iter().any(|text: &String| text.contains("\"late\"")) {
        seen.push(documents.recv().await.unwrap().to_string());
    }
}
