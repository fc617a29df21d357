//! A call to SQS as a subsegment: `cargo run -p xray-runtime --example aws-sdk --features aws-sdk`
//!
//! It prints the segment document. With `AWS_ENDPOINT_URL` it calls what listens there, such as moto; without, a stand-in of its own.
#![allow(clippy::print_stdout, clippy::print_stderr)] // It is a program for a terminal.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use axum::Router;
use axum::http::HeaderMap;
use xray_runtime::{JsonLinesExporter, Recorder, XRayInterceptor, xray_capture};

#[xray_capture]
async fn order(queues: &Client) -> Result<(), aws_sdk_sqs::Error> {
    let queue = queues.create_queue().queue_name("orders").send().await?;
    let url = queue.queue_url().unwrap_or_default();
    queues.send_message().queue_url(url).message_body("one book").send().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let exporter = JsonLinesExporter::new(std::io::stdout());
    let recorder = Recorder::builder().service("shop").without_sampling().exporter(exporter).install()?;

    let endpoint = match std::env::var("AWS_ENDPOINT_URL") {
        Ok(url) => url,
        Err(_) => stand_in().await?,
    };
    // With `aws_config` this is `aws_sdk_sqs::config::Builder::from(&shared_config)`.
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "example", None, None, "example"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .interceptor(XRayInterceptor::new())
        .build();
    let queues = Client::from_conf(config);

    let answered = recorder.segment("checkout").instrument(order(&queues)).await;
    recorder.flush(Duration::from_secs(5));
    Ok(answered?)
}

/// Answers as SQS does, and tells which trace header it got.
async fn stand_in() -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answer = async |headers: HeaderMap| {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let operation = header("x-amz-target").trim_start_matches("AmazonSQS.").to_owned();
        eprintln!("{operation} came with {}", header("x-amzn-trace-id"));
        let body = match operation.as_str() {
            "CreateQueue" => r#"{"QueueUrl":"http://localhost/123456789012/orders"}"#,
            _ => r#"{"MessageId":"0b9b3c5e-1111-4222-8333-444455556666"}"#,
        };
        ([("content-type", "application/x-amz-json-1.0"), ("x-amzn-requestid", "8c2b1f0a")], body)
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    Ok(format!("http://{address}"))
}
