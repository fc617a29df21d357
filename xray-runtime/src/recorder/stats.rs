//! What became of what was recorded.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::warning::Warned;

/// Counters of one recorder, in entities (segments and subsegments) unless they say otherwise.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Handed to the queue, whether it was taken or not.
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) queue_full: AtomicU64,
    pub(crate) too_large: AtomicU64,
    pub(crate) send_failed: AtomicU64,
    pub(crate) socket_full: AtomicU64,
    pub(crate) exporter_panicked: AtomicU64,
    pub(crate) abandoned: AtomicU64,
    /// Reached the exporter's thread and was given up there.
    pub(crate) evicted: AtomicU64,
    /// Facts and ends that came too late, or were too many.
    pub(crate) late_facts: AtomicU64,
    /// Calls on an entity that had ended.
    pub(crate) after_end: AtomicU64,
    /// Annotations and metadata that were refused: bad key, bad value, failing serializer.
    pub(crate) refused: AtomicU64,
    /// Values that were cut to fit.
    pub(crate) truncated: AtomicU64,
    pub(crate) documents: AtomicU64,
    pub(crate) packets: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) segments: AtomicU64,
    pub(crate) unsampled: AtomicU64,
    pub(crate) kept_late: AtomicU64,
    pub(crate) late_over_limit: AtomicU64,
    pub(crate) late_unrecorded: AtomicU64,
    pub(crate) listener_panics: AtomicU64,
    warned: Mutex<Warned>,
}

impl Counts {
    /// Writes one warning a minute.
    pub(crate) fn warn_once(&self, text: impl FnOnce() -> String) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).is_due() {
            tracing::warn!(target: "xray_runtime", "{} (one such warning a minute; Recorder::stats() has the counts)", text());
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        // `sent` and the drops before `received`: read the other way round, the sum could pass the total.
        let sent = read(&self.sent);
        let too_large = read(&self.too_large);
        let send_failed = read(&self.send_failed);
        let socket_full = read(&self.socket_full);
        let exporter_panicked = read(&self.exporter_panicked);
        let evicted = read(&self.evicted);
        let queue_full = read(&self.queue_full);
        let received = read(&self.received);
        let abandoned = read(&self.abandoned);
        Stats {
            recorded: received + abandoned,
            sent,
            dropped_queue_full: queue_full,
            dropped_too_large: too_large,
            dropped_send_failed: send_failed,
            dropped_socket_full: socket_full,
            dropped_exporter_panicked: exporter_panicked,
            dropped_abandoned: abandoned + evicted,
            pending: received.saturating_sub(
                sent + queue_full + too_large + send_failed + socket_full + exporter_panicked + evicted,
            ),
            late_facts: read(&self.late_facts),
            after_end: read(&self.after_end),
            refused: read(&self.refused),
            truncated: read(&self.truncated),
            documents_sent: read(&self.documents),
            packets_sent: read(&self.packets),
            bytes_sent: read(&self.bytes),
            segments: read(&self.segments),
            segments_unsampled: read(&self.unsampled),
            segments_kept_late: read(&self.kept_late),
            late_over_limit: read(&self.late_over_limit),
            late_unrecorded: read(&self.late_unrecorded),
            listener_panics: read(&self.listener_panics),
            context_missing_warnings: super::missing::warnings(),
        }
    }
}

/// What became of what was recorded, in entities (segments and subsegments) unless a field says otherwise.
///
/// `recorded` = `sent` + `dropped()` + `pending`. Entities whose segment is still open are not counted yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Handed over for the exporter's thread, or dropped before it.
    pub recorded: u64,
    /// Given to the socket (or to the exporter in use) without an error.
    pub sent: u64,
    /// The exporter's thread was behind: its queue was full.
    pub dropped_queue_full: u64,
    /// Did not fit a packet, even cut down.
    pub dropped_too_large: u64,
    /// The socket refused it: no daemon, no route, a wrong address.
    pub dropped_send_failed: u64,
    /// The socket's buffer stayed full.
    pub dropped_socket_full: u64,
    /// An exporter of the user's panicked.
    pub dropped_exporter_panicked: u64,
    /// Their segment was never ended.
    pub dropped_abandoned: u64,
    /// In the queue, or with the exporter's thread: of trees that are not closed yet.
    pub pending: u64,
    /// Annotations, metadata and the like that came too late or were too many.
    pub late_facts: u64,
    /// Calls on an entity that had ended already: no effect.
    pub after_end: u64,
    /// Annotations and metadata that were refused: a bad key, a value that is no number, a serializer that failed.
    pub refused: u64,
    /// Values that were cut to fit a limit.
    pub truncated: u64,
    /// Documents, whole segments or single subsegments.
    pub documents_sent: u64,
    /// Datagrams; 0 for exporters without a socket.
    pub packets_sent: u64,
    /// Bytes of those datagrams.
    pub bytes_sent: u64,
    /// Segments begun, sampled or not.
    pub segments: u64,
    /// Segments of those that were not sampled.
    pub segments_unsampled: u64,
    /// Segments of those that were [kept](crate::LateKeep) at their end.
    pub segments_kept_late: u64,
    /// Segments that were not sampled, and not kept because there were too many.
    pub late_over_limit: u64,
    /// Subsegments of such segments that were not recorded: one had too many.
    pub late_unrecorded: u64,
    /// Calls of a [`SegmentListener`](crate::SegmentListener) that panicked.
    pub listener_panics: u64,
    /// Warnings that no segment was current. Counted for the process, not for the recorder.
    pub context_missing_warnings: u64,
}

impl Stats {
    /// All that was lost, whatever the cause.
    pub fn dropped(&self) -> u64 {
        self.dropped_queue_full
            + self.dropped_too_large
            + self.dropped_send_failed
            + self.dropped_socket_full
            + self.dropped_exporter_panicked
            + self.dropped_abandoned
    }

    pub(crate) fn since(&self, before: &Self) -> Flushed {
        Flushed {
            sent: self.sent - before.sent,
            dropped: self.dropped() - before.dropped(),
            pending: self.pending,
        }
    }
}

/// What a flush did, in entities (segments and subsegments).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Sent since the flush began.
    pub sent: u64,
    /// Dropped since the flush began.
    pub dropped: u64,
    /// Still with the exporter: of segments that are open, or not reached before the deadline.
    pub pending: u64,
}
