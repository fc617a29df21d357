//! The worker: a thread of its own, with a tokio runtime for one thread, that makes items and sends them.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Level;
use crate::assembly::{Assembled, Assembly};
use crate::current::{REPORTING, set_flag};
use crate::delivery::{Delivery, DeliverySettings, DropCause, Outcome, Ready};
use crate::item::{Item, Message};
use crate::occurrence::Occurrence;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::spool::Spool;
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

/// The worker's own side.
struct Sender {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
    assembly: Assembly,
    delivery: Arc<Delivery>,
    sending: JoinSet<Outcome>,
    in_flight: HashMap<tokio::task::Id, InFlight>,
    /// What the service asked to send later, before all that waits in the queue.
    deferred: VecDeque<(InFlight, Ready)>,
    spool: Option<Spool>,
    told: Told,
}

/// Losses that a message to Rollbar has told of.
struct Told {
    lost: u64,
    at: Option<Instant>,
}

/// How often Rollbar is told of losses.
const TELL_EVERY: Duration = Duration::from_secs(60);

impl Sender {
    fn new(
        shared: Arc<Shared>,
        settings: Arc<Settings>,
        transport: Arc<dyn Transport>,
        sending: Sending,
    ) -> Self {
        let spool = sending.spool.map(|spool| Spool::open(&spool.dir, spool.max_bytes, spool.max_files));
        let spool = spool.and_then(|opened| {
            let told = |error: &_| tracing::error!("Rollbar items are not kept on disk: {error}");
            opened.inspect_err(told).ok()
        });
        Self {
            assembly: Assembly::new(Arc::clone(&settings), Arc::clone(&shared.counters)),
            delivery: Arc::new(Delivery::new(sending.delivery, transport)),
            shared,
            settings,
            sending: JoinSet::new(),
            in_flight: HashMap::new(),
            deferred: VecDeque::new(),
            spool,
            told: Told { lost: 0, at: None },
        }
    }

    async fn run(mut self) {
        while !self.shared.stopping.load(Ordering::Acquire) {
            if self.delivery.is_off().is_some() {
                self.lose_all(Loss::Unauthorized);
            }
            if self.can_start() && self.start_next() {
                continue;
            }
            self.settle();
            // Where nothing more can be started, what is reported need not wake it: the end of a request or of a pause will.
            let can_start = self.can_start();
            self.shared.sleeping.store(can_start, Ordering::SeqCst);
            // Whatever came before the flag was set has woken nobody.
            let missed = can_start && !self.shared.queue.is_empty();
            if !missed && !self.shared.stopping.load(Ordering::SeqCst) {
                self.wait().await;
            }
            self.shared.sleeping.store(false, Ordering::SeqCst);
        }
        self.end().await;
    }

    fn can_start(&self) -> bool {
        self.sending.len() < self.settings.connections && self.delivery.paused_until().is_none()
    }

    /// Starts to send whatever comes next; false where nothing waits.
    fn start_next(&mut self) -> bool {
        if let Some((flight, ready)) = self.deferred.pop_front() {
            self.start(flight, ready);
        } else if let Some((number, occurrence)) = self.shared.queue.oldest() {
            let flight =
                InFlight { number: Some(number), uuid: occurrence.uuid, coalesced: occurrence.coalesced };
            self.settle_below(number);
            if let Some(ready) = self.assemble(occurrence) {
                self.start(flight, ready);
            }
        } else if let Some(ready) = self.spool.as_mut().and_then(Spool::next_left) {
            // What an earlier run of the program could not send.
            self.start(InFlight { number: None, uuid: ready.uuid, coalesced: 0 }, ready);
        } else if let Some(ready) = self.losses() {
            // A flush that waits for the last of the queue waits for it too.
            let number = self.shared.queue.next().saturating_sub(1);
            count(&self.shared.counters.reported);
            self.start(InFlight { number: Some(number), uuid: ready.uuid, coalesced: 0 }, ready);
        } else {
            return false;
        }
        true
    }

    fn start(&mut self, flight: InFlight, ready: Ready) {
        let delivery = Arc::clone(&self.delivery);
        let task = self.sending.spawn(async move { delivery.deliver(ready).await });
        self.in_flight.insert(task.id(), flight);
    }

    /// The item of an occurrence; `None` where it has ended here, counted.
    fn assemble(&mut self, occurrence: Box<Occurrence>) -> Option<Ready> {
        let counters = &self.shared.counters;
        let coalesced = occurrence.coalesced;
        let assembled = catch_unwind(AssertUnwindSafe(|| self.assembly.assemble(*occurrence)));
        match assembled {
            Ok(Some(Assembled { uuid, level, tree })) => return Some(Ready::new(uuid, level, tree)),
            Ok(None) => counters.hold_back(coalesced),
            Err(_) => counters.lose(Loss::Worker, 1, coalesced),
        }
        None
    }

