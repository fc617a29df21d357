//! Ours: calls with an integration and without it, the documents sent to a socket, as in production.

mod aws_sdk;
mod grpc;
mod messages;
mod recorder;
mod sqlx;

use harness::Counting;
use harness::calls::{Caller, Calls};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// `same`: both sides are plain, so that what is between them is the noise.
const SCENARIOS: &[&str] = &[
    "sqlx-memory/same",
    "sqlx-memory/sampled",
    "sqlx-memory/text",
    "sqlx-memory/unsampled",
    "sqlx-memory/disabled",
    "sqlx-rows/sampled",
    "sqlx-file/same",
    "sqlx-file/sampled",
    "sqlx-file/text",
    "aws-sqs/same",
    "aws-sqs/sampled",
    "aws-sqs/parameters",
    "aws-sqs/large",
    "aws-sqs/unsampled",
    "aws-sqs/disabled",
    "grpc-client/sampled",
    "grpc-client/unsampled",
    "grpc-server/sampled",
    "grpc-server/unsampled",
    "message/sampled",
    "message/unsampled",
];

fn main() {
    Caller { scenarios: SCENARIOS }.main(|integration, mode| -> Calls {
        let recorder = recorder::Recording::start(mode);
        match integration {
            "sqlx-memory" => sqlx::calls(recorder, mode, sqlx::Database::Memory, sqlx::Query::One),
            "sqlx-rows" => sqlx::calls(recorder, mode, sqlx::Database::Memory, sqlx::Query::Rows),
            "sqlx-file" => sqlx::calls(recorder, mode, sqlx::Database::File, sqlx::Query::One),
            "aws-sqs" => aws_sdk::calls(recorder, mode),
            "grpc-client" => grpc::client_calls(recorder),
            "grpc-server" => grpc::server_calls(recorder),
            "message" => messages::calls(recorder),
            _ => unreachable!("no such integration: {integration}"),
        }
    });
}
