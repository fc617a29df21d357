//! The client: what reports go to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::builder::RollbarBuilder;
use crate::current;
use crate::identity::Identities;
use crate::memory::{Captured, Memory};
use crate::occurrence::{Occurrence, What};
use crate::rate::Rate;
use crate::scope::Scope;
use crate::settings::Settings;
use crate::stats::{Counters, Loss, Stats, count};
use crate::transport::HttpSettings;
use crate::worker::{Sending, Source, StartError, Worker};

/// A client of Rollbar: takes reports, and sends them on a thread of its own. Clones are one client.
///
/// [`install`](RollbarBuilder::install) makes one that all reports of the program go to;
/// [`in_memory`](Self::in_memory) one for tests.
#[derive(Clone)]
pub struct Rollbar(Arc<Client>);

struct Client {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    identities: Identities,
    root: Scope,
    rate: Option<Mutex<Rate>>,
    closed: AtomicBool,
    sink: Sink,
}

enum Sink {
    /// Nothing is sent: no token, or switched off.
    Off,
    Memory(Box<Memory>),
    Worker {
        worker: Worker,
        sending: Box<Sending>,
        child: OnceLock<Rollbar>,
    },
}

/// What a flush came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it tells whether all was sent"]
#[non_exhaustive]
pub struct Flushed {
    /// Items that Rollbar accepted while it waited, with those that they stand for.
    pub sent: u64,
    /// Occurrences that were lost while it waited.
    pub dropped: u64,
    /// Occurrences that are still on their way: it was too short, or Rollbar refuses items for now.
    pub pending: u64,
}

