//! Functions of Lambda: the real runtime before a double of Lambda's API, and their documents at a daemon's address. Alone in
//! their processes, as what Lambda says stands in the environment.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

use std::collections::BTreeMap;
use std::time::SystemTime;

use axum::Router;
use axum::routing::get;
use futures_util::stream;
use lambda_http::Adapter;
use lambda_runtime::{Error, FunctionResponse, LambdaEvent, Runtime, StreamResponse, service_fn};
use serde_json::{Value, json};
use xray_runtime::{
    Recorder, RecorderGuard, XRayLambdaLayer, XRayLayer, begin_subsegment, current, in_segment,
    in_subsegment, xray_capture,
};

#[allow(dead_code)]
mod lambda_api;

use lambda_api::{Double, SOON, role, run};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const PARENT: &str = "53995c3f42cd8ad8";

fn header(n: usize) -> String {
    format!("Root=1-5759e988-{n:024x};Parent={n:016x};Sampled=1;Lineage=1:a:0")
}

fn main() -> Result<(), Error> {
    if let Some(role) = role() {
        return function(&role);
    }
    run(&[
        ("invocations are recorded, and delivered before the next", invocations),
        ("what does not come with a trace passes through", passive),
        ("the environment's trace is never used", stale_environment),
        ("errors and panics are causes", failures),
        ("events that cannot be read", unreadable),
        ("a streaming response ends with its stream", streaming),
        ("invocations at once", concurrent),
        ("lambda_http", http),
        ("outside of Lambda", local),
    ]);
    Ok(())
}

// The functions.

fn function(role: &str) -> Result<(), Error> {
    let runtime = if role == "concurrent" {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?
    } else {
        // Without timers: the layer needs none.
        tokio::runtime::Builder::new_current_thread().enable_io().build()?
    };
    let _xray = install(role)?;
    // Not of an invocation.
    in_segment("start", || in_subsegment("of start", || ()));
    // The stack of a panic takes its time on a machine that others use.
    let xray = XRayLambdaLayer::new().flush_timeout(SOON);
    runtime.block_on(async {
        match role {
            "orders" | "local" => Runtime::new(xray.handler(service_fn(orders))).layer(xray).run().await,
            "bare" => Runtime::new(service_fn(orders)).layer(xray).run().await,
            "stream" => Runtime::new(xray.handler(service_fn(streamed))).layer(xray).run().await,
            "concurrent" => Runtime::new(xray.handler(service_fn(orders))).layer(xray).run_concurrent().await,
            "http" => {
                let app = Router::new()
                    .route("/orders/{id}", get(async || in_subsegment("find", || "an order")))
                    .layer(XRayLayer::new());
                Runtime::new(xray.handler(Adapter::from(app))).layer(xray).run().await
            }
            other => Err(format!("no function {other}").into()),
        }
    })
}

fn install(role: &str) -> Result<RecorderGuard, Error> {
    let builder = Recorder::builder().service("orders");
    Ok(if role == "local" { builder.without_sampling() } else { builder }.install()?)
}

/// Does as the event says; answers with the header that a call would carry.
async fn orders(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let answer = json!({ "header": current().trace_header().map(|header| header.to_string()) });
    in_subsegment("look up", || ());
    for _ in 0..event.payload["yields"].as_u64().unwrap_or_default() {
        let step = begin_subsegment("step");
        tokio::task::yield_now().await;
        step.end();
    }
    match event.payload["do"].as_str() {
        Some("fail") => pay().await.map(|()| answer),
        Some("panic") => panic!("no paper left"),
        _ => Ok(answer),
    }
}

#[xray_capture("pay")]
async fn pay() -> Result<(), Error> {
    tokio::task::yield_now().await;
    Err(std::io::Error::other("the card was refused").into())
}

type Lines = FunctionResponse<(), stream::BoxStream<'static, Result<String, Error>>>;

async fn streamed(event: LambdaEvent<Value>) -> Result<Lines, Error> {
    let fails = event.payload["do"] == "fail";
    in_subsegment("before", || ());
    let lines = stream::unfold(0, move |n| async move {
        tokio::task::yield_now().await;
        match n {
            0..3 => {
                in_subsegment(format!("line {n}"), || ());
                Some((Ok(format!("line {n}\n")), n + 1))
            }
            3 if fails => Some((Err(Error::from("the printer is on fire")), n + 1)),
            _ => None,
        }
    });
    Ok(FunctionResponse::StreamingResponse(StreamResponse::from(stream_of(lines))))
}

fn stream_of(
    lines: impl stream::Stream<Item = Result<String, Error>> + Send + 'static,
) -> stream::BoxStream<'static, Result<String, Error>> {
    Box::pin(lines)
}

// The tests.

fn by_name(documents: &[Value]) -> BTreeMap<&str, &Value> {
    let all: BTreeMap<_, _> =
        documents.iter().map(|document| (document["name"].as_str().unwrap(), document)).collect();
    assert_eq!(all.len(), documents.len(), "each once: {documents:?}");
    all
}

