//! A real client of the AWS SDK for Rust and a double of the service: what a call leaves in the document, and what the service sees.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Region};
use aws_sdk_sqs::error::ProvideErrorMetadata;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use xray_runtime::{
    Captured, CapturedEntity, FutureExt, Recorder, TraceHeader, XRayInterceptor, xray_capture,
};

#[allow(dead_code, reason = "its recorders are there for the other target")]
#[path = "http/served.rs"]
mod served;
use served::serve;

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const QUEUE: &str = "http://sqs.us-east-1.amazonaws.com/123456789012/orders";
const SENT: &str = r#"{"MessageId":"m-1","MD5OfMessageBody":"5d41402abc4b2a76b9719d911017c592"}"#;

/// A double of SQS, which answers with these, one after the other, the last again and again. It keeps the headers that it saw.
struct Service {
    base: String,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Service {
    async fn answering(answers: &'static [(u16, &'static str)]) -> Self {
        let seen = Arc::<Mutex<Vec<HeaderMap>>>::default();
        let kept = Arc::clone(&seen);
        let base = serve(Router::new().fallback(async move |headers: HeaderMap, _body: Bytes| {
            let number = {
                let mut kept = kept.lock().unwrap();
                kept.push(headers);
                kept.len() - 1
            };
            let (status, body) = answers[number.min(answers.len() - 1)];
            let headers = [
                ("content-type", "application/x-amz-json-1.0"),
                ("x-amzn-requestid", "r-1"),
                ("x-amz-id-2", "i-2"),
            ];
            (StatusCode::from_u16(status).unwrap(), headers, body).into_response()
        }))
        .await;
        Self { base, seen }
    }

    /// `X-Amzn-Trace-Id` of each request.
    fn trace_headers(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let of = |headers: &HeaderMap| {
            headers.get("x-amzn-trace-id").map(|value| value.to_str().unwrap().to_owned())
        };
        seen.iter().map(|headers| of(headers).unwrap_or_default()).collect()
    }

    fn builder(&self) -> Builder {
        builder(&self.base)
    }

    fn client(&self) -> Client {
        Client::from_conf(self.builder().interceptor(XRayInterceptor::new()).build())
    }
}

fn builder(base: &str) -> Builder {
    Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(base)
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "example", None, None, "tests"))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
}

async fn in_segment<T>(future: impl Future<Output = T>) -> (T, Captured) {
    let (recorder, captured) = Recorder::in_memory();
    (recorder.segment("root").instrument(future).await, captured)
}

fn flags(call: &CapturedEntity) -> [bool; 3] {
    [call.is_error(), call.is_throttle(), call.is_fault()]
}

fn exception(call: &CapturedEntity) -> Value {
    let exceptions = call.json()["cause"]["exceptions"].as_array().unwrap();
    assert_eq!(exceptions.len(), 1, "{exceptions:?}");
    exceptions[0].clone()
}

#[tokio::test]
async fn a_call_is_a_subsegment_of_the_service() {
    let service = Service::answering(&[(200, SENT)]).await;
    let client = service.client();
    let (sent, captured) =
        in_segment(async { client.send_message().queue_url(QUEUE).message_body("hello").send().await }).await;
    assert_eq!(sent.unwrap().message_id(), Some("m-1"));
    let root = captured.segment("root");
    let call = root.subsegment("sqs");
    assert_eq!(call.json()["namespace"], "aws");
    assert_eq!(
        call.json()["aws"],
        json!({
            "operation": "SendMessage",
            "region": "eu-west-1",
            "queue_url": QUEUE,
            "message_id": "m-1",
            "request_id": "r-1",
            "id_2": "i-2",
        })
    );
    assert_eq!(call.json()["http"], json!({ "response": { "status": 200, "content_length": SENT.len() } }));
    assert_eq!(flags(&call), [false; 3]);
    assert_eq!(root.subsegments().len(), 1);
    let header = format!("Root={};Parent={};Sampled=1", root.trace_id(), call.id());
    assert_eq!(service.trace_headers(), [header]);
}

#[tokio::test]
async fn errors_of_the_service_have_their_class() {
    for (status, code, expected) in [
        (400, "QueueDoesNotExist", [true, false, false]),
        (400, "ThrottlingException", [true, true, false]),
        (429, "Busy", [true, true, false]),
        (500, "InternalError", [false, false, true]),
    ] {
        let body = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"no, for {code}"}}"#);
        let service = Service::answering(vec![(status, &*body.leak())].leak()).await;
        let config = service.builder().retry_config(RetryConfig::disabled());
        let client = Client::from_conf(config.interceptor(XRayInterceptor::new()).build());
        let (failed, captured) =
            in_segment(async { client.purge_queue().queue_url(QUEUE).send().await }).await;
        assert!(failed.is_err());
        let root = captured.segment("root");
        let call = root.subsegment("sqs");
        assert_eq!(flags(&call), expected, "{status} {code}");
        assert_eq!(flags(&root), [false; 3], "only the call failed");
        assert_eq!(call.json()["http"]["response"]["status"], status);
        assert_eq!(call.json()["aws"]["request_id"], "r-1");
        let exception = exception(&call);
        assert_eq!(
            (&exception["type"], &exception["message"], &exception["remote"]),
            (&json!(code), &json!(format!("no, for {code}")), &json!(true))
        );
    }
}

