//! What the daemon tells AWS X-Ray of itself once a minute.

use serde::Serialize;

/// A minute of the daemon, as `PutTelemetryRecords` takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TelemetryRecord {
    /// The end of that minute, in seconds since 1970.
    pub timestamp: f64,
    /// Datagrams that came.
    pub segments_received_count: u64,
    /// Documents that an upstream took.
    pub segments_sent_count: u64,
    /// Documents that were dropped: there was no room for them, or they could not be sent.
    pub segments_spillover_count: u64,
    /// Datagrams without a valid header or without a document, and documents that the upstream refused.
    pub segments_rejected_count: u64,
    /// Batches that failed, by cause.
    pub backend_connection_errors: BackendConnectionErrors,
}

/// Batches that failed, by cause: one for each batch, not for each attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BackendConnectionErrors {
    /// Nobody listened.
    pub connection_refused_count: u64,
    /// Answers of 400 to 499.
    #[serde(rename = "HTTPCode4XXCount")]
    pub http_code_4xx_count: u64,
    /// Answers of 500 to 599.
    #[serde(rename = "HTTPCode5XXCount")]
    pub http_code_5xx_count: u64,
    /// Anything else.
    pub other_count: u64,
    /// No answer in time.
    pub timeout_count: u64,
    /// A name that could not be resolved.
    pub unknown_host_count: u64,
}