/// All are subsegments of this trace, and hang together below its parent.
#[track_caller]
fn check(documents: &[Value], trace: &str, parent: &str) {
    let ids: Vec<_> = documents.iter().map(|document| &document["id"]).collect();
    for document in documents {
        assert_eq!((&document["trace_id"], &document["type"]), (&trace.into(), &"subsegment".into()));
        assert!(document["parent_id"] == parent || ids.contains(&&document["parent_id"]), "{document}");
        assert!(document.get("in_progress").is_none() && document.get("subsegments").is_none(), "{document}");
    }
}

fn invocations() {
    // Others test at the same time: its age tells.
    let begun = SystemTime::now();
    for role in ["orders", "bare"] {
        let double = Double::new();
        let _function = double.function(role, &[]);
        assert!(double.delivered(1).is_empty(), "nothing of the start");
        for n in 1..=3 {
            double.invoke(Some(&header(n)), json!({ "yields": 2 }));
            let answer = double.answer();
            assert_eq!((answer.id, answer.is_error), (format!("request-{n}"), false));
            let delivered = double.delivered(n + 1);
            check(&delivered, &format!("1-5759e988-{n:024x}"), &format!("{n:016x}"));
            let names: Vec<_> = delivered.iter().map(|document| document["name"].as_str().unwrap()).collect();
            assert_eq!(names, ["look up", "step", "step", "## handler"], "{role}");
            let handler = &delivered[3];
            assert_eq!(handler["annotations"], json!({ "ColdStart": n == 1 }));
            assert_eq!(handler["parent_id"], format!("{n:016x}"));
            let id = handler["id"].as_str().unwrap();
            let carried = format!("Root=1-5759e988-{n:024x};Parent={id};Sampled=1;Lineage=1:a:0");
            assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["header"], carried);
        }
        double.nobody_asked_for_rules();
    }
    assert!(std::fs::metadata("/tmp/.aws-xray/initialized").unwrap().modified().unwrap() >= begun);
}

fn passive() {
    let double = Double::new();
    let _function = double.function("orders", &[]);
    let not_sampled = format!("Root={ROOT};Parent={PARENT};Sampled=0");
    let passive = format!("Root={ROOT};Lineage=1:a:0");
    let cases = [
        (Some(passive.as_str()), json!(passive)),
        (Some(not_sampled.as_str()), json!(format!("Root={ROOT};Sampled=0"))),
        (Some("Sampled=1"), Value::Null),
        (None, Value::Null),
    ];
    for (header, carried) in &cases {
        double.invoke(*header, json!({}));
        assert_eq!(double.answer().json(), json!({ "header": carried }), "{header:?}");
    }
    assert!(double.delivered(cases.len() + 1).is_empty());
    double.nobody_asked_for_rules();
}

fn stale_environment() {
    let double = Double::new();
    let _function = double.function("concurrent", &[("AWS_LAMBDA_MAX_CONCURRENCY", "2")]);
    double.invoke(None, json!({}));
    assert_eq!(double.answer().json(), json!({ "header": null }));
    double.invoke(Some(&header(7)), json!({}));
    let carried = double.answer().json();
    assert!(carried["header"].as_str().unwrap().starts_with("Root=1-5759e988-000000000000000000000007;"));
}

fn failures() {
    let double = Double::new();
    let _function = double.function("orders", &[]);
    double.invoke(Some(&header(1)), json!({ "do": "fail" }));
    let answer = double.answer();
    assert!(answer.is_error && answer.body.contains("the card was refused"), "{answer:?}");
    let delivered = double.delivered(2);
    check(&delivered, "1-5759e988-000000000000000000000001", "0000000000000001");
    let entities = by_name(&delivered);
    let (handler, pay) = (entities["## handler"], entities["pay"]);
    let exception = &pay["cause"]["exceptions"][0];
    assert_eq!(exception["message"], "the card was refused", "{pay}");
    assert_eq!((&handler["fault"], &handler["cause"]), (&true.into(), &exception["id"]));

    double.invoke(Some(&header(2)), json!({ "do": "panic" }));
    let answer = double.answer();
    assert!(answer.is_error && answer.body.contains("no paper left"), "{answer:?}");
    let delivered = double.delivered(3);
    let handler = by_name(&delivered)["## handler"];
    let exception = &handler["cause"]["exceptions"][0];
    assert_eq!((&exception["type"], &exception["message"]), (&"panic".into(), &"no paper left".into()));
    assert_eq!(handler["fault"], true);

    // The next one is as any.
    double.invoke(Some(&header(3)), json!({}));
    assert!(!double.answer().is_error);
    let delivered = double.delivered(4);
    check(&delivered, "1-5759e988-000000000000000000000003", "0000000000000003");
    assert!(delivered.iter().all(|document| document.get("fault").is_none()));
}

fn unreadable() {
    let double = Double::new();
    // What it asks for has bytes that its event has not.
    let _function = double.function("http", &[]);
    double.invoke(Some(&header(1)), json!("no request"));
    assert!(double.answer().is_error);
    assert!(double.delivered(2).is_empty(), "the handler was not called");
    double.invoke(Some(&header(2)), api_gateway("/orders/7"));
    assert!(!double.answer().is_error);
    assert_eq!(double.delivered(3).len(), 3);
}

