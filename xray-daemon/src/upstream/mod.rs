//! Where batches go: AWS X-Ray, or whatever else implements [`Upstream`].

#[cfg(feature = "relay")]
pub mod aws;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;

use crate::batch::Batch;
use crate::telemetry::TelemetryRecord;

/// Somewhere that documents are relayed to. The relay has a queue for each, and calls it from many tasks at once.
///
/// A call is one attempt: the relay decides whether there is another.
pub trait Upstream: Send + Sync + 'static {
    /// What logs, metrics and `status` call it: lower case, such as `aws-xray`.
    fn name(&self) -> &str;

    /// Sends a batch, once.
    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Receipt, Failure>>;

    /// Sends telemetry records, at most 10, once. Where an upstream takes none there is nothing to do.
    fn send_telemetry<'a>(&'a self, records: &'a [TelemetryRecord]) -> BoxFuture<'a, Result<(), Failure>> {
        let _ = records;
        Box::pin(std::future::ready(Ok(())))
    }
}

/// An upstream's answer to a batch that it took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Documents of the batch that it refused; they are not sent again.
    pub unprocessed: Vec<Unprocessed>,
}

/// A document that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unprocessed {
    /// The segment's id, where it could be read.
    pub id: Option<String>,
    /// Such as `MissingId`.
    pub error_code: Option<String>,
    /// Why.
    pub message: Option<String>,
}

/// Why a batch was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// As telemetry counts it.
    pub cause: Cause,
    /// What is to become of the batch.
    pub verdict: Verdict,
    /// For the log; holds no secret.
    pub message: String,
}

/// The kinds of failure that telemetry tells apart (`BackendConnectionErrors`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nobody listens there.
    ConnectionRefused,
    /// An answer of 400 to 499.
    Http4xx,
    /// An answer of 500 to 599.
    Http5xx,
    /// No answer in time.
    Timeout,
    /// The name cannot be resolved.
    UnknownHost,
    /// Anything else: a reset, TLS, no credentials.
    Other,
}

/// What is to become of a batch that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it again, after this time at the earliest where the upstream said so.
    Retry {
        /// From `Retry-After`.
        after: Option<Duration>,
    },
    /// It was written whole and no answer came: the upstream may have it. Never sent again, because what is slow would get it
    /// twice.
    Unanswered,
    /// It will never be taken.
    Refuse,
    /// It is too large: send it in halves.
    Split,
}