#[tokio::test]
async fn attempts_are_one_subsegment() {
    let service = Service::answering(&[(503, "busy"), (500, "{}"), (200, SENT)]).await;
    let client = service.client();
    let (sent, captured) =
        in_segment(async { client.send_message().queue_url(QUEUE).message_body("hello").send().await }).await;
    sent.unwrap();
    let root = captured.segment("root");
    let call = root.subsegment("sqs");
    assert_eq!(root.subsegments().len(), 1);
    assert_eq!(call.json()["aws"]["retries"], 2);
    assert_eq!(call.json()["http"]["response"]["status"], 200);
    assert_eq!(flags(&call), [false; 3], "it worked in the end");
    let header = format!("Root={};Parent={};Sampled=1", root.trace_id(), call.id());
    assert_eq!(service.trace_headers(), [header.clone(), header.clone(), header]);
}

/// What stands between may change the header, as it does, and the request must be good all the same.
#[tokio::test]
async fn the_signature_of_each_attempt_leaves_the_header_out() {
    let service = Service::answering(&[(500, "{}"), (200, SENT)]).await;
    let client = service.client();
    let (sent, _captured) =
        in_segment(async { client.send_message().queue_url(QUEUE).message_body("hello").send().await }).await;
    sent.unwrap();
    let seen = service.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    for headers in &*seen {
        assert!(headers.contains_key("x-amzn-trace-id"));
        let signed = headers["authorization"].to_str().unwrap();
        assert!(signed.contains("SignedHeaders=") && signed.contains("x-amz-date"), "{signed}");
        assert!(!signed.contains("x-amzn-trace-id"), "{signed}");
    }
}