fn streaming() {
    let double = Double::new();
    let _function = double.function("stream", &[]);
    for (n, what) in [(1, "go"), (2, "fail")] {
        double.invoke(Some(&header(n)), json!({ "do": what }));
        let answer = double.answer();
        assert!(answer.body.contains("line 0\nline 1\nline 2\n"), "{answer:?}");
        let delivered = double.delivered(n + 1);
        check(&delivered, &format!("1-5759e988-{n:024x}"), &format!("{n:016x}"));
        let entities = by_name(&delivered);
        let handler = entities["## handler"];
        assert_eq!(entities.len(), 5, "{entities:?}");
        for name in ["before", "line 0", "line 1", "line 2"] {
            assert_eq!(entities[name]["parent_id"], handler["id"], "{name}");
            assert!(entities[name]["end_time"].as_f64() <= handler["end_time"].as_f64(), "{name}");
        }
        assert!(handler["annotations"].get("cancelled").is_none());
        let message = handler.pointer("/cause/exceptions/0/message");
        assert_eq!(message, (what == "fail").then_some(&"the printer is on fire".into()), "{handler}");
    }
}

fn concurrent() {
    let double = Double::new();
    let _function = double.function("concurrent", &[("AWS_LAMBDA_MAX_CONCURRENCY", "4")]);
    assert!(double.delivered(4).is_empty());
    let count = 40;
    for n in 1..=count {
        double.invoke(Some(&header(n)), json!({ "yields": 20 }));
    }
    let mut answered = std::collections::BTreeSet::new();
    for _ in 0..count {
        let answer = double.answer();
        let n: usize = answer.id.trim_start_matches("request-").parse().unwrap();
        let trace = format!("Root=1-5759e988-{n:024x};");
        assert!(answer.json()["header"].as_str().unwrap().starts_with(&trace), "{n}: {answer:?}");
        answered.insert(n);
    }
    assert_eq!(answered.len(), count);
    // Each worker asks again.
    let delivered = double.delivered(4 + count);
    assert_eq!(delivered.len(), count * 22);
    for n in 1..=count {
        let trace = format!("1-5759e988-{n:024x}");
        let of_it: Vec<Value> =
            delivered.iter().filter(|document| document["trace_id"] == trace[..]).cloned().collect();
        assert_eq!(of_it.len(), 22, "{n}");
        check(&of_it, &trace, &format!("{n:016x}"));
    }
    let cold = delivered.iter().filter(|document| document["annotations"]["ColdStart"] == true).count();
    assert_eq!(cold, 1);
}

fn api_gateway(path: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "api.example.com", "x-amzn-trace-id": "Root=1-5759e988-0000000000000000000000ff" },
        "requestContext": {
            "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "10.0.0.1", "userAgent": "t" },
            "timeEpoch": 0,
        },
        "isBase64Encoded": false,
    })
}

fn http() {
    let double = Double::new();
    let _function = double.function("http", &[]);
    double.invoke(Some(&header(1)), api_gateway("/orders/7"));
    let answer = double.answer();
    assert_eq!((answer.json()["statusCode"].clone(), answer.is_error), (200.into(), false), "{answer:?}");
    let delivered = double.delivered(2);
    check(&delivered, "1-5759e988-000000000000000000000001", "0000000000000001");
    let entities = by_name(&delivered);
    let request = entities["orders"];
    assert_eq!(request["parent_id"], entities["## handler"]["id"], "the segment of the server stands below");
    assert_eq!(entities["find"]["parent_id"], request["id"]);
    assert_eq!(request["http"]["request"]["method"], "GET");
    assert_eq!(request["http"]["response"]["status"], 200);

    double.invoke(Some(&header(2)), api_gateway("/nowhere"));
    assert_eq!(double.answer().json()["statusCode"], 404);
    let delivered = double.delivered(3);
    assert_eq!(by_name(&delivered)["orders"]["error"], true);
}

fn local() {
    let double = Double::new();
    let role = [("LAMBDA_TASK_ROOT", ""), ("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")];
    let _function = double.function("local", &role);
    // There are segments of one's own, of which the sampler decides.
    let started = double.document("start");
    assert_eq!(started[0].pointer("/subsegments/0/name"), Some(&"of start".into()));
    double.invoke(Some(&header(1)), json!({}));
    let answer = double.answer();
    assert!(
        answer.json()["header"].as_str().unwrap().starts_with("Root=1-5759e988-000000000000000000000001")
    );
    let delivered = double.delivered(2);
    check(&delivered, "1-5759e988-000000000000000000000001", "0000000000000001");
    let handler = by_name(&delivered)["## handler"];
    assert_eq!(handler["annotations"], json!({ "ColdStart": false }), "it was made ready before");
    double.invoke(None, json!({}));
    assert!(!double.answer().is_error);
    let delivered = double.delivered(3);
    let segment = by_name(&delivered)["orders"];
    assert_eq!(segment.pointer("/subsegments/0/subsegments/0/name"), Some(&"look up".into()), "{segment}");
}
