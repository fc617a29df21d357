//! Clients of the AWS SDK whose service, network or caller goes wrong.

use std::future::Future;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Region};
use aws_sdk_sqs::error::SdkError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use xray_runtime::{Captured, CapturedEntity, Recorder, XRayInterceptor, xray_capture};

const QUEUE: &str = "http://sqs.us-east-1.amazonaws.com/123456789012/orders";

/// What becomes of a connection once a request has come.
#[derive(Clone)]
enum Service {
    Answers(Vec<u8>),
    HangsUp,
    Never,
}

fn answer(status: &str, content_type: &str, body: impl AsRef<[u8]>) -> Service {
    let body = body.as_ref();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    Service::Answers(answer)
}

fn json(status: &str, body: impl AsRef<[u8]>) -> Service {
    answer(status, "application/x-amz-json-1.0", body)
}

/// Serves on loopback until the test's runtime ends; tells of each request that has come whole.
async fn serve(service: Service) -> (String, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (arrived, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (service, arrived) = (service.clone(), arrived.clone());
            tokio::spawn(async move {
                read_request(&mut stream).await;
                let _ = arrived.send(());
                match service {
                    Service::Answers(bytes) => _ = stream.write_all(&bytes).await,
                    Service::HangsUp => {}
                    Service::Never => std::future::pending().await,
                }
            });
        }
    });
    (url, requests)
}

async fn read_request(stream: &mut tokio::net::TcpStream) {
    let (mut got, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        got.extend_from_slice(&buffer[..read]);
        let Some(head) = got.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&got[..head]).to_lowercase();
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split_whitespace().next());
        if got.len() >= head + 4 + length.map_or(0, |length| length.parse().unwrap()) {
            return;
        }
    }
}

fn config(url: &str) -> Builder {
    Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "example", None, None, "faults"))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .interceptor(XRayInterceptor::new())
}

fn client(url: &str) -> Client {
    Client::from_conf(config(url).build())
}

/// Sends a message in a function of its own.
#[xray_capture]
async fn send(client: &Client, body: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    client.send_message().queue_url(QUEUE).message_body(body).send().await?;
    Ok(())
}

async fn in_segment<T>(future: impl Future<Output = T>) -> (T, Captured) {
    let (recorder, captured) = Recorder::in_memory();
    (recorder.segment("root").instrument(future).await, captured)
}

/// The subsegment of the call, which the function that waited for it refers to.
fn failed_call(captured: &Captured) -> CapturedEntity {
    let send = captured.segment("root").subsegment("send");
    let call = send.subsegment("sqs");
    assert_eq!(send.subsegments().len(), 1);
    assert!(send.is_fault());
    assert_eq!(
        send.json()["cause"],
        call.json()["cause"]["exceptions"][0]["id"],
        "one error is one exception"
    );
    call
}

fn remote(call: &CapturedEntity) -> bool {
    call.json()["cause"]["exceptions"][0].get("remote") == Some(&true.into())
}

#[tokio::test]
async fn a_client_that_retries_in_vain_is_one_fault() {
    let body = r#"{"__type":"InternalFailure","message":"busy"}"#;
    let (url, mut requests) = serve(json("500 Oh", body)).await;
    let client = client(&url);
    let (failed, captured) = in_segment(send(&client, "hello")).await;
    failed.unwrap_err();
    let call = failed_call(&captured);
    assert!(call.is_fault() && remote(&call));
    assert_eq!(call.json()["aws"]["retries"], 2);
    assert_eq!(call.exceptions(), ["busy"]);
    requests.close();
    assert_eq!(requests.len(), 3);
}

#[tokio::test]
async fn attempts_that_take_too_long_are_one_fault() {
    let (url, _requests) = serve(Service::Never).await;
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(20)).build();
    let client = Client::from_conf(config(&url).timeout_config(timeouts).build());
    let (failed, captured) = in_segment(send(&client, "hello")).await;
    failed.unwrap_err();
    let call = failed_call(&captured);
    assert!(call.is_fault() && remote(&call));
    assert_eq!(call.json()["aws"]["retries"], 2);
    assert!(call.exceptions().iter().any(|message| message.contains("attempt timeout")), "{call:?}");
    assert_eq!(call.json().get("http"), None, "there was no answer");
}

#[tokio::test]
async fn a_call_whose_time_is_over_is_a_fault_and_not_cancelled() {
    let (url, _requests) = serve(Service::Never).await;
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_millis(50)).build();
    let client = Client::from_conf(config(&url).timeout_config(timeouts).build());
    let (failed, captured) = in_segment(send(&client, "hello")).await;
    let failed = failed.unwrap_err();
    assert!(failed.to_string().contains("timed out"), "{failed}");
    let call = failed_call(&captured);
    assert!(call.is_fault() && remote(&call));
    assert_eq!(call.annotation("cancelled"), None);
    assert_eq!(call.json()["aws"]["queue_url"], QUEUE);
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled() {
    let (url, mut requests) = serve(Service::Never).await;
    let client = client(&url);
    let ((), captured) = in_segment(async {
        tokio::select! {
            _ = send(&client, "hello") => unreachable!("nobody answers"),
            _ = requests.recv() => {}
        }
    })
    .await;
    let call = captured.segment("root").subsegment("send").subsegment("sqs");
    assert_eq!(call.annotation("cancelled"), Some(true.into()));
    assert!(!call.is_fault() && !call.is_error());
    assert_eq!(call.json()["aws"]["operation"], "SendMessage");
    assert_eq!(call.json()["aws"]["queue_url"], QUEUE);
}

