//! The worker: a thread of its own, with a tokio runtime for one thread, that makes items and sends them.

mod sender;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use uuid::Uuid;

use sender::Sender;

use crate::current::{REPORTING, set_flag};
use crate::delivery::DeliverySettings;
use crate::occurrence::Occurrence;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::stats::{Counters, Loss, count};
use crate::transport::{HttpSettings, HttpTransport, Transport, TransportSetupError};

/// Stack of the thread: resolving symbols and reading deep trees takes some.
const STACK_BYTES: usize = 2 << 20;

/// How long the end waits for the thread to put away what is left.
const STOP: Duration = Duration::from_secs(1);

/// How the worker sends; also what a child of `fork` starts its own with.
#[derive(Clone)]
pub(crate) struct Sending {
    pub(crate) source: Source,
    pub(crate) delivery: DeliverySettings,
    pub(crate) spool: Option<SpoolSettings>,
}

/// Where the transport comes from.
#[derive(Clone)]
pub(crate) enum Source {
    Http(HttpSettings),
    Own(Arc<dyn Transport>),
}

/// Why there is no worker.
pub(crate) enum StartError {
    Transport(TransportSetupError),
    Thread(std::io::Error),
}

/// The spool folder and its bounds.
#[derive(Debug, Clone)]
pub(crate) struct SpoolSettings {
    pub(crate) dir: PathBuf,
    pub(crate) max_bytes: u64,
    pub(crate) max_files: usize,
}

/// The callers' side of the worker.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    /// The process that has the thread: a child of `fork` has none.
    pid: u32,
}

struct Shared {
    queue: Queue,
    wake: Notify,
    /// Whether the worker waits to be woken. Who reports wakes it only then: that is a system call.
    sleeping: AtomicBool,
    stopping: AtomicBool,
    /// The number of the oldest occurrence that has not ended, or of the next one.
    oldest: AtomicU64,
    /// The least number that anybody who flushes waits for. To wake one at every item costs two switches of threads.
    wanted: AtomicU64,
    settled: Mutex<()>,
    settling: Condvar,
    counters: Arc<Counters>,
}

impl Worker {
    pub(crate) fn start(
        settings: Arc<Settings>,
        counters: Arc<Counters>,
        sending: &Sending,
    ) -> Result<Self, StartError> {
        let transport: Arc<dyn Transport> = match &sending.source {
            Source::Http(http) => Arc::new(HttpTransport::new(http).map_err(StartError::Transport)?),
            Source::Own(transport) => Arc::clone(transport),
        };
        let shared = Arc::new(Shared {
            queue: Queue::new(settings.bounds),
            wake: Notify::new(),
            sleeping: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            oldest: AtomicU64::new(0),
            wanted: AtomicU64::new(u64::MAX),
            settled: Mutex::new(()),
            settling: Condvar::new(),
            counters: Arc::clone(&counters),
        });
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
        let sending = sending.clone();
        let own = Arc::clone(&shared);
        let run = move || {
            // What the user's hooks report is refused, and their panics are no items: each would make another.
            set_flag(REPORTING, true);
            let body = AssertUnwindSafe(|| {
                let sender = Sender::new(own.clone(), settings, transport, sending);
                // As a task: to wake the root of the runtime takes two system calls each time.
                runtime.block_on(async { tokio::spawn(sender.run()).await })
            });
            let has_ended = matches!(catch_unwind(body), Ok(Ok(())));
            if !has_ended {
                tracing::error!("the thread that sends Rollbar items panicked; no more are sent");
                own.stopping.store(true, Ordering::Release);
            }
            own.abandon(if has_ended { Loss::AfterShutdown } else { Loss::Worker });
        };
        let thread = std::thread::Builder::new().name("rollbar".to_owned()).stack_size(STACK_BYTES);
        thread.spawn(run).map_err(StartError::Thread)?;
        Ok(Self { shared, pid: std::process::id() })
    }

    /// Whether the thread is in this process.
    pub(crate) fn is_here(&self) -> bool {
        self.pid == std::process::id()
    }

    /// Takes an occurrence in; false where it is lost at once.
    pub(crate) fn take_in(&self, occurrence: Box<Occurrence>) -> bool {
        let shared = &*self.shared;
        if shared.stopping.load(Ordering::Acquire) {
            shared.counters.lose(Loss::Worker, 1, occurrence.coalesced);
            return false;
        }
        let pushed = match shared.queue.push(occurrence) {
            Ok(pushed) => pushed,
            // The end came between.
            Err(occurrence) => {
                shared.counters.lose(Loss::AfterShutdown, 1, occurrence.coalesced);
                return false;
            }
        };
        if pushed.lost > 0 {
            shared.counters.lose(Loss::QueueFull, pushed.lost, pushed.lost_coalesced);
        }
        shared.wake();
        !pushed.refused
    }

    /// Waits until what was taken in before has ended, but no longer than `deadline`.
    pub(crate) fn flush(&self, deadline: Duration) {
        self.shared.wake();
        self.shared.wait_for(self.shared.queue.next(), deadline);
    }

    /// Lets the thread end; what waits is kept on disk where there is a folder for it, and lost where there is none.
    pub(crate) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.wake.notify_one();
        // As long as that takes; the thread is not joined, since a transport may hang.
        self.shared.wait_for(u64::MAX, STOP);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.is_here() {
            self.stop();
        }
    }
}

impl Shared {
    fn wake(&self) {
        if self.sleeping.swap(false, Ordering::AcqRel) {
            self.wake.notify_one();
        }
    }

    /// Waits until all before `target` has ended, but no longer than `deadline`.
    fn wait_for(&self, target: u64, deadline: Duration) {
        let begun = Instant::now();
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Said before the look: who settles after it sees it.
            self.wanted.fetch_min(target, Ordering::SeqCst);
            // No `Instant` for the end: `Duration::MAX` has none.
            let left = deadline.saturating_sub(begun.elapsed());
            if self.oldest.load(Ordering::SeqCst) >= target || left.is_zero() {
                return;
            }
            settled = self.settling.wait_timeout(settled, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Tells those who flush, where they wait for no more than this. Those who still wait will say so again.
    fn settle(&self, oldest: u64) {
        self.oldest.store(oldest, Ordering::SeqCst);
        if self.wanted.load(Ordering::SeqCst) <= oldest {
            let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
            self.wanted.store(u64::MAX, Ordering::SeqCst);
            drop(settled);
            self.settling.notify_all();
        }
    }

    /// Rollbar has it. What an earlier run has left is taken in when it ends: a flush does not wait for it.
    fn accept(&self, flight: &InFlight) {
        if flight.number.is_none() {
            count(&self.counters.reported);
        }
        self.counters.accept(flight.coalesced);
    }

    fn lose(&self, loss: Loss, flight: &InFlight) {
        if flight.number.is_none() {
            count(&self.counters.reported);
        }
        self.counters.lose(loss, 1, flight.coalesced);
    }

    /// Nobody will send what waits.
    fn abandon(&self, loss: Loss) {
        self.queue.close();
        while let Some((_, occurrence)) = self.queue.oldest() {
            self.counters.lose(loss, 1, occurrence.coalesced);
        }
        self.settle(u64::MAX);
    }
}

/// What is on its way.
struct InFlight {
    /// The occurrence's number in the queue; `None` for what an earlier run has left.
    number: Option<u64>,
    uuid: Uuid,
    /// Occurrences that the item stands for, beside its own.
    coalesced: u64,
}
