//! A call of SQS through the AWS SDK for Rust, with and without `XRayInterceptor`: two clients of one connector, which answers
//! at once and in the process.

use aws_credential_types::Credentials;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Region};
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use harness::calls::Calls;
use xray_runtime::XRayInterceptor;

use crate::recorder::Recording;

const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/orders";
/// The largest message of SQS once was that of four such.
const LARGE: usize = 64 * 1024;

#[derive(Clone, Copy)]
enum Call {
    /// Nothing is on the list of parameters but the queue.
    Delete,
    /// Four parameters: three of the request, one of the answer.
    Send { body: &'static str },
}

pub(crate) fn calls(recording: Recording, mode: &str) -> Calls {
    let call = match mode {
        "parameters" => Call::Send { body: "one book" },
        "large" => Call::Send { body: "one book ".repeat(LARGE / 9).leak() },
        _ => Call::Delete,
    };
    let plain = client(|builder| builder);
    let traced = client(|builder| match mode {
        "same" => builder,
        _ => builder.interceptor(XRayInterceptor::new()),
    });
    recording.in_segments(move || make(plain, call), move || make(traced, call))
}

async fn make(client: &Client, call: Call) {
    match call {
        Call::Delete => {
            let receipt = "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a";
            let deleted = client.delete_message().queue_url(QUEUE).receipt_handle(receipt).send();
            deleted.await.expect("the connector answers");
        }
        Call::Send { body } => {
            let kind = MessageAttributeValue::builder().data_type("String").string_value("order").build();
            let sent = client
                .send_message()
                .queue_url(QUEUE)
                .delay_seconds(3)
                .message_attributes("kind", kind.expect("it is whole"))
                .message_body(body)
                .send();
            let sent = sent.await.expect("the connector answers");
            assert_eq!(sent.message_id(), Some("0b9b3c5e-1111-4222-8333-444455556666"));
        }
    }
}

fn client(set: impl FnOnce(Builder) -> Builder) -> &'static Client {
    let builder = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "example", None, None, "benches"))
        .http_client(AtOnce);
    Box::leak(Box::new(Client::from_conf(set(builder).build())))
}

/// Answers each request at once, as SQS does.
#[derive(Debug)]
struct AtOnce;

impl HttpConnector for AtOnce {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = match request.headers().get("x-amz-target") {
            Some("AmazonSQS.SendMessage") => r#"{"MessageId":"0b9b3c5e-1111-4222-8333-444455556666"}"#,
            _ => "{}",
        };
        let mut response = HttpResponse::new(200.try_into().expect("a status"), SdkBody::from(body));
        let headers = response.headers_mut();
        headers.insert("content-type", "application/x-amz-json-1.0");
        headers.insert("content-length", body.len().to_string());
        headers.insert("x-amzn-requestid", "8c2b1f0a-7a51-5e2c-9b1e-1f0a7a515e2c");
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl HttpClient for AtOnce {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(AtOnce)
    }
}
