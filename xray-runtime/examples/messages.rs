//! A trace that crosses a queue: `cargo run -p xray-runtime --example messages --features aws-sdk`
//!
//! The producer's header goes with each message; the consumer handles the batch, one segment a message, each linked to the one that
//! sent it. It prints the segment documents. The messages are those of the SQS client; the queue is a channel.
#![allow(clippy::print_stdout)] // It is a program for a terminal.

use std::error::Error;
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use xray_runtime::{
    JsonLinesExporter, Recorder, begin_subsegment, current, in_message_segment, xray_capture,
};

/// With `XRayInterceptor` on its client SQS does this by itself: it takes the header of the request.
#[xray_capture(segment)]
async fn produce(body: &str) -> Message {
    let send = begin_subsegment("send");
    let header = send.trace_header().map(|header| header.to_string());
    Message::builder()
        .body(body)
        .set_attributes(header.map(|header| [(MessageSystemAttributeName::AwsTraceHeader, header)].into()))
        .build()
}

async fn consume(batch: Vec<Message>) {
    for message in &batch {
        in_message_segment("orders", &message.attributes(), async {
            current().put_annotation("order", message.body().unwrap_or_default());
        })
        .await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let exporter = JsonLinesExporter::new(std::io::stdout());
    let recorder = Recorder::builder().service("shop").without_sampling().exporter(exporter).install()?;
    let (queue, mut messages) = tokio::sync::mpsc::channel(10);
    for body in ["one book", "two pens"] {
        queue.send(produce(body).await).await?;
    }
    let mut batch = Vec::new();
    messages.recv_many(&mut batch, 10).await;
    consume(batch).await;
    recorder.flush(Duration::from_secs(5));
    Ok(())
}
