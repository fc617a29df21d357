//! What became of the documents.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

use super::queue::Held;
use crate::telemetry::BackendConnectionErrors;
use crate::upstream::Cause;

/// The upper ends of the latency's histogram, in seconds. The last bucket has none.
pub const LATENCY_SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// What a relay has sent, dropped and held. In documents where nothing else is said.
///
/// Every document ends in one place: `received` = `sent` + `unprocessed` + `dropped.total()` + `pending`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct RelayStats {
    /// Put into the queue.
    pub received: u64,
    /// Taken by the upstream.
    pub sent: u64,
    /// Refused by the upstream one by one (`UnprocessedTraceSegments`).
    pub unprocessed: u64,
    /// Dropped, by cause.
    pub dropped: RelayDropped,
    /// Waiting or under way.
    pub pending: u64,
    /// Put back after a failed call, to be sent again; a document counts each time.
    pub retried: u64,
    /// Bytes of the documents that were sent.
    pub sent_bytes: u64,
    /// Calls that succeeded.
    pub batches: u64,
    /// Calls that failed.
    pub failed_calls: u64,
    /// Batches that failed, by the cause of the first failure; one that is sent again and again counts once.
    pub errors: BackendConnectionErrors,
    /// Batches that wait.
    pub queue_batches: u64,
    /// Bytes of what waits and is under way.
    pub queue_bytes: u64,
    /// The most that these may be.
    pub queue_limit_bytes: u64,
    /// How long the oldest document that waits has done so, in seconds.
    pub oldest_seconds: f64,
    /// Seconds that all successful calls took together.
    pub latency_seconds: f64,
    /// Whether the last call failed.
    pub failing: bool,
}

/// Documents that were dropped, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RelayDropped {
    /// There was no room: newer ones were kept instead.
    pub memory: u64,
    /// The upstream refused the batch for good (400 and its like).
    pub refused: u64,
    /// No answer came in time, so that the upstream may or may not have them.
    pub unanswered: u64,
    /// The daemon ended before they could be sent.
    pub shutdown: u64,
    /// The upstream's code failed.
    pub panicked: u64,
}

impl RelayDropped {
    /// The sum of all causes.
    pub fn total(&self) -> u64 {
        self.memory + self.refused + self.unanswered + self.shutdown + self.panicked
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The counters behind [`RelayStats`].
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) received: Counter,
    pub(super) sent: Counter,
    pub(super) unprocessed: Counter,
    pub(super) retried: Counter,
    pub(super) sent_bytes: Counter,
    pub(super) batches: Counter,
    failed_calls: Counter,
    pub(super) memory: Counter,
    pub(super) refused: Counter,
    pub(super) unanswered: Counter,
    pub(super) shutdown: Counter,
    pub(super) panicked: Counter,
    failing: AtomicU64,
    errors: [Counter; 6],
    latency_micros: AtomicU64,
    latency: [AtomicU64; LATENCY_SECONDS.len() + 1],
}

impl Counts {
    /// A call succeeded.
    pub(super) fn answered(&self, after: Duration) {
        self.batches.add(1);
        self.failing.store(0, Relaxed);
        self.latency_micros.fetch_add(u64::try_from(after.as_micros()).unwrap_or(u64::MAX), Relaxed);
        let bucket = LATENCY_SECONDS.iter().position(|end| after.as_secs_f64() <= *end);
        if let Some(count) = self.latency.get(bucket.unwrap_or(LATENCY_SECONDS.len())) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// A call failed; for this cause, where the batch had not failed before.
    pub(super) fn failed(&self, first: Option<Cause>) {
        self.failing.store(1, Relaxed);
        self.failed_calls.add(1);
        if let Some(counter) = first.and_then(|cause| self.errors.get(cause as usize)) {
            counter.add(1);
        }
    }

    fn error(&self, cause: Cause) -> u64 {
        self.errors.get(cause as usize).map_or(0, Counter::get)
    }

    /// Successful calls by how long they took; see [`LATENCY_SECONDS`].
    pub(super) fn latency(&self) -> [u64; LATENCY_SECONDS.len() + 1] {
        self.latency.each_ref().map(|count| count.load(Relaxed))
    }

    pub(super) fn stats(&self, held: Held) -> RelayStats {
        RelayStats {
            received: self.received.get(),
            sent: self.sent.get(),
            unprocessed: self.unprocessed.get(),
            dropped: RelayDropped {
                memory: self.memory.get(),
                refused: self.refused.get(),
                unanswered: self.unanswered.get(),
                shutdown: self.shutdown.get(),
                panicked: self.panicked.get(),
            },
            pending: held.documents as u64,
            retried: self.retried.get(),
            sent_bytes: self.sent_bytes.get(),
            batches: self.batches.get(),
            failed_calls: self.failed_calls.get(),
            errors: BackendConnectionErrors {
                connection_refused_count: self.error(Cause::ConnectionRefused),
                http_code_4xx_count: self.error(Cause::Http4xx),
                http_code_5xx_count: self.error(Cause::Http5xx),
                other_count: self.error(Cause::Other),
                timeout_count: self.error(Cause::Timeout),
                unknown_host_count: self.error(Cause::UnknownHost),
            },
            queue_batches: held.batches as u64,
            queue_bytes: held.bytes as u64,
            queue_limit_bytes: held.limit as u64,
            oldest_seconds: held.oldest.map_or(0.0, |at| at.elapsed().as_secs_f64()),
            latency_seconds: self.latency_micros.load(Relaxed) as f64 / 1e6,
            failing: self.failing.load(Relaxed) != 0,
        }
    }
}
