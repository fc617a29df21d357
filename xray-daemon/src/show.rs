//! The showing thread: assembles what was received into traces, and calls the sinks with traces and items.
//!
//! The queue before it is bounded by count and by bytes, so that a slow terminal costs documents and items (which are
//! counted), never memory.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Queue, RecvTimeoutError, SyncSender, TryRecvError};
use std::time::Instant;

use xray_console::rollbar::{Deploy, Occurrence};
use xray_console::{Assembler, Document, FinishedTrace};

use crate::receiver::Intake;
use crate::stats::{Counters, count};
use crate::tcp::Watch;

/// The most documents and items that wait to be shown.
pub(crate) const QUEUE_LENGTH: usize = 16_384;

/// The most bytes of documents and items that wait to be shown: 32 MiB.
const QUEUE_BYTES: usize = 32 << 20;

pub(crate) type TraceSink = Box<dyn FnMut(&FinishedTrace) -> io::Result<()> + Send>;
pub(crate) type ItemSink = Box<dyn FnMut(&Occurrence) -> io::Result<()> + Send>;
pub(crate) type DeploySink = Box<dyn FnMut(&Deploy) -> io::Result<()> + Send>;
pub(crate) type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// On its way to the showing thread.
pub(crate) struct Queued {
    what: What,
    at: Instant,
}

enum What {
    Document(Box<[u8]>),
    Item(Arc<Occurrence>),
    Deploy(Deploy),
}

impl Queued {
    fn bytes(&self) -> usize {
        match &self.what {
            What::Document(body) => body.len(),
            What::Item(occurrence) => occurrence.bytes,
            What::Deploy(deploy) => deploy.comment.as_ref().map_or(0, String::len),
        }
    }
}

/// What the threads of a daemon share.
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    /// Bytes of what is in the queue.
    queued: AtomicUsize,
    pub(crate) notice: Notice,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("stats", &self.counters.stats()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(notice: Notice) -> Self {
        Self { counters: Counters::default(), queued: AtomicUsize::new(0), notice }
    }

    /// Takes a datagram: into the queue, or counted with those that are no documents.
    pub(crate) fn accept(&self, datagram: &[u8], queue: &SyncSender<Queued>) {
        let body = match self.counters.datagrams.take(datagram) {
            Ok(body) => body,
            Err((reject, first)) => {
                if first {
                    (self.notice)(&format!("rejected a datagram of {} bytes: {reject}", datagram.len()));
                }
                return;
            }
        };
        self.queue(What::Document(body.into()), queue, &self.counters.queue_full, "documents");
    }

    fn queue(&self, what: What, queue: &SyncSender<Queued>, full: &AtomicU64, names: &str) {
        let queued = Queued { what, at: Instant::now() };
        let bytes = queued.bytes();
        let before = self.queued.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > QUEUE_BYTES || queue.try_send(queued).is_err() {
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            if count(full) {
                (self.notice)(&format!(
                    "{names} come faster than they can be shown; some are dropped, and counted"
                ));
            }
        }
    }
}

/// The receiver's way to the showing thread.
pub(crate) struct ToQueue {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: SyncSender<Queued>,
}

impl Intake for ToQueue {
    fn datagram(&mut self, datagram: &[u8], _: Instant) {
        self.shared.accept(datagram, &self.queue);
    }

    fn due(&mut self, _: Instant) -> Option<Instant> {
        None
    }

    fn end(&mut self) {}
}

/// The TCP server's way to the showing thread.
pub(crate) struct ToShow {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: SyncSender<Queued>,
}

impl Watch for ToShow {
    fn occurrence(&self, occurrence: Arc<Occurrence>) {
        let full = &self.shared.counters.item_queue_full;
        self.shared.queue(What::Item(occurrence), &self.queue, full, "items");
    }

    fn deploy(&self, deploy: Deploy) {
        let full = &self.shared.counters.item_queue_full;
        self.shared.queue(What::Deploy(deploy), &self.queue, full, "deploys");
    }

    fn notice(&self, text: &str) {
        (self.shared.notice)(text);
    }
}

/// The showing thread.
pub(crate) struct Show {
    pub(crate) shared: Arc<Shared>,
    pub(crate) assembler: Assembler,
    pub(crate) trace_sink: TraceSink,
    pub(crate) item_sink: ItemSink,
    pub(crate) deploy_sink: DeploySink,
}

impl Show {
    pub(crate) fn run(mut self, queue: &Queue<Queued>) {
        loop {
            // While documents wait, it is as late as when the last one came: what is in the queue may still belong to
            // a trace that would else seem quiet.
            match queue.try_recv() {
                Ok(queued) => {
                    let now = self.take(queued);
                    self.show_finished(now);
                    continue;
                }
                Err(TryRecvError::Empty) => self.show_finished(Instant::now()),
                Err(TryRecvError::Disconnected) => break,
            }
            let next = match self.assembler.next_due() {
                Some(due) => queue.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(queued) => {
                    let now = self.take(queued);
                    self.show_finished(now);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        for finished in self.assembler.drain() {
            self.show(&finished);
        }
        self.shared.counters.publish(self.assembler.stats());
    }

    fn take(&mut self, queued: Queued) -> Instant {
        let bytes = queued.bytes();
        let Queued { what, at } = queued;
        self.shared.queued.fetch_sub(bytes, Ordering::Relaxed);
        match what {
            What::Document(body) => self.add(&body, at),
            What::Item(occurrence) => {
                count(&self.shared.counters.items_shown);
                let shown = catch_unwind(AssertUnwindSafe(|| (self.item_sink)(&occurrence)));
                self.note_failure("an item", shown);
            }
            What::Deploy(deploy) => {
                let shown = catch_unwind(AssertUnwindSafe(|| (self.deploy_sink)(&deploy)));
                self.note_failure("a deploy", shown);
            }
        }
        at
    }

    fn add(&mut self, document: &[u8], at: Instant) {
        let counters = &self.shared.counters;
        match Document::parse(document) {
            Ok(document) => self.assembler.add(document, at),
            Err(error) => {
                if count(&counters.invalid_document) {
                    (self.shared.notice)(&format!("rejected a document: {error}"));
                }
            }
        }
        counters.publish(self.assembler.stats());
    }

    fn show_finished(&mut self, now: Instant) {
        while let Some(finished) = self.assembler.next_finished(now) {
            self.shared.counters.publish(self.assembler.stats());
            self.show(&finished);
        }
    }

    fn show(&mut self, finished: &FinishedTrace) {
        let shown = catch_unwind(AssertUnwindSafe(|| (self.trace_sink)(finished)));
        self.note_failure("a trace", shown);
    }

    fn note_failure(&self, what: &str, shown: std::thread::Result<io::Result<()>>) {
        let failure = match shown {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it panicked".to_owned(),
        };
        if count(&self.shared.counters.sink_failed) {
            (self.shared.notice)(&format!("{what} could not be shown: {failure}"));
        }
    }
}
