//! What can go wrong with what programs are made of: servers and clients that stop in the middle, endpoints that hang, streams
//! without an end. Nothing of it may panic, block or grow without bound, and each entity ends once.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub
)]

mod actix;
mod aws_sdk;
mod exporters;
mod grpc;
mod late_keep;
mod listeners;
#[path = "../../../xray-runtime/tests/metadata_endpoint/mod.rs"]
mod metadata_endpoint;
mod plugins;
mod sqlx;
#[allow(dead_code, reason = "it is there for all targets of faults")]
#[path = "../support.rs"]
mod support;
mod tracing;
