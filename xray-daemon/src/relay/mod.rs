//! From the receiver to an upstream: a queue with a bound, and calls that are made again where that helps.
//!
//! The way of a batch: [`RelayQueue::push`] -> waits (`queue.rs`) -> a call to the upstream (`dispatch.rs`) -> taken, dropped and
//! counted (`counts.rs`), or back to the front of the queue until the upstream may be called again (`pace.rs`).

mod counts;
mod dispatch;
mod pace;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use counts::{LATENCY_SECONDS, RelayDropped, RelayStats};

use self::counts::Counts;
use self::dispatch::Dispatcher;
use self::queue::Queue;
use crate::batch::Batch;
use crate::upstream::Upstream;

/// Calls to an upstream that may be under way at once where nothing else is asked for: enough for 50,000 documents a second
/// to one that takes 60 ms. There are as many as batches wait, so that a quiet daemon has one connection.
pub const CONCURRENCY: usize = 64;

/// Settings of a [`Relay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelaySettings {
    /// The most bytes of batches that are held, waiting and under way. Of what passes it the oldest is dropped, and counted.
    pub buffer_bytes: usize,
    /// The most calls at once.
    pub concurrency: usize,
}

impl Default for RelaySettings {
    /// 64 MiB, [`CONCURRENCY`].
    fn default() -> Self {
        Self { buffer_bytes: 64 << 20, concurrency: CONCURRENCY }
    }
}

/// Sends batches to one upstream.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use futures_util::future::{BoxFuture, FutureExt};
/// use xray_daemon::batch::Batch;
/// use xray_daemon::relay::{Relay, RelaySettings};
/// use xray_daemon::upstream::{Failure, Receipt, Upstream};
///
/// struct Terminal;
///
/// impl Upstream for Terminal {
///     fn name(&self) -> &str {
///         "terminal"
///     }
///
///     fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Receipt, Failure>> {
///         println!("{} documents", batch.len());
///         std::future::ready(Ok(Receipt::default())).boxed()
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let relay = Relay::start(Arc::new(Terminal), RelaySettings::default());
/// relay.queue().push([b"{}".to_vec()].into_iter().collect());
/// let stats = relay.shutdown(Duration::from_secs(1)).await;
/// assert_eq!(stats.sent, 1);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "it ends, and what waits is dropped, when this is dropped"]
pub struct Relay {
    queue: RelayQueue,
    shutdown: watch::Sender<Option<tokio::time::Instant>>,
    task: JoinHandle<()>,
}

/// The way into a [`Relay`], from any thread.
#[derive(Debug, Clone)]
pub struct RelayQueue {
    shared: Arc<Shared>,
}

/// What the queue's users and the dispatcher share.
#[derive(Debug)]
struct Shared {
    name: String,
    queue: Queue,
    counts: Counts,
}

impl Relay {
    /// Starts the task that sends, on the current tokio runtime, which needs its time driver.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(upstream: Arc<dyn Upstream>, settings: RelaySettings) -> Self {
        let shared = Arc::new(Shared {
            name: upstream.name().to_owned(),
            queue: Queue::new(settings.buffer_bytes),
            counts: Counts::default(),
        });
        let (shutdown, told) = watch::channel(None);
        let dispatcher = Dispatcher::new(shared.clone(), upstream, settings.concurrency, told);
        let task = tokio::spawn(dispatcher.run());
        Self { queue: RelayQueue { shared }, shutdown, task }
    }

    /// The way in. It may outlive the relay: what is pushed then is dropped, and counted.
    pub fn queue(&self) -> RelayQueue {
        self.queue.clone()
    }

    /// What was sent and dropped so far.
    pub fn stats(&self) -> RelayStats {
        self.queue.stats()
    }

    /// Sends what waits, for as long as `grace` at most; what is left then is dropped, and counted.
    pub async fn shutdown(mut self, grace: Duration) -> RelayStats {
        let _ = self.shutdown.send(Some(tokio::time::Instant::now() + grace));
        // It ends by itself, and does not panic: upstreams' panics are caught.
        let _ = (&mut self.task).await;
        self.queue.stats()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RelayQueue {
    /// Takes a batch. Never blocks: where there is no room the oldest is dropped, and counted.
    pub fn push(&self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let counts = &self.shared.counts;
        counts.received.add(batch.len());
        let dropped = self.shared.queue.push(batch);
        if dropped.memory > 0 {
            counts.memory.add(dropped.memory);
            dispatch::tell_spillover(&self.shared.name, dropped.memory);
        }
        counts.shutdown.add(dropped.closed);
    }

    /// What was sent and dropped so far.
    pub fn stats(&self) -> RelayStats {
        self.shared.counts.stats(self.shared.queue.held())
    }

    /// The upstream's name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Calls that succeeded, by how long they took: up to each of [`LATENCY_SECONDS`], and longer than all of them.
    pub fn latency(&self) -> [u64; LATENCY_SECONDS.len() + 1] {
        self.shared.counts.latency()
    }
}

impl std::fmt::Debug for dyn Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Upstream").field(&self.name()).finish()
    }
}
