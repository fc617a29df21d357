//! What a daemon has received, shown and lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use xray_console::AssemblerStats;

use crate::datagram::{Reject, parse_datagram};

/// What a [`LocalDaemon`](crate::LocalDaemon) has received, shown and lost since its start.
///
/// Every datagram ends in one place: `received` = `rejected.total()` + `dropped.queue_full` + `documents` + those that
/// wait in the queue. So does every accepted item: `rollbar.occurrences` = `items_shown` + `dropped.item_queue_full` +
/// those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams that came.
    pub received: u64,
    /// Datagrams that hold no usable document.
    pub rejected: Rejected,
    /// Documents that were put to their trace.
    pub documents: u64,
    /// Traces that were shown, each once.
    pub traces_shown: u64,
    /// Times that a trace was shown again, because more of it had come.
    pub traces_updated: u64,
    /// HTTP requests that came.
    pub requests: u64,
    /// Requests that were refused because a page of another site may have sent them.
    pub requests_refused: u64,
    /// Items that were shown.
    pub items_shown: u64,
    /// What the double of Rollbar's API has counted.
    pub rollbar: xray_console::rollbar::Stats,
    /// What was lost, and why.
    pub dropped: Dropped,
}

/// Datagrams that hold no usable document, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Rejected {
    /// There was no header line.
    pub missing_header: u64,
    /// There was nothing after the header line.
    pub missing_document: u64,
    /// The header line was none of the daemon's protocol.
    pub invalid_header: u64,
    /// The document could not be parsed: see [`xray_console::DocumentError`].
    pub invalid_document: u64,
}

impl Rejected {
    /// The sum of all causes.
    pub fn total(&self) -> u64 {
        self.missing_header + self.missing_document + self.invalid_header + self.invalid_document
    }
}

/// What was lost, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Dropped {
    /// Datagrams: traces came faster than they could be shown.
    pub queue_full: u64,
    /// Documents whose trace made room for newer ones before it was shown.
    pub evicted: u64,
    /// Documents of a trace that had too many already.
    pub trace_full: u64,
    /// Accepted items, and deploys, that were not shown: they came faster than they could be.
    pub item_queue_full: u64,
    /// Traces and items that the sink (the writer, the callback) failed to take.
    pub sink_failed: u64,
}

impl Dropped {
    /// The sum of all causes.
    pub fn total(&self) -> u64 {
        self.queue_full + self.evicted + self.trace_full + self.item_queue_full + self.sink_failed
    }
}

/// Datagrams, and those whose framing was wrong.
#[derive(Debug, Default)]
pub(crate) struct DatagramCounts {
    pub(crate) received: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    missing_header: AtomicU64,
    missing_document: AtomicU64,
    invalid_header: AtomicU64,
}

impl DatagramCounts {
    /// Counts a datagram and takes it apart; an error says whether it is the first of its kind.
    pub(crate) fn take<'a>(&self, datagram: &'a [u8]) -> Result<&'a [u8], (Reject, bool)> {
        count(&self.received);
        self.received_bytes.fetch_add(datagram.len() as u64, Ordering::Relaxed);
        parse_datagram(datagram).map(|datagram| datagram.body).map_err(|reject| {
            let counter = match reject {
                Reject::MissingHeader => &self.missing_header,
                Reject::MissingDocument => &self.missing_document,
                Reject::InvalidHeader => &self.invalid_header,
            };
            (reject, count(counter))
        })
    }

    /// Without documents that could not be parsed, of which it knows nothing.
    pub(crate) fn rejected(&self) -> Rejected {
        Rejected {
            missing_header: self.missing_header.load(Ordering::Relaxed),
            missing_document: self.missing_document.load(Ordering::Relaxed),
            invalid_header: self.invalid_header.load(Ordering::Relaxed),
            invalid_document: 0,
        }
    }
}

/// HTTP requests.
#[derive(Debug, Default)]
pub(crate) struct RequestCounts {
    pub(crate) requests: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// The counters behind [`Stats`]: each is written by one thread.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) datagrams: DatagramCounts,
    pub(crate) invalid_document: AtomicU64,
    pub(crate) queue_full: AtomicU64,
    pub(crate) item_queue_full: AtomicU64,
    pub(crate) sink_failed: AtomicU64,
    pub(crate) requests: Arc<RequestCounts>,
    pub(crate) items_shown: AtomicU64,
    documents: AtomicU64,
    traces: AtomicU64,
    updates: AtomicU64,
    evicted: AtomicU64,
    trace_full: AtomicU64,
}

/// Adds one, and tells whether it was the first.
pub(crate) fn count(counter: &AtomicU64) -> bool {
    counter.fetch_add(1, Ordering::Relaxed) == 0
}

impl Counters {
    /// Takes over what the assembler counts.
    pub(crate) fn publish(&self, stats: AssemblerStats) {
        self.documents.store(stats.documents, Ordering::Relaxed);
        self.traces.store(stats.traces, Ordering::Relaxed);
        self.updates.store(stats.updates, Ordering::Relaxed);
        self.evicted.store(stats.evicted, Ordering::Relaxed);
        self.trace_full.store(stats.refused, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            received: read(&self.datagrams.received),
            rejected: Rejected {
                invalid_document: read(&self.invalid_document),
                ..self.datagrams.rejected()
            },
            documents: read(&self.documents),
            traces_shown: read(&self.traces),
            traces_updated: read(&self.updates),
            requests: read(&self.requests.requests),
            requests_refused: read(&self.requests.refused),
            items_shown: read(&self.items_shown),
            rollbar: xray_console::rollbar::Stats::default(),
            dropped: Dropped {
                queue_full: read(&self.queue_full),
                evicted: read(&self.evicted),
                trace_full: read(&self.trace_full),
                item_queue_full: read(&self.item_queue_full),
                sink_failed: read(&self.sink_failed),
            },
        }
    }
}
