//! Lambda freezes a function wherever it is, thaws it long after, or never; its API refuses answers, its daemon is gone. No invocation may
//! carry the trace of another, none may wait for what hangs, and what has ended is not lost. Alone in its process: it starts itself, as
//! functions.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub
)]

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use xray_runtime::{
    Batch, Exporter, FutureExt, Recorder, XRayLambdaLayer, current, in_subsegment, xray_capture,
};

#[allow(dead_code)]
#[path = "../../../xray-runtime/tests/lambda_api/mod.rs"]
mod lambda_api;

use lambda_api::{Double, Function, SOON, role, run};

fn main() -> Result<(), Error> {
    if let Some(role) = role() {
        return function(&role);
    }
    run(&[
        ("frozen in the middle", frozen_in_the_middle),
        ("frozen anywhere", frozen_anywhere),
        ("frozen with work in the background", frozen_with_background),
        ("never thawed", never_thawed),
        ("an answer that is refused", refused),
        ("an exporter that hangs", hanging_exporter),
        ("no daemon", no_daemon),
        ("headers that are junk", junk_headers),
    ]);
    Ok(())
}

// The functions.

#[derive(Debug)]
struct Hangs;

impl Exporter for Hangs {
    fn export(&mut self, _: &mut Batch) {
        loop {
            std::thread::park();
        }
    }
}

fn function(role: &str) -> Result<(), Error> {
    let builder = Recorder::builder().service("orders");
    let builder = if role == "hanging" { builder.exporter(Hangs) } else { builder };
    let xray = builder.install()?;
    let timeout = if role == "hanging" { Duration::from_millis(100) } else { SOON };
    let layer = XRayLambdaLayer::new().flush_timeout(timeout);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let ended =
        runtime.block_on(async { Runtime::new(layer.handler(service_fn(handle))).layer(layer).run().await });
    if role == "hanging" {
        // The guard would wait for it once more.
        std::mem::forget(xray);
    }
    ended
}

/// Waits until the test opens the gate.
#[xray_capture]
async fn wait_at(gate: String) -> Result<(), std::io::Error> {
    let mut byte = [0];
    tokio::net::TcpStream::connect(gate).await?.read_exact(&mut byte).await.map(drop)
}

/// Answers with the header that a call would carry.
async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let header = || current().trace_header().map(|header| header.to_string());
    let before = header();
    in_subsegment("before", || ());
    if let Some(gate) = event.payload["gate"].as_str().map(str::to_owned) {
        if event.payload["background"] == true {
            let work = async move {
                wait_at(gate).await?;
                in_subsegment("late", || ());
                Ok::<(), std::io::Error>(())
            };
            drop(xray_runtime::spawn(work.in_subsegment("background")));
            // It has begun when the test sees it at the gate.
        } else {
            wait_at(gate).await?;
        }
    }
    in_subsegment("after", || ());
    assert_eq!(header(), before);
    Ok(json!({ "header": before }))
}

// The tests.

fn header(n: usize) -> String {
    format!("Root=1-5759e988-{n:024x};Parent={n:016x};Sampled=1")
}

fn trace(n: usize) -> String {
    format!("1-5759e988-{n:024x}")
}

fn names(documents: &[Value]) -> Vec<&str> {
    documents.iter().map(|document| document["name"].as_str().unwrap()).collect()
}

#[track_caller]
fn of_trace(documents: &[Value], n: usize) {
    for document in documents {
        assert_eq!(document["trace_id"], trace(n), "{document}");
        assert!(document["end_time"].as_f64() >= document["start_time"].as_f64(), "{document}");
    }
}

fn pid(function: &Function) -> Pid {
    Pid::from_raw(i32::try_from(function.0.id()).unwrap())
}

/// As Lambda does with all of a sandbox; returns when it stands still.
fn freeze(function: &Function) {
    kill(pid(function), Signal::SIGSTOP).unwrap();
    let stopped = waitpid(pid(function), Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(pid(function), Signal::SIGSTOP));
}

fn thaw(function: &Function) {
    kill(pid(function), Signal::SIGCONT).unwrap();
}

struct Gate(TcpListener);

