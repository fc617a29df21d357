//! What can be seen of a running daemon from outside.

use serde::Serialize;

use xray_console::sampling::SamplingStats;

use crate::relay::{LATENCY_SECONDS, RelayStats};
use crate::stats::{Rejected, Stats};

/// A daemon that can be looked at.
pub(crate) trait Observed: Send + Sync {
    /// All that there is to see now.
    fn observe(&self) -> Observation;
}

/// What is seen at one moment: the body of `/health`, and the source of `/metrics`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Observation {
    pub(crate) status: Status,
    pub(crate) version: &'static str,
    /// `relay` or `local`.
    pub(crate) mode: &'static str,
    pub(crate) uptime_seconds: f64,
    pub(crate) udp: String,
    /// Datagrams.
    pub(crate) received: u64,
    pub(crate) received_bytes: u64,
    pub(crate) rejected: Rejected,
    /// Datagrams that the kernel dropped because the receive buffer was full; none where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kernel_dropped: Option<u64>,
    pub(crate) receive_buffer_bytes: usize,
    pub(crate) requests: u64,
    pub(crate) requests_refused: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) upstreams: Vec<UpstreamObservation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sampling: Option<SamplingObservation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) local: Option<LocalObservation>,
    /// Lines of the log that could not be written.
    pub(crate) log_lines_lost: u64,
}

/// How it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As it should.
    Ok,
    /// The last call to an upstream failed; what came since is kept.
    Failing,
}

impl Status {
    pub(crate) fn of(upstreams: &[UpstreamObservation]) -> Self {
        if upstreams.iter().any(|upstream| upstream.stats.failing) { Self::Failing } else { Self::Ok }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct UpstreamObservation {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) stats: RelayStats,
    /// For the histogram of `/metrics`.
    #[serde(skip)]
    pub(crate) latency: [u64; LATENCY_SECONDS.len() + 1],
}

/// Sampling that is answered here.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct SamplingObservation {
    pub(crate) rules: u64,
    /// Samplers that use a rule, each as often as it uses one.
    pub(crate) clients: u64,
    /// Calls for rules.
    pub(crate) rules_requests: u64,
    /// Calls for targets.
    pub(crate) targets_requests: u64,
    /// Those of both that were wrong.
    pub(crate) refused: u64,
    /// What samplers reported of a rule.
    pub(crate) reports: u64,
}

/// What a daemon shows here.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct LocalObservation {
    pub(crate) documents: u64,
    pub(crate) traces_shown: u64,
    pub(crate) items_shown: u64,
    pub(crate) dropped: u64,
}

impl From<Stats> for LocalObservation {
    fn from(stats: Stats) -> Self {
        let Stats { documents, traces_shown, items_shown, dropped, .. } = stats;
        Self { documents, traces_shown, items_shown, dropped: dropped.total() }
    }
}

impl From<SamplingStats> for SamplingObservation {
    fn from(stats: SamplingStats) -> Self {
        let SamplingStats { rules, clients, rules_requests, targets_requests, refused, reports, .. } = stats;
        Self { rules, clients, rules_requests, targets_requests, refused, reports }
    }
}