impl std::fmt::Debug for Rollbar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rollbar")
            .field("settings", &self.0.settings)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Rollbar {
    /// Settings of a client.
    pub fn builder() -> RollbarBuilder {
        RollbarBuilder::new()
    }

    /// A client that keeps what it would send, and what to ask it by. It reads no environment variables, and makes items on
    /// the thread that reports.
    ///
    /// ```
    /// use rollbar_runtime::{Rollbar, rollbar_report};
    ///
    /// #[rollbar_report(level = "warning")]
    /// fn parse(text: &str) -> Result<u32, std::num::ParseIntError> { text.parse() }
    ///
    /// let (rollbar, captured) = Rollbar::in_memory();
    /// rollbar.enter(|| assert!(parse("seven").is_err()));
    /// assert_eq!(captured.only().class(), Some("core::num::error::ParseIntError"));
    /// ```
    pub fn in_memory() -> (Self, Captured) {
        Self::builder().in_memory()
    }

    pub(crate) fn off(settings: Settings) -> Self {
        Self::new(Settings { enabled: false, ..settings }, |_, _| Sink::Off)
    }

    pub(crate) fn with_memory(settings: Settings) -> (Self, Captured) {
        let (memory, captured) = Memory::new();
        let client = Self::new(settings, |settings, counters| {
            Sink::Memory(Box::new(memory.begin(settings, counters)))
        });
        (client, captured)
    }

    pub(crate) fn with_worker(settings: Settings, sending: Sending) -> Result<Self, StartError> {
        let counters = Arc::new(Counters::default());
        let settings = Arc::new(settings);
        let worker = Worker::start(Arc::clone(&settings), Arc::clone(&counters), &sending)?;
        let sink = Sink::Worker { worker, sending: Box::new(sending), child: OnceLock::new() };
        Ok(Self::of(settings, counters, sink))
    }

    fn new(settings: Settings, sink: impl FnOnce(&Arc<Settings>, &Arc<Counters>) -> Sink) -> Self {
        let (settings, counters) = (Arc::new(settings), Arc::new(Counters::default()));
        let sink = sink(&settings, &counters);
        Self::of(settings, counters, sink)
    }

    fn of(settings: Arc<Settings>, counters: Arc<Counters>, sink: Sink) -> Self {
        let rate = Rate::per_minute(settings.items_per_minute).map(Mutex::new);
        let root = Scope::detached();
        let identities = Identities::new();
        Self(Arc::new(Client {
            settings,
            counters,
            identities,
            root,
            rate,
            closed: AtomicBool::new(false),
            sink,
        }))
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The scope whose values go into all items of this client.
    pub fn root_scope(&self) -> &Scope {
        &self.0.root
    }

    /// Puts this client in the place of the installed one, on this thread and in the futures that are made here, while `f`
    /// runs.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = current::with_client(self.clone());
        f()
    }

    /// How Rollbar is reached, where that is over HTTP.
    pub(crate) fn http(&self) -> Option<&HttpSettings> {
        let Sink::Worker { sending, .. } = &self.0.sink else { return None };
        match &sending.source {
            Source::Http(http) => Some(http),
            Source::Own(_) => None,
        }
    }

    /// Whether reports are taken.
    pub fn is_enabled(&self) -> bool {
        self.0.settings.enabled && !self.0.closed.load(Ordering::Relaxed)
    }

    /// What became of the reports so far.
    pub fn stats(&self) -> Stats {
        self.0.counters.stats()
    }

    /// Waits until what was reported before has been sent or lost, but no longer than `deadline`. Not for async code: see
    /// [`flush_async`](Self::flush_async).
    pub fn flush(&self, deadline: Duration) -> Flushed {
        let before = self.stats();
        if let Sink::Worker { worker, child, .. } = &self.0.sink {
            if worker.is_here() {
                worker.flush(deadline);
            } else if let Some(child) = child.get() {
                return child.flush(deadline);
            }
        }
        let after = self.stats();
        Flushed {
            sent: (after.sent + after.coalesced) - (before.sent + before.coalesced),
            dropped: after.dropped() - before.dropped(),
            pending: after.pending,
        }
    }

    /// As [`flush`](Self::flush), without blocking the thread.
    ///
    /// # Panics
    /// Outside a tokio runtime, as `tokio::task::spawn_blocking` does.
    pub async fn flush_async(&self, deadline: Duration) -> Flushed {
        let client = self.clone();
        match tokio::task::spawn_blocking(move || client.flush(deadline)).await {
            Ok(flushed) => flushed,
            // The runtime is shutting down.
            Err(_) => Flushed { sent: 0, dropped: 0, pending: self.stats().pending },
        }
    }

    pub(crate) fn ignores(&self, what: &What) -> bool {
        let classes = &self.0.settings.ignored_classes;
        match what {
            What::Error(chain) | What::Panic(chain) if !classes.is_empty() => {
                chain.links.iter().any(|link| classes.contains(&link.type_name))
            }
            _ => false,
        }
    }

    /// This client, or in a child of `fork` the child's own: the worker's thread is the parent's.
    pub(crate) fn of_this_process(self) -> Self {
        let Sink::Worker { worker, child, sending, .. } = &self.0.sink else { return self };
        if worker.is_here() {
            return self;
        }
        let settings = || (*self.0.settings).clone();
        let own = child.get_or_init(|| {
            Self::with_worker(settings(), (**sending).clone()).unwrap_or_else(|_| Self::off(settings()))
        });
        // A child of the child.
        own.clone().of_this_process()
    }

    pub(crate) fn next_uuid(&self) -> Uuid {
        self.0.identities.next()
    }

    pub(crate) fn filter(&self) {
        count(&self.0.counters.filtered);
    }

    pub(crate) fn refuse_recursive(&self) {
        count(&self.0.counters.reported);
        self.0.counters.lose(Loss::Recursive, 1, 0);
    }

    /// Takes an occurrence in; false where it is lost at once.
    pub(crate) fn take_in(&self, occurrence: Box<Occurrence>) -> bool {
        let client = &*self.0;
        count(&client.counters.reported);
        if client.closed.load(Ordering::Relaxed) {
            client.counters.lose(Loss::AfterShutdown, 1, 0);
            return false;
        }
        if let Some(rate) = &client.rate
            && !rate.lock().unwrap_or_else(PoisonError::into_inner).admits()
        {
            client.counters.lose(Loss::RateLimited, 1, 0);
            return false;
        }
        match &client.sink {
            Sink::Off => {
                client.counters.lose(Loss::AfterShutdown, 1, 0);
                false
            }
            Sink::Memory(memory) => memory.take_in(occurrence),
            Sink::Worker { worker, .. } => worker.take_in(occurrence),
        }
    }

    /// As [`flush`](Self::flush), where the program is about to abort: what is not sent in the time for an end is kept on disk,
    /// where there is a folder for it.
    pub(crate) fn flush_before_abort(&self) {
        if self.flush(self.0.settings.shutdown_timeout).pending > 0
            && let Sink::Worker { worker, .. } = &self.0.sink
            && worker.is_here()
        {
            worker.stop();
        }
    }

    /// Sends what is left and takes no more.
    pub(crate) fn close(&self) {
        current::uninstall(self);
        self.0.closed.store(true, Ordering::Relaxed);
        if let Sink::Worker { worker, child, .. } = &self.0.sink
            && !worker.is_here()
        {
            // Of a child of `fork`, what the parent has is not its to send.
            child.get().into_iter().for_each(Self::close);
            return;
        }
        let flushed = self.flush(self.0.settings.shutdown_timeout);
        if let Sink::Worker { worker, .. } = &self.0.sink {
            worker.stop();
        }
        if flushed.pending > 0 {
            tracing::warn!(
                "{} Rollbar items were not sent within {:?} of the end",
                flushed.pending,
                self.0.settings.shutdown_timeout
            );
        }
    }
}

/// The installed client, until this is dropped: then it sends what is left, for
/// [`shutdown_timeout`](RollbarBuilder::shutdown_timeout) at most, and takes no more.
#[derive(Debug)]
#[must_use = "the client is switched off when this is dropped: keep it until the end of main"]
pub struct RollbarGuard {
    client: Rollbar,
}

impl RollbarGuard {
    pub(crate) fn new(client: Rollbar) -> Self {
        Self { client }
    }

    /// The client; a clone outlives the guard, but sends nothing after it.
    pub fn rollbar(&self) -> &Rollbar {
        &self.client
    }
}

impl std::ops::Deref for RollbarGuard {
    type Target = Rollbar;

    fn deref(&self) -> &Rollbar {
        &self.client
    }
}

impl Drop for RollbarGuard {
    fn drop(&mut self) {
        self.client.close();
    }
}