impl Gate {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// Somebody waits at it.
    fn reached(&self) -> TcpStream {
        self.0.accept().unwrap().0
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn frozen_in_the_middle() {
    let (double, gate) = (Double::new(), Gate::new());
    let function = double.function("orders", &[]);
    double.invoke(Some(&header(1)), json!({ "gate": gate.address() }));
    let mut waiting = gate.reached();
    // What has ended does not wait for the rest: that may never be thawed.
    let mut delivered = double.document("before");
    freeze(&function);
    assert_eq!(names(&delivered), ["before"]);
    // The time for which it is frozen.
    let frozen = Duration::from_millis(300);
    std::thread::sleep(frozen);
    double.invoke(Some(&header(2)), json!({}));
    let thawed = now();
    thaw(&function);
    waiting.write_all(b"!").unwrap();
    assert!(double.answer().json()["header"].as_str().unwrap().starts_with(&format!("Root={};", trace(1))));
    assert!(double.answer().json()["header"].as_str().unwrap().starts_with(&format!("Root={};", trace(2))));
    let rest = double.delivered(3);
    let (first, second): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|document| document["trace_id"] == trace(1)[..]);
    delivered.extend(first);
    assert_eq!(names(&delivered), ["before", "wait_at", "after", "## handler"]);
    of_trace(&delivered, 1);
    assert_eq!(names(&second), ["before", "after", "## handler"]);
    of_trace(&second, 2);
    let time = |document: &Value, key: &str| document[key].as_f64().unwrap();
    for document in [&delivered[1], &delivered[3]] {
        let took = time(document, "end_time") - time(document, "start_time");
        assert!(took >= frozen.as_secs_f64(), "{took} {document}");
    }
    for document in delivered[2..3].iter().chain(&second) {
        assert!(time(document, "start_time") >= thawed - 0.001, "{thawed} {document}");
        assert!(time(document, "end_time") <= now() + 0.001, "{document}");
    }
}

fn frozen_anywhere() {
    let double = Double::new();
    let function = double.function("orders", &[]);
    double.delivered(1);
    for n in 1..=40 {
        double.invoke(Some(&header(n)), json!({}));
        // A bit later each time: before the event, in the handler, while the answer goes out, in the wait for delivery.
        let at = Instant::now() + Duration::from_micros(40 * n as u64);
        while Instant::now() < at {
            std::hint::spin_loop();
        }
        freeze(&function);
        thaw(&function);
        let answer = double.answer().json();
        assert!(answer["header"].as_str().unwrap().starts_with(&format!("Root={};", trace(n))), "{answer}");
        let delivered = double.delivered(n + 1);
        assert_eq!(names(&delivered), ["before", "after", "## handler"], "{n}");
        of_trace(&delivered, n);
    }
}

fn frozen_with_background() {
    let (double, gate) = (Double::new(), Gate::new());
    let function = double.function("orders", &[]);
    double.invoke(Some(&header(1)), json!({ "gate": gate.address(), "background": true }));
    double.answer();
    let mut waiting = gate.reached();
    let mut first = double.delivered(2);
    freeze(&function);
    double.invoke(Some(&header(2)), json!({}));
    thaw(&function);
    let answer = double.answer().json();
    assert!(answer["header"].as_str().unwrap().starts_with(&format!("Root={};", trace(2))), "{answer}");
    let second = double.delivered(3);
    let (late, second): (Vec<_>, Vec<_>) =
        second.into_iter().partition(|document| document["trace_id"] == trace(1)[..]);
    assert_eq!(names(&second), ["before", "after", "## handler"]);
    of_trace(&second, 2);
    first.extend(late);
    // In the time of an invocation that nobody has yet.
    waiting.write_all(b"!").unwrap();
    while !first.iter().any(|document| document["name"] == "background" && document["end_time"].is_number()) {
        first.extend(double.document("background"));
    }
    assert!(first.iter().all(|document| document["trace_id"] == trace(1)[..]), "{first:?}");
    let ended = |name: &str| {
        let mut found =
            first.iter().filter(|document| document["name"] == name && document["end_time"].is_number());
        let one = found.next().unwrap_or_else(|| panic!("no {name} in {first:?}"));
        assert!(found.next().is_none(), "{name} ended once: {first:?}");
        one
    };
    assert_eq!(ended("background")["parent_id"], ended("## handler")["id"]);
    for name in ["late", "wait_at"] {
        let inner = first.iter().find(|document| document["name"] == name).unwrap();
        assert_eq!(inner["parent_id"], ended("background")["id"]);
    }
}

fn never_thawed() {
    let (double, gate) = (Double::new(), Gate::new());
    let mut function = double.function("orders", &[]);
    double.invoke(Some(&header(1)), json!({ "gate": gate.address() }));
    let _waiting = gate.reached();
    let delivered = double.document("before");
    assert_eq!(names(&delivered), ["before"]);
    // It took too long: Lambda ends it, and starts another.
    function.0.kill().unwrap();
    function.0.wait().unwrap();
    of_trace(&delivered, 1);
    let _function = double.function("orders", &[]);
    double.invoke(Some(&header(2)), json!({}));
    double.answer();
    let delivered = double.delivered(3);
    of_trace(&delivered, 2);
    assert_eq!(delivered[2]["annotations"], json!({ "ColdStart": true }));
}

fn refused() {
    let double = Double::new();
    let _function = double.function("orders", &[]);
    // The invocation is over for Lambda.
    double.answer_with(410);
    double.invoke(Some(&header(1)), json!({}));
    double.answer();
    let delivered = double.delivered(2);
    assert_eq!(names(&delivered), ["before", "after", "## handler"]);
    double.answer_with(202);
    double.invoke(Some(&header(2)), json!({}));
    double.answer();
    of_trace(&double.delivered(3), 2);
}

fn hanging_exporter() {
    let double = Double::new();
    let _function = double.function("hanging", &[]);
    for n in 1..=5 {
        double.invoke(Some(&header(n)), json!({}));
        assert!(!double.answer().is_error);
    }
    assert!(double.delivered(6).is_empty());
}

fn no_daemon() {
    let double = Double::new();
    let dead = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for address in [dead.as_str(), "no.such.host.invalid:2000", "not an address"] {
        let begun = Instant::now();
        let function = double.function("orders", &[("AWS_XRAY_DAEMON_ADDRESS", address)]);
        double.invoke(Some(&header(1)), json!({}));
        assert!(!double.answer().is_error, "{address}");
        assert!(begun.elapsed() < SOON, "{address}");
        drop(function);
    }
}

fn junk_headers() {
    let double = Double::new();
    let _function = double.function("orders", &[]);
    let long = format!("Root={};Parent=0000000000000001;Sampled=1;k={}", trace(1), "x".repeat(4_000));
    let junk =
        ["", ";;;", "Root", "Root=;Parent=;Sampled=", "Root=1-2-3;Parent=4;Sampled=1", "\u{e9}=\u{e9}"];
    for header in junk {
        double.invoke(Some(header), json!({}));
        assert_eq!(double.answer().json(), json!({ "header": null }), "{header:?}");
    }
    assert!(double.delivered(junk.len() + 1).is_empty());
    // The caller's data has a bound.
    double.invoke(Some(&long), json!({}));
    assert!(double.answer().json()["header"].as_str().unwrap().ends_with(";Sampled=1"));
    of_trace(&double.delivered(junk.len() + 2), 1);
}
