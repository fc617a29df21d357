//! A real reqwest client and a real server: what a call leaves in the document, and what the called service sees.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, get};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde_json::json;
use xray_runtime::{
    Captured, CapturedEntity, FutureExt, Recorder, TraceHeader, XRayLayer, XRayMiddleware, xray_capture,
};

use crate::served::serve;

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

/// Says which trace header it got.
async fn echo(headers: HeaderMap) -> String {
    headers.get_all("x-amzn-trace-id").iter().map(|value| value.to_str().unwrap()).collect()
}

fn router() -> Router {
    Router::new()
        .route("/echo", any(echo))
        .route("/404", get(async || StatusCode::NOT_FOUND))
        .route("/429", get(async || StatusCode::TOO_MANY_REQUESTS))
        .route("/503", get(async || StatusCode::SERVICE_UNAVAILABLE))
        .route("/never", get(async || std::future::pending::<()>().await))
}

fn client(middleware: XRayMiddleware) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new()).with(middleware).build()
}

async fn in_segment<T>(future: impl Future<Output = T>) -> (T, Captured) {
    let (recorder, captured) = Recorder::in_memory();
    (recorder.segment("root").instrument(future).await, captured)
}

fn http(entity: &CapturedEntity) -> &serde_json::Value {
    &entity.json()["http"]
}

#[tokio::test]
async fn a_call_is_a_remote_subsegment() {
    let base = serve(router()).await;
    let url = format!("{}/echo?token=secret#part", base.replace("//", "//me:pw@"));
    let (seen, captured) = in_segment(async {
        client(XRayMiddleware::new()).post(url).send().await.unwrap().text().await.unwrap()
    })
    .await;
    let root = captured.segment("root");
    let call = root.subsegment("127.0.0.1");
    assert_eq!(seen, format!("Root={};Parent={};Sampled=1", root.trace_id(), call.id()));
    assert_eq!(call.json()["namespace"], "remote");
    assert_eq!(
        *http(&call),
        json!({
            "request": { "method": "POST", "url": format!("{base}/echo") },
            "response": { "status": 200, "content_length": seen.len() },
        })
    );
    assert!(!call.is_error() && !call.is_fault());
}

#[tokio::test]
async fn the_length_is_what_the_service_states() {
    let base = serve(Router::new().route("/", any(async || "hello"))).await;
    let (_, captured) =
        in_segment(async { client(XRayMiddleware::new()).head(&base).send().await.unwrap() }).await;
    let call = captured.segment("root").subsegment("127.0.0.1");
    assert_eq!(http(&call)["request"]["method"], "HEAD");
    assert_eq!(http(&call)["response"]["content_length"], 5);
}

#[tokio::test]
async fn statuses_have_their_flags() {
    let base = serve(router()).await;
    for (status, flags) in
        [(404, [true, false, false]), (429, [true, true, false]), (503, [false, false, true])]
    {
        let url = format!("{base}/{status}");
        let (response, captured) =
            in_segment(async { client(XRayMiddleware::new().traced(true)).get(url).send().await }).await;
        assert_eq!(response.unwrap().status(), status);
        let root = captured.segment("root");
        let call = root.subsegment("127.0.0.1");
        assert_eq!([call.is_error(), call.is_throttle(), call.is_fault()], flags);
        assert!(!root.is_error() && !root.is_fault(), "only the call failed");
        assert_eq!(call.json()["http"]["request"]["traced"], true);
    }
}

#[tokio::test]
async fn a_refused_connection_is_our_fault() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    #[xray_capture]
    async fn fetch(url: String) -> reqwest_middleware::Result<reqwest::Response> {
        client(XRayMiddleware::new()).get(url).send().await
    }
    let url = format!("http://127.0.0.1:{port}/none?token=secret");
    let (failed, captured) = in_segment(fetch(url)).await;
    assert!(failed.unwrap_err().is_connect());
    let root = captured.segment("root");
    let fetch = root.subsegment("fetch");
    let call = fetch.subsegment("127.0.0.1");
    assert!(call.is_fault());
    let exceptions = call.json()["cause"]["exceptions"].as_array().unwrap();
    assert!(exceptions.len() > 1, "the chain of causes is there: {exceptions:?}");
    assert!(exceptions.iter().all(|exception| exception.get("remote") != Some(&true.into())));
    assert!(exceptions[0]["message"].as_str().unwrap().contains(&format!("127.0.0.1:{port}/none")));
    assert!(!root.json().to_string().contains("secret"), "{root:?}");
    assert_eq!(fetch.json()["cause"], exceptions[0]["id"], "one error is one exception");
    assert_eq!(http(&call).get("response"), None);
}

#[tokio::test]
async fn what_fails_on_a_connection_is_remote() {
    // A server that hangs up on each request.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            use tokio::io::AsyncReadExt;
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    let (failed, captured) = in_segment(async { client(XRayMiddleware::new()).get(base).send().await }).await;
    assert!(failed.is_err());
    let call = captured.segment("root").subsegment("127.0.0.1");
    assert!(call.is_fault());
    assert_eq!(call.json()["cause"]["exceptions"][0]["remote"], true);
}

