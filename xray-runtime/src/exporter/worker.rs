//! The exporter's thread: takes shipments, has them written as documents, hands the documents on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError, Weak};
use std::thread::park_timeout;
use std::time::Duration;

use super::{Batch, DropCause, Exporter};
use crate::document::Documents;
use crate::heartbeat::Heartbeat;
use crate::recorder::{Core, missing};

/// How long a batch gathers once the thread is awake: a system call then serves many segments.
const GATHER: Duration = Duration::from_millis(5);

/// How often the thread looks after trees that are not settled, at least.
const TIDY: Duration = Duration::from_secs(1);

/// Without work it looks seldom: only the warning about missing contexts waits for it.
const REST: Duration = Duration::from_secs(60);

/// Bytes of documents that are exported together.
const BATCH_BYTES: usize = 1 << 20;

/// What the thread works with.
#[derive(Debug)]
pub(crate) struct Worker {
    exporter: Box<dyn Exporter>,
    documents: Documents,
    batch: Batch,
}

impl Worker {
    pub(crate) fn new(exporter: Box<dyn Exporter>) -> Self {
        Self { exporter, documents: Documents::default(), batch: Batch::default() }
    }

    /// The thread's life. It holds the recorder only while it works, so that the last handle ends it.
    pub(super) fn run(worker: &Mutex<Self>, core: &Weak<Core>) {
        loop {
            match core.upgrade() {
                None => return,
                Some(core) => core.wake.stay_awake(),
            }
            let hurry = core.upgrade().is_none_or(|core| core.wake.in_a_hurry());
            if !hurry {
                park_timeout(GATHER);
            }
            let Some(strong) = core.upgrade() else { return };
            let mut this = worker.lock().unwrap_or_else(PoisonError::into_inner);
            this.work(&strong);
            drop(this);
            strong.wake.fall_asleep();
            // What came between the last look and falling asleep woke nobody.
            if !strong.is_idle() || strong.wake.has_unanswered() {
                continue;
            }
            // After falling asleep, as the last look: a tree that comes now wakes the thread.
            let rest = if strong.unsettled.is_empty() {
                REST
            } else {
                strong.settings.open_children_patience.min(TIDY)
            };
            let next_beat = strong.heartbeat.as_ref().and_then(Heartbeat::rest);
            let rest = next_beat.map_or(rest, |next| rest.min(next));
            drop(strong);
            park_timeout(rest);
        }
    }

    #[cfg(all(test, feature = "lambda"))]
    pub(super) fn pending_trees(&self) -> usize {
        self.documents.pending_trees()
    }

    /// Exports what is queued.
    fn work(&mut self, core: &Core) {
        core.wake.looked();
        let asked = core.wake.asked();
        self.documents.follow_clock();
        core.unsettled.sweep(core.settings.open_children_patience);
        if let Some(heartbeat) = &core.heartbeat {
            // Before the queue: a document of the end comes after that of the heartbeat.
            for beat in heartbeat.due() {
                self.documents.write_beat(core, &beat, &mut self.batch);
            }
        }
        while let Some(chunk) = core.receive() {
            self.documents.write(core, chunk, &mut self.batch);
            if self.batch.bytes.len() >= BATCH_BYTES {
                self.export(core);
                self.documents.follow_clock();
            }
        }
        self.export(core);
        if core.wake.has_unanswered() {
            self.guarded(core, |exporter, _| exporter.flush());
            core.wake.answer(asked);
        }
        missing::rearm(core.settings.context_missing);
    }

    fn export(&mut self, core: &Core) {
        if self.batch.is_empty() {
            return;
        }
        let done = self.guarded(core, |exporter, batch| exporter.export(batch));
        let counts = &core.counts;
        let mut sent = (0, 0);
        for entry in &self.batch.entries {
            let entities = u64::from(entry.entities);
            let lost = match entry.failed.or(if done { None } else { Some(DropCause::ExporterPanicked) }) {
                None => {
                    sent = (sent.0 + 1, sent.1 + entities);
                    continue;
                }
                Some(DropCause::TooLarge) => &counts.too_large,
                Some(DropCause::SendFailed) => &counts.send_failed,
                Some(DropCause::SocketFull) => &counts.socket_full,
                Some(DropCause::ExporterPanicked) => &counts.exporter_panicked,
            };
            lost.fetch_add(entities, Relaxed);
        }
        counts.documents.fetch_add(sent.0, Relaxed);
        counts.sent.fetch_add(sent.1, Relaxed);
        counts.packets.fetch_add(self.batch.packets, Relaxed);
        counts.bytes.fetch_add(self.batch.packet_bytes, Relaxed);
        self.batch.clear();
    }

    /// Runs the exporter, which may be the user's code; false where it panicked.
    fn guarded(&mut self, core: &Core, run: impl FnOnce(&mut dyn Exporter, &mut Batch)) -> bool {
        let Self { exporter, batch, .. } = self;
        let outcome = catch_unwind(AssertUnwindSafe(|| run(exporter.as_mut(), batch)));
        if outcome.is_err() {
            core.counts.warn_once(|| "the exporter panicked: its batch is counted as dropped".into());
        }
        outcome.is_ok()
    }
}
