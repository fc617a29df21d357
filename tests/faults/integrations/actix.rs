//! Servers of actix-web: clients that go away, handlers that panic, bodies without an end, requests that are too large, and a
//! server that stops in the middle.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::Value;
use tokio::sync::Notify;
use xray_runtime::{Recorder, XRayActix, in_subsegment};

use crate::support::{Delivered, SOON, recorder};

/// What the handler of `/slow` waits for; one test asks it.
static GO_ON: Notify = Notify::const_new();

/// A server with one worker, whose handlers tell that they were reached.
struct Server {
    address: SocketAddr,
    recorder: Recorder,
    delivered: Delivered,
    arrived: Receiver<&'static str>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

fn endless() -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::repeat(Bytes::from_static(b"and on ")).map(Ok)
}

fn routes(config: &mut web::ServiceConfig, arrived: Sender<&'static str>) {
    config
        .app_data(web::Data::new(arrived))
        .route("/ok", web::get().to(async || "ok"))
        .route(
            "/waits",
            web::get().to(async |arrived: web::Data<Sender<&'static str>>| {
                in_subsegment("before", || ());
                arrived.send("waits").unwrap();
                std::future::pending::<&'static str>().await
            }),
        )
        .route(
            "/slow",
            web::get().to(async |arrived: web::Data<Sender<&'static str>>| {
                arrived.send("slow").unwrap();
                GO_ON.notified().await;
                "done"
            }),
        )
        .route(
            "/panics",
            web::get().to(async || {
                actix_web::rt::task::yield_now().await;
                if true {
                    panic!("the handler gave up");
                }
                "never"
            }),
        )
        .route("/endless", web::get().to(async || HttpResponse::Ok().streaming(endless())))
        .route(
            "/stalls",
            web::get().to(async || HttpResponse::Ok().streaming(endless().take(1).chain(stream::pending()))),
        );
}

impl Server {
    fn new() -> Self {
        let (recorder, delivered) = recorder();
        let (sender, arrived) = channel();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let middleware = XRayActix::with_recorder(&recorder);
        let server = HttpServer::new(move || {
            let sender = sender.clone();
            App::new().wrap(middleware.clone()).configure(|config| routes(config, sender))
        })
        .workers(1)
        .disable_signals()
        // So that a client that goes away is noticed while a handler waits.
        .h1_allow_half_closed(false)
        .shutdown_timeout(10)
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        let thread = std::thread::spawn(move || actix_web::rt::System::new().block_on(server).unwrap());
        Self { address, recorder, delivered, arrived, handle, thread: Some(thread) }
    }

    /// A connection on which this was sent.
    fn sent(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(request).unwrap();
        stream
    }

    fn ask(&self, path: &str) -> TcpStream {
        self.sent(format!("GET {path} HTTP/1.1\r\nhost: faults\r\n\r\n").as_bytes())
    }

    /// A whole exchange.
    fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: faults\r\nconnection: close\r\n\r\n");
        rest(self.sent(request.as_bytes()))
    }

    fn arrived(&self, handler: &str) {
        assert_eq!(self.arrived.recv_timeout(SOON).unwrap(), handler);
    }

    /// All that was recorded was seen.
    fn nothing_is_left(&self) {
        assert!(self.delivered.flushed(&self.recorder).is_empty());
        let stats = self.recorder.stats();
        assert_eq!((stats.pending, stats.dropped()), (0, 0), "{stats:?}");
    }

    fn stop(&mut self) {
        drop(self.handle.stop(false));
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop();
        }
    }
}

/// What comes until the server closes, or resets.
fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn read_until(stream: &mut TcpStream, text: &str) {
    let mut read = Vec::new();
    let mut part = [0; 4096];
    while !String::from_utf8_lossy(&read).contains(text) {
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&part[..length]);
    }
}

fn is_cancelled(document: &Value) -> bool {
    document["annotations"]["cancelled"] == true
}

fn is_fault(document: &Value) -> bool {
    document["fault"] == true
}

