//! The calls of `python/aws_calls.py`, made by the clients of the AWS SDK for Rust with `XRayInterceptor`. Argument: the endpoint. The
//! documents go where `AWS_XRAY_DAEMON_ADDRESS` says.
#![allow(clippy::print_stdout)] // It is a program for a check.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ReturnConsumedCapacity,
    ScalarAttributeType,
};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_sqs::types::{
    MessageSystemAttributeName, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};
use xray_runtime::{FutureExt, Recorder, XRayInterceptor, current, in_message_segment};

type Done = Result<(), Box<dyn Error>>;

/// The same lines for each client: their types are their own.
macro_rules! client {
    ($sdk:ident, $endpoint:expr) => {
        $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new("us-east-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "example", None, None, "peer"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url($endpoint)
            .interceptor(XRayInterceptor::new())
    };
}

async fn dynamodb(endpoint: &str) -> Done {
    let client = aws_sdk_dynamodb::Client::from_conf(client!(aws_sdk_dynamodb, endpoint).build());
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build()?;
    let kind = ScalarAttributeType::S;
    let attribute = AttributeDefinition::builder().attribute_name("pk").attribute_type(kind).build()?;
    let create = client.create_table().table_name("Msgs").key_schema(key).attribute_definitions(attribute);
    create.billing_mode(BillingMode::PayPerRequest).send().await?;
    client.put_item().table_name("Msgs").item("pk", AttributeValue::S("a".into())).send().await?;
    let query = client.query().table_name("Msgs").key_condition_expression("pk = :p");
    query.expression_attribute_values(":p", AttributeValue::S("a".into())).send().await?;
    Ok(())
}

async fn dynamodb_error(endpoint: &str) -> Done {
    let client = aws_sdk_dynamodb::Client::from_conf(client!(aws_sdk_dynamodb, endpoint).build());
    let get = client.get_item().table_name("Nope").key("pk", AttributeValue::S("a".into()));
    if get.send().await.is_ok() {
        return Err("a table that is not there".into());
    }
    Ok(())
}

async fn dynamodb_parameters(endpoint: &str) -> Done {
    let client = aws_sdk_dynamodb::Client::from_conf(client!(aws_sdk_dynamodb, endpoint).build());
    let get = client.get_item().table_name("Msgs").key("pk", AttributeValue::S("a".into()));
    let total = ReturnConsumedCapacity::Total;
    get.consistent_read(true).projection_expression("pk").return_consumed_capacity(total).send().await?;
    client.list_tables().limit(10).send().await?;
    client.scan().table_name("Msgs").send().await?;
    Ok(())
}

async fn s3(endpoint: &str) -> Done {
    let config = client!(aws_sdk_s3, endpoint).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    client.create_bucket().bucket("cruddur").send().await?;
    let object = || client.put_object().bucket("cruddur").key("k/1.txt").body(b"hi".to_vec().into());
    object().send().await?;
    let presigned = object().presigned(PresigningConfig::expires_in(Duration::from_secs(60))?).await?;
    if presigned.headers().any(|(name, _)| name.eq_ignore_ascii_case("x-amzn-trace-id")) {
        return Err("a presigned request has our header".into());
    }
    let answer = client.get_object().bucket("cruddur").key("k/1.txt").send().await?;
    answer.body.collect().await?;
    Ok(())
}

async fn s3_error(endpoint: &str) -> Done {
    let config = client!(aws_sdk_s3, endpoint).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    if client.get_object().bucket("cruddur").key("no ne").send().await.is_ok() {
        return Err("a key that is not there".into());
    }
    Ok(())
}

/// The bucket is in the host, and the name is found all the same.
async fn s3_virtual(endpoint: &str) -> Done {
    let port = endpoint.rsplit(':').next().unwrap_or_default();
    let config = client!(aws_sdk_s3, format!("http://localhost:{port}")).force_path_style(false).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    // Whether such a host is found depends on the machine; what is recorded does not.
    let _ = client.head_object().bucket("cruddur").key("k/1.txt").send().await;
    Ok(())
}

async fn sqs(client: &aws_sdk_sqs::Client) -> Result<String, Box<dyn Error>> {
    let created = client.create_queue().queue_name("orders").send().await?;
    let url = created.queue_url().unwrap_or_default().to_owned();
    let mut send = client.send_message().queue_url(&url).message_body("one book");
    // SQS itself takes the header of the request; what stands in for it does not.
    if let Some(header) = current().trace_header() {
        let value =
            MessageSystemAttributeValue::builder().data_type("String").string_value(header.to_string());
        let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
        send = send.message_system_attributes(name, value.build()?);
    }
    send.send().await?;
    Ok(url)
}

async fn receive(client: &aws_sdk_sqs::Client, url: &str) -> Done {
    let receive = client.receive_message().queue_url(url).max_number_of_messages(1);
    let received = receive.message_system_attribute_names(MessageSystemAttributeName::All).send().await?;
    for message in received.messages() {
        in_message_segment("consumer", &message.attributes(), async {
            current().put_annotation("body", message.body().unwrap_or_default());
        })
        .await;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done {
    let endpoint = std::env::args().nth(1).ok_or("usage: aws-sdk-peer ENDPOINT")?;
    let recorder = Recorder::builder().service("aws-sdk-peer").without_sampling().install()?;
    dynamodb(&endpoint).in_segment("dynamodb").await?;
    dynamodb_error(&endpoint).in_segment("dynamodb-error").await?;
    dynamodb_parameters(&endpoint).in_segment("dynamodb-parameters").await?;
    s3(&endpoint).in_segment("s3").await?;
    s3_error(&endpoint).in_segment("s3-error").await?;
    s3_virtual(&endpoint).in_segment("s3-virtual").await?;
    let client = aws_sdk_sqs::Client::from_conf(client!(aws_sdk_sqs, &endpoint).build());
    let url = sqs(&client).in_segment("sqs").await?;
    receive(&client, &url).in_segment("sqs-receive").await?;
    println!("{:?}", recorder.flush(Duration::from_secs(10)));
    Ok(())
}