#[tokio::test]
async fn a_call_may_be_dropped_on_another_thread() {
    let (url, mut requests) = serve(Service::Never).await;
    let client = client(&url);
    let (recorder, captured) = Recorder::in_memory();
    let call = async move { send(&client, "hello").await };
    let mut call = Box::pin(recorder.segment("root").instrument(call));
    tokio::select! {
        _ = &mut call => unreachable!("nobody answers"),
        _ = requests.recv() => {}
    }
    std::thread::spawn(move || drop(call)).join().unwrap();
    let call = captured.segment("root").subsegment("send").subsegment("sqs");
    assert_eq!(call.annotation("cancelled"), Some(true.into()));
    let stats = recorder.stats();
    assert_eq!((stats.pending, stats.dropped()), (0, 0), "{stats:?}");
}

#[tokio::test]
async fn an_endpoint_that_hangs_up_is_remote() {
    let (url, _requests) = serve(Service::HangsUp).await;
    let client = client(&url);
    let (failed, captured) = in_segment(send(&client, "hello")).await;
    failed.unwrap_err();
    let call = failed_call(&captured);
    assert!(call.is_fault());
    assert!(remote(&call), "{call:?}");
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_ours() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = client(&format!("http://127.0.0.1:{port}"));
    let (failed, captured) = in_segment(send(&client, "hello")).await;
    failed.unwrap_err();
    let call = failed_call(&captured);
    assert!(call.is_fault());
    assert!(!remote(&call), "{call:?}");
}

#[tokio::test]
async fn huge_bodies_are_sent_and_read_and_not_recorded() {
    let huge = "x".repeat(4 << 20);
    let answer = format!(r#"{{"ResponseMetadata":"{huge}","MessageId":"m-1"}}"#);
    let (url, _requests) = serve(json("200 OK", answer)).await;
    let client = client(&url);
    let (sent, captured) = in_segment(send(&client, &huge)).await;
    sent.unwrap();
    let root = captured.segment("root");
    let call = root.subsegment("send").subsegment("sqs");
    assert_eq!(call.json()["aws"]["operation"], "SendMessage");
    assert!(root.json().to_string().len() < 5_000, "bodies are not recorded");
}

#[tokio::test]
async fn values_that_are_too_large_are_left_out_and_counted() {
    let (url, _requests) = serve(json("200 OK", r#"{"MessageId":"m-1"}"#)).await;
    let client = client(&url);
    let (recorder, captured) = Recorder::in_memory();
    let long = format!("{QUEUE}{}", "x".repeat(100_000));
    let call = async { client.send_message().queue_url(&long).message_body("hello").send().await };
    recorder.segment("root").instrument(call).await.unwrap();
    let call = captured.segment("root").subsegment("sqs");
    assert_eq!(call.json()["aws"].get("queue_url"), None);
    assert_eq!(call.json()["aws"]["message_id"], "m-1");
    assert_eq!(recorder.stats().truncated, 1);
}

#[tokio::test]
async fn junk_answers_end_the_call_as_a_failure() {
    let deep = "[".repeat(100_000);
    for (service, is_error) in [
        (json("200 OK", "junk"), false),
        (json("200 OK", r#"{"MessageId":"#), false),
        (json("200 OK", &deep), false),
        (json("200 OK", b"{\"MessageId\":\"\xff\xfe\"}"), false),
        (answer("400 Bad", "text/html", "<html><Code>"), true),
        (json("400 Bad", r#"{"__type":{},"message":[]}"#), true),
        (json("400 Bad", b"\x00\xff"), true),
        (answer("418 Tea", "application/x-amz-json-1.0\t", &deep), true),
        (json("599 None", ""), false),
        (Service::Answers(b"HTTP/9 what\r\n\r\n".to_vec()), false),
    ] {
        let (url, _requests) = serve(service).await;
        let client = Client::from_conf(config(&url).retry_config(RetryConfig::disabled()).build());
        let (failed, captured) = in_segment(async {
            client
                .send_message()
                .queue_url(QUEUE)
                .message_body("hello")
                .send()
                .await
                .map_err(SdkError::into_source)
        })
        .await;
        assert!(failed.is_err());
        let call = captured.segment("root").subsegment("sqs");
        assert_eq!((call.is_error(), call.is_fault()), (is_error, !is_error), "{call:?}");
        assert!(!call.exceptions().is_empty());
        assert!(remote(&call), "{call:?}");
    }
}