#[tokio::test]
async fn each_page_is_a_subsegment() {
    let pages = &[
        (200, r#"{"QueueUrls":["http://a"],"NextToken":"t"}"#),
        (200, r#"{"QueueUrls":["http://b","http://c"]}"#),
    ];
    let service = Service::answering(pages).await;
    let client = service.client();
    let (urls, captured) = in_segment(async {
        let mut pages = client.list_queues().max_results(2).into_paginator().send();
        let mut urls = 0;
        while let Some(page) = pages.next().await {
            urls += page.unwrap().queue_urls().len();
        }
        urls
    })
    .await;
    assert_eq!(urls, 3);
    let calls = captured.segment("root").subsegments();
    let counts: Vec<_> = calls.iter().map(|call| call.json()["aws"]["queue_count"].clone()).collect();
    assert_eq!(counts, [1, 2]);
    assert!(calls.iter().all(|call| call.annotation("cancelled").is_none()));
    let parent = |id: &str| format!("Root={};Parent={id};Sampled=1", captured.segment("root").trace_id());
    assert_eq!(service.trace_headers(), [parent(calls[0].id()), parent(calls[1].id())]);
}

#[tokio::test]
async fn one_error_is_one_exception() {
    #[xray_capture(error = "error")]
    async fn purge(client: &Client) -> Result<(), aws_sdk_sqs::Error> {
        client.purge_queue().queue_url(QUEUE).send().await?;
        Ok(())
    }
    let service = Service::answering(&[(400, r#"{"__type":"x#QueueDoesNotExist","message":"gone"}"#)]).await;
    let client = service.client();
    let (failed, captured) = in_segment(purge(&client)).await;
    assert_eq!(failed.unwrap_err().code(), Some("QueueDoesNotExist"));
    let root = captured.segment("root");
    let purge = root.subsegment("purge");
    let exception = exception(&purge.subsegment("sqs"));
    assert_eq!(purge.json()["cause"], exception["id"]);
    assert!(!exception["stack"].as_array().unwrap().is_empty(), "{exception}");
}

#[tokio::test]
async fn calls_at_once_are_siblings_and_nothing_stays_current() {
    #[xray_capture]
    async fn step() {
        tokio::task::yield_now().await;
    }
    let service = Service::answering(&[(200, SENT)]).await;
    let client = service.client();
    let send = || client.send_message().queue_url(QUEUE).message_body("hello").send();
    let (_, captured) = in_segment(async {
        let (first, second, ()) = tokio::join!(send(), send(), step());
        first.unwrap();
        second.unwrap();
        step().await;
    })
    .await;
    let root = captured.segment("root");
    let names: Vec<_> = root.subsegments().iter().map(|child| child.name().to_owned()).collect();
    assert_eq!(names, ["sqs", "sqs", "step", "step"]);
    assert!(root.subsegments().iter().all(|child| child.subsegments().is_empty()));
}

#[tokio::test]
async fn where_nothing_is_sampled_the_header_goes_on() {
    let service = Service::answering(&[(200, SENT)]).await;
    let client = service.client();
    let (recorder, captured) = Recorder::in_memory();
    let header = TraceHeader::parse(&format!("Root={ROOT};Sampled=0;Lineage=a:1"));
    let send = || client.send_message().queue_url(QUEUE).message_body("hello").send();
    recorder.segment("root").trace_header(header).instrument(send()).await.unwrap();
    // And where there is no segment the call is made as it is.
    send().await.unwrap();
    assert!(captured.segments().is_empty());
    assert_eq!(service.trace_headers(), [format!("Root={ROOT};Sampled=0;Lineage=a:1"), String::new()]);
}

#[tokio::test]
async fn a_header_of_the_users_stays() {
    let service = Service::answering(&[(200, SENT)]).await;
    let client = service.client();
    let (_, captured) = in_segment(async {
        let send = client.send_message().queue_url(QUEUE).message_body("hello").customize();
        send.mutate_request(|request| _ = request.headers_mut().insert("X-Amzn-Trace-Id", "mine"))
            .send()
            .await
    })
    .await;
    assert_eq!(service.trace_headers(), ["mine"]);
    captured.segment("root").subsegment("sqs");
}

#[tokio::test]
async fn two_interceptors_are_one_subsegment() {
    let service = Service::answering(&[(200, SENT)]).await;
    let config = service.builder().interceptor(XRayInterceptor::new()).interceptor(XRayInterceptor::new());
    let client = Client::from_conf(config.build());
    let (_, captured) = in_segment(async {
        let send = client.send_message().queue_url(QUEUE).message_body("hello").customize();
        send.interceptor(XRayInterceptor::new()).send().await.unwrap()
    })
    .await;
    assert_eq!(captured.segment("root").subsegments().len(), 1);
}

#[tokio::test]
async fn a_whitelist_of_the_users_adds_parameters() {
    let service = Service::answering(&[(200, SENT)]).await;
    let interceptor = XRayInterceptor::new()
        .parameters(
            r#"{"services": {"sqs": {"operations": {"SendMessage": {
                "request_parameters": ["MessageGroupId"],
                "response_descriptors": {"MD5OfMessageBody": {"rename_to": "md5"}}
            }}}}}"#,
        )
        .unwrap();
    let client = Client::from_conf(service.builder().interceptor(interceptor).build());
    let (_, captured) = in_segment(async {
        let send = client.send_message().queue_url(QUEUE).message_body("hello").message_group_id("g");
        send.send().await.unwrap()
    })
    .await;
    let call = captured.segment("root").subsegment("sqs");
    let aws = &call.json()["aws"];
    assert_eq!(aws["message_group_id"], "g");
    assert_eq!(aws["md5"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(aws["queue_url"], QUEUE, "what was recorded is recorded still");
}

#[tokio::test]
async fn a_call_may_go_on_in_another_task() {
    let service = Service::answering(&[(200, SENT)]).await;
    let client = service.client();
    let (_, captured) = in_segment(async move {
        let call = async move { client.send_message().queue_url(QUEUE).message_body("hello").send().await };
        tokio::spawn(call.in_current_segment()).await.unwrap().unwrap();
    })
    .await;
    let root = captured.segment("root");
    assert_eq!(root.subsegment("sqs").json()["aws"]["message_id"], "m-1");
}

#[tokio::test]
async fn a_request_that_cannot_be_made_is_our_fault() {
    let service = Service::answering(&[(200, SENT)]).await;
    // Without credentials nothing can be signed.
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(&service.base)
        .timeout_config(TimeoutConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .interceptor(XRayInterceptor::new());
    let client = Client::from_conf(config.build());
    let (failed, captured) =
        in_segment(async { client.send_message().queue_url(QUEUE).message_body("hello").send().await }).await;
    assert!(failed.is_err());
    let call = captured.segment("root").subsegment("sqs");
    assert_eq!(flags(&call), [false, false, true]);
    assert_eq!(call.json()["aws"]["operation"], "SendMessage");
    let exceptions = call.json()["cause"]["exceptions"].as_array().unwrap();
    assert!(
        exceptions.iter().all(|exception| exception.get("remote") != Some(&true.into())),
        "{exceptions:?}"
    );
    assert!(service.trace_headers().is_empty());
}