#[test]
fn a_client_that_goes_away_while_the_handler_waits_is_cancelled() {
    let server = Server::new();
    let stream = server.ask("/waits");
    server.arrived("waits");
    drop(stream);
    let document = server.delivered.next();
    assert!(is_cancelled(&document) && !is_fault(&document), "{document}");
    assert_eq!(document["annotations"]["route"], "/waits");
    assert_eq!(document["http"].get("response"), None);
    assert_eq!(document["subsegments"][0]["name"], "before");
    assert!(server.get("/ok").ends_with("ok"));
    assert!(!is_cancelled(&server.delivered.next()));
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_a_body_is_cancelled() {
    let server = Server::new();
    for path in ["/endless", "/stalls"] {
        let mut stream = server.ask(path);
        read_until(&mut stream, "and on");
        assert!(server.delivered.0.try_recv().is_err(), "the body goes on");
        drop(stream);
        let document = server.delivered.next();
        assert!(is_cancelled(&document) && !is_fault(&document), "{document}");
        assert_eq!(document["http"]["response"]["status"], 200);
        assert!(document["http"]["response"]["content_length"].as_u64().unwrap() >= 7, "{document}");
    }
    server.nothing_is_left();
}

#[test]
fn a_body_that_never_ends_holds_up_nobody() {
    let server = Server::new();
    let mut stalled = server.ask("/stalls");
    read_until(&mut stalled, "and on");
    for _ in 0..50 {
        assert!(server.get("/ok").ends_with("ok"));
    }
    // Its segment is open: a flush is of what has ended.
    assert_eq!(server.delivered.complete(&server.recorder).entities.len(), 50);
    drop(stalled);
    assert!(is_cancelled(&server.delivered.next()));
}

#[test]
fn handlers_that_panic_leave_the_thread_as_it_was() {
    let server = Server::new();
    for _ in 0..20 {
        assert_eq!(server.get("/panics"), "", "the connection is closed");
        assert!(server.get("/ok").ends_with("ok"));
    }
    let documents: Vec<_> = (0..40).map(|_| server.delivered.next()).collect();
    let (panicked, fine): (Vec<_>, Vec<_>) = documents.iter().partition(|document| is_fault(document));
    assert_eq!((panicked.len(), fine.len()), (20, 20));
    for document in panicked {
        assert_eq!(document["cause"]["exceptions"][0]["message"], "the handler gave up");
        assert_eq!(document["annotations"]["route"], "/panics");
        assert!(!is_cancelled(document), "{document}");
    }
    for document in fine {
        assert_eq!((document.get("cause"), document.get("parent_id")), (None, None), "{document}");
    }
}

#[test]
fn headers_that_are_huge_or_junk_fit_into_a_document() {
    let server = Server::new();
    let long = "a".repeat(10_000);
    let mut answered = 0;
    for name in ["user-agent", "x-amzn-trace-id", "x-forwarded-for", "host"] {
        for value in [long.as_bytes(), b"\xff\xfe\xc3\x28", b"Root=;;=;\tSampled=1", b""] {
            let host = if name == "host" { "" } else { "host: faults\r\n" };
            let head = format!("GET /ok?{long} HTTP/1.1\r\nconnection: close\r\n{host}{name}: ");
            let mut request = head.into_bytes();
            request.extend_from_slice(value);
            request.extend_from_slice(b"\r\n\r\n");
            let answer = rest(server.sent(&request));
            // What actix-web refuses itself never comes to a middleware.
            if !answer.starts_with("HTTP/1.1 200") {
                assert!(
                    answer.starts_with("HTTP/1.1 400") && !answer.contains("x-amzn-trace-id"),
                    "{answer}"
                );
                continue;
            }
            answered += 1;
            assert!(answer.contains("x-amzn-trace-id: Root=1-"), "{answer}");
            let document = server.delivered.next();
            for text in ["url", "user_agent", "client_ip"] {
                let text = document["http"]["request"][text].as_str().unwrap_or_default();
                assert!(text.chars().count() <= 250, "{document}");
            }
        }
    }
    assert!(answered >= 12, "{answered}");
    // A head of more than actix-web takes, and one that never ends.
    let answer =
        rest(server.sent(format!("GET /ok HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(400_000)).as_bytes()));
    assert!(!answer.contains("200 OK"), "{answer}");
    drop(server.sent(b"GET /ok HTTP/1.1\r\nhost:"));
    assert!(server.get("/ok").ends_with("ok"));
    assert_eq!(server.delivered.next()["http"]["response"]["status"], 200);
    server.nothing_is_left();
}

#[test]
fn requests_that_are_sent_at_once_are_segments_of_their_own() {
    let server = Server::new();
    let one = "GET /ok HTTP/1.1\r\nhost: faults\r\n\r\n";
    let last = "GET /ok HTTP/1.1\r\nhost: faults\r\nconnection: close\r\n\r\n";
    let answers = rest(server.sent((one.repeat(9) + last).as_bytes()));
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 10);
    assert_eq!(server.delivered.complete(&server.recorder).entities.len(), 10);
}

#[test]
fn a_server_that_stops_finishes_what_it_answers() {
    let mut server = Server::new();
    let slow = server.ask("/slow");
    server.arrived("slow");
    // The command is given here; the future only waits for its end.
    drop(server.handle.stop(true));
    GO_ON.notify_one();
    server.thread.take().unwrap().join().unwrap();
    assert!(rest(slow).ends_with("done"));
    let document = server.delivered.next();
    assert!(!is_cancelled(&document), "{document}");
    assert_eq!(document["http"]["response"]["status"], 200);
}

#[test]
fn a_server_that_is_stopped_by_force_leaves_no_segment_open() {
    let mut server = Server::new();
    let waits = server.ask("/waits");
    server.arrived("waits");
    let mut stalled = server.ask("/stalls");
    read_until(&mut stalled, "and on");
    server.stop();
    for _ in 0..2 {
        assert!(is_cancelled(&server.delivered.next()));
    }
    drop((waits, stalled));
    server.nothing_is_left();
}
