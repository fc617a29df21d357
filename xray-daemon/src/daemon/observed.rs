//! What is seen of the daemon from outside.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use xray_console::sampling::SamplingRules;

use crate::log;
use crate::observed::{Observation, Observed, Status, UpstreamObservation};
use crate::receiver::SocketObserver;
use crate::relay::RelayQueue;
use crate::stats::{DatagramCounts, RequestCounts};

/// What is seen of it from outside.
pub(super) struct RelayObserved {
    pub(super) started: Instant,
    pub(super) socket: SocketObserver,
    pub(super) counts: Arc<DatagramCounts>,
    pub(super) requests: Arc<RequestCounts>,
    pub(super) relays: Vec<RelayQueue>,
    pub(super) rules: Option<Arc<SamplingRules>>,
}

impl Observed for RelayObserved {
    fn observe(&self) -> Observation {
        let upstreams: Vec<UpstreamObservation> = self
            .relays
            .iter()
            .map(|relay| UpstreamObservation {
                name: relay.name().to_owned(),
                stats: relay.stats(),
                latency: relay.latency(),
            })
            .collect();
        Observation {
            status: Status::of(&upstreams),
            version: env!("CARGO_PKG_VERSION"),
            mode: "relay",
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            udp: self.socket.addr().to_string(),
            received: self.counts.received.load(Ordering::Relaxed),
            received_bytes: self.counts.received_bytes.load(Ordering::Relaxed),
            rejected: self.counts.rejected(),
            kernel_dropped: self.socket.dropped(),
            receive_buffer_bytes: self.socket.buffer(),
            requests: self.requests.requests.load(Ordering::Relaxed),
            requests_refused: self.requests.refused.load(Ordering::Relaxed),
            upstreams,
            sampling: self.rules.as_ref().map(|rules| rules.stats().into()),
            local: None,
            log_lines_lost: log::lost(),
        }
    }
}