#[tokio::test]
async fn a_call_that_takes_too_long_fails() {
    let base = serve(router()).await;
    let (failed, captured) = in_segment(async {
        let request = client(XRayMiddleware::new()).get(format!("{base}/never"));
        request.timeout(Duration::from_millis(20)).send().await
    })
    .await;
    assert!(failed.unwrap_err().is_timeout());
    let call = captured.segment("root").subsegment("127.0.0.1");
    assert!(call.is_fault());
    assert_eq!(call.json()["cause"]["exceptions"][0]["remote"], true);
}

#[tokio::test]
async fn a_dropped_call_is_cancelled() {
    let base = serve(router()).await;
    let (_, captured) = in_segment(async {
        let call = client(XRayMiddleware::new()).get(format!("{base}/never")).send();
        tokio::select! {
            biased;
            _ = call => unreachable!("it never answers"),
            () = tokio::task::yield_now() => {}
        }
    })
    .await;
    let call = captured.segment("root").subsegment("127.0.0.1");
    assert_eq!(call.annotation("cancelled"), Some(true.into()));
    assert!(!call.is_fault());
}

#[tokio::test]
async fn the_users_own_header_stays() {
    let base = serve(router()).await;
    let own = format!("Root={ROOT};Sampled=0");
    let (seen, captured) = in_segment(async {
        let request = client(XRayMiddleware::new()).get(format!("{base}/echo"));
        request.header("X-Amzn-Trace-Id", &own).send().await.unwrap().text().await.unwrap()
    })
    .await;
    assert_eq!(seen, own);
    captured.segment("root").subsegment("127.0.0.1");
}

#[tokio::test]
async fn the_trace_goes_on_where_it_is_not_sampled() {
    let base = serve(router()).await;
    let (recorder, captured) = Recorder::in_memory();
    let header = TraceHeader::parse(&format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a:1"));
    let call = async {
        let request = client(XRayMiddleware::new()).get(format!("{base}/echo"));
        request.send().await.unwrap().text().await.unwrap()
    };
    let seen = recorder.segment("root").trace_header(header).instrument(call).await;
    assert_eq!(seen, format!("Root={ROOT};Sampled=0;Lineage=a:1"));
    assert!(captured.documents().is_empty());
}

#[tokio::test]
async fn data_that_cannot_stand_in_a_header_is_left_out() {
    let base = serve(router()).await;
    let (recorder, captured) = Recorder::in_memory();
    let header = TraceHeader::parse(&format!("Root={ROOT};Sampled=1;bad=a\nb"));
    let call = async {
        let request = client(XRayMiddleware::new()).get(format!("{base}/echo"));
        request.send().await.unwrap().text().await.unwrap()
    };
    let seen = recorder.segment("root").trace_header(header).instrument(call).await;
    let call = captured.segment("root").subsegment("127.0.0.1");
    assert_eq!(seen, format!("Root={ROOT};Parent={};Sampled=1", call.id()));
}

#[tokio::test]
async fn without_a_segment_requests_are_sent_as_they_are() {
    let base = serve(router()).await;
    let response = client(XRayMiddleware::new()).get(format!("{base}/echo")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "");
}

#[tokio::test]
async fn some_calls_are_left_alone() {
    let base = serve(router()).await;
    let (seen, captured) = in_segment(async {
        let client = client(XRayMiddleware::new().skip("other.*", "*").skip("127.*.1", "/ech?"));
        let seen = client.get(format!("{base}/echo?a")).send().await.unwrap().text().await.unwrap();
        client.get(format!("{base}/404")).send().await.unwrap();
        seen
    })
    .await;
    assert_eq!(seen, "");
    assert_eq!(captured.segment("root").subsegments().len(), 1);
}

#[tokio::test]
async fn a_trace_crosses_two_services() {
    let (called_recorder, called) = Recorder::in_memory();
    let (calling_recorder, calling) = Recorder::in_memory();
    let downstream = serve(router().layer(XRayLayer::with_recorder(&called_recorder))).await;
    let client = client(XRayMiddleware::new());
    let front = Router::new()
        .route(
            "/",
            get(async move || {
                client.get(format!("{downstream}/echo")).send().await.unwrap().text().await.unwrap()
            }),
        )
        .layer(XRayLayer::with_recorder(&calling_recorder));
    let base = serve(front).await;
    reqwest::get(&base).await.unwrap().text().await.unwrap();
    let (front, back) = (calling.segment("test"), called.segment("test"));
    assert_eq!(back.trace_id(), front.trace_id());
    assert_eq!(back.parent_id(), front.subsegment("127.0.0.1").id());
}

#[tokio::test]
async fn calls_at_the_same_time_are_siblings() {
    let base = serve(router()).await;
    let (_, captured) = in_segment(async {
        let client = client(XRayMiddleware::new());
        let call = || client.get(format!("{base}/echo")).send();
        let (a, b) = tokio::join!(call().in_subsegment("a"), call().in_subsegment("b"));
        a.unwrap();
        b.unwrap();
    })
    .await;
    let root = captured.segment("root");
    for name in ["a", "b"] {
        assert_eq!(root.subsegment(name).subsegments().len(), 1);
    }
}