    async fn wait(&mut self) {
        let until = self.delivery.paused_until();
        let paused = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(ended) = self.sending.join_next_with_id() => self.ended(ended),
            () = self.shared.wake.notified() => {}
            () = paused => {}
        }
    }

    fn ended(&mut self, ended: Result<(tokio::task::Id, Outcome), tokio::task::JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, Some(outcome)),
            // A transport of the user's own panicked.
            Err(error) => (error.id(), None),
        };
        let Some(flight) = self.in_flight.remove(&id) else { return };
        if let (Some(spool), Some(Outcome::Sent | Outcome::Dropped(_)) | None) = (&mut self.spool, &outcome) {
            spool.done(flight.uuid);
        }
        let loss = match outcome {
            Some(Outcome::Sent) => {
                self.shared.accept(&flight);
                return;
            }
            Some(Outcome::Deferred(ready)) => {
                self.deferred.push_back((flight, ready));
                return;
            }
            Some(Outcome::Undelivered(payload)) => self.keep(payload.uuid, &payload.body),
            Some(Outcome::Dropped(cause)) => match cause {
                DropCause::Unauthorized => Loss::Unauthorized,
                DropCause::TooLarge => Loss::TooLarge,
                DropCause::Transport(_) => Loss::Unreachable,
                _ => Loss::Refused,
            },
            None => Loss::Worker,
        };
        self.shared.lose(loss, &flight);
        self.shared.counters.failsafe.store(self.delivery.failsafes(), Ordering::Relaxed);
    }

    /// Keeps an item on disk, where there is a folder for it.
    fn keep(&mut self, uuid: Uuid, json: &[u8]) -> Loss {
        let stored = self.spool.as_mut().is_some_and(|spool| spool.store(uuid, json));
        if stored { Loss::Spooled } else { Loss::Unreachable }
    }

    /// The item that tells Rollbar of what was lost for want of room, once all that waited is sent.
    fn losses(&mut self) -> Option<Ready> {
        let lost = self.shared.counters.lost_for_room();
        let new = lost - self.told.lost;
        if new == 0 || self.told.at.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            return None;
        }
        self.told = Told { lost, at: Some(Instant::now()) };
        let text = format!("{new} Rollbar items were dropped: more was reported than could be sent");
        let mut item = Item::new(&self.settings.environment, Message::new(text));
        item.set_level(Level::Warning);
        item.set_fingerprint(Some("rollbar-runtime: items dropped"));
        let (uuid, level) = (item.uuid(), item.level());
        let data = serde_json::to_value(item).ok()?;
        Some(Ready::new(uuid, level, json!({ "data": data })))
    }

    fn lose_all(&mut self, loss: Loss) {
        let counters = &self.shared.counters;
        while let Some((flight, _)) = self.deferred.pop_front() {
            self.shared.lose(loss, &flight);
        }
        while let Some((_, occurrence)) = self.shared.queue.oldest() {
            counters.lose(loss, 1, occurrence.coalesced);
        }
    }

    /// The end: what is under way ends, and what waits is kept on disk or lost.
    async fn end(&mut self) {
        self.delivery.close_by(tokio::time::Instant::now());
        while let Some(ended) = self.sending.join_next_with_id().await {
            self.ended(ended);
        }
        let counters = Arc::clone(&self.shared.counters);
        let keeps = self.spool.is_some() && self.delivery.is_off().is_none();
        while let Some((flight, ready)) = self.deferred.pop_front() {
            let loss = if keeps { self.keep_tree(&ready) } else { Loss::AfterShutdown };
            self.shared.lose(loss, &flight);
        }
        while let Some((_, occurrence)) = self.shared.queue.oldest() {
            let coalesced = occurrence.coalesced;
            if !keeps {
                counters.lose(Loss::AfterShutdown, 1, coalesced);
            } else if let Some(ready) = self.assemble(occurrence) {
                counters.lose(self.keep_tree(&ready), 1, coalesced);
            }
        }
    }

    fn keep_tree(&mut self, ready: &Ready) -> Loss {
        match serde_json::to_vec(&ready.tree) {
            Ok(json) => self.keep(ready.uuid, &json),
            Err(_) => Loss::Worker,
        }
    }

    /// Tells those who flush how far it has come.
    fn settle(&self) {
        if let Some(spool) = &self.spool {
            let stats = spool.stats();
            self.shared.counters.spool_lost.store(stats.evicted + stats.broken, Ordering::Relaxed);
        }
        self.settle_below(self.shared.queue.first());
    }

    fn settle_below(&self, waiting: u64) {
        let numbers =
            |flights: &mut dyn Iterator<Item = &InFlight>| flights.filter_map(|flight| flight.number).min();
        let sending = numbers(&mut self.in_flight.values());
        let deferred = numbers(&mut self.deferred.iter().map(|(flight, _)| flight));
        let oldest = sending.into_iter().chain(deferred).fold(waiting, u64::min);
        self.shared.settle(oldest);
    }
}
