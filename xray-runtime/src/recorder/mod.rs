//! The recorder: settings, what its segments share, and the way to its exporter.

mod builder;
mod current;
pub(crate) mod missing;
mod settings;
mod stats;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;

pub use builder::{BuildError, InstallError, RecorderBuilder};
pub use current::{Entered, RecorderGuard};
pub(crate) use current::{current_core, is_overridden, switch_off};
pub use settings::ContextMissing;
pub(crate) use settings::Settings;
pub(crate) use stats::Counts;
pub use stats::{Flushed, Stats};

use crate::exporter::{Captured, Wake, Worker};
use crate::heartbeat::Heartbeat;
use crate::late_keep::{Keeper, LateKeep};
use crate::listener::{Listeners, SegmentListener};
use crate::naming::SegmentNaming;
use crate::record::Chunk;
use crate::sampling::Sampler;
use crate::segment::{Segment, SegmentBuilder};
use crate::unsettled::Unsettled;

/// Shipments that may wait for the exporter. A shipment is a segment, or the part of one that is streamed.
const QUEUE_LIMIT: usize = 16_384;

/// Chunks kept for the next segments.
const POOL_LIMIT: usize = 256;

/// Records segments and sends them. Cheap to clone: all clones are one recorder.
///
/// A program installs one with [`RecorderBuilder::install`]; attributes, layers and free functions use it. More can
/// be made with [`RecorderBuilder::build`], for a second service in the same process or for tests.
///
/// ```
/// use xray_runtime::{AllSampler, Recorder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let recorder = Recorder::builder().service("orders").sampler(AllSampler).build()?;
/// let segment = recorder.begin_segment("nightly");
/// segment.put_annotation("rows", 3);
/// segment.end();
/// let flushed = recorder.flush(std::time::Duration::from_secs(1));
/// assert_eq!(flushed.pending, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    pub(crate) core: Arc<Core>,
}

/// What a recorder does beside recording, where it is asked to.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    listeners: Vec<Box<dyn SegmentListener>>,
    late_keep: Option<LateKeep>,
    heartbeat: Option<Duration>,
    #[cfg(feature = "plugins")]
    plugins: Vec<Box<dyn crate::plugin::Plugin>>,
}

/// What every segment of one recorder shares.
pub(crate) struct Core {
    pub(crate) settings: Settings,
    pub(crate) naming: SegmentNaming,
    /// None: every request is sampled.
    pub(crate) sampler: Option<Arc<dyn Sampler>>,
    pub(crate) counts: Counts,
    pub(crate) unsettled: Unsettled,
    /// It has none of the three below: one question a segment instead of several.
    pub(crate) is_plain: bool,
    pub(crate) listeners: Listeners,
    pub(crate) late_keep: Option<Keeper>,
    pub(crate) heartbeat: Option<Heartbeat>,
    #[cfg(feature = "plugins")]
    pub(crate) plugins: Option<crate::plugin::Lookup>,
    pub(crate) wake: Wake,
    enabled: AtomicBool,
    queue: ArrayQueue<Box<Chunk>>,
    queued_bytes: AtomicUsize,
    pool: ArrayQueue<Box<Chunk>>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("settings", &self.settings)
            .field("naming", &self.naming)
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn new(
        settings: Settings,
        naming: SegmentNaming,
        sampler: Option<Arc<dyn Sampler>>,
        exporter: Box<dyn crate::exporter::Exporter>,
        extras: Extras,
    ) -> Arc<Self> {
        Arc::new(Self {
            enabled: AtomicBool::new(settings.enabled),
            settings,
            naming,
            sampler,
            counts: Counts::default(),
            unsettled: Unsettled::default(),
            is_plain: extras.listeners.is_empty() && extras.late_keep.is_none() && extras.heartbeat.is_none(),
            listeners: Listeners::new(extras.listeners),
            late_keep: extras.late_keep.map(Keeper::new),
            heartbeat: extras.heartbeat.map(Heartbeat::new),
            #[cfg(feature = "plugins")]
            plugins: crate::plugin::Lookup::new(extras.plugins),
            wake: Wake::new(Worker::new(exporter)),
            queue: ArrayQueue::new(QUEUE_LIMIT),
            queued_bytes: AtomicUsize::new(0),
            pool: ArrayQueue::new(POOL_LIMIT),
        })
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Relaxed)
    }

    /// What the service runs on: as code says, else as plugins have found.
    pub(crate) fn origin(&self) -> Option<&str> {
        let said = self.settings.origin.as_deref();
        #[cfg(feature = "plugins")]
        let said = said.or_else(|| self.plugins.as_ref().and_then(crate::plugin::Lookup::origin));
        said
    }

    pub(crate) fn disable(&self) {
        self.enabled.store(false, Relaxed);
    }

    pub(crate) fn pool_take(&self) -> Box<Chunk> {
        self.pool.pop().unwrap_or_else(Chunk::new)
    }

    pub(crate) fn pool_give(&self, mut chunk: Box<Chunk>) {
        chunk.clear();
        // A full pool frees it.
        let _ = self.pool.push(chunk);
    }

    /// Hands a shipment to the exporter's thread. Never blocks: what does not fit is dropped and counted.
    pub(crate) fn send(self: &Arc<Self>, chunk: Box<Chunk>) {
        let (bytes, records) = load(&chunk);
        // Counted before it can arrive: what is queued is pending.
        self.counts.received.fetch_add(records, Relaxed);
        let waiting = self.queued_bytes.fetch_add(bytes, Relaxed);
        if waiting + bytes > self.settings.queue_bytes {
            return self.reject(chunk, bytes, records);
        }
        match self.queue.push(chunk) {
            Ok(()) => self.wake.notify(self),
            Err(chunk) => self.reject(chunk, bytes, records),
        }
    }

    #[cold]
    fn reject(&self, chunk: Box<Chunk>, bytes: usize, records: u64) {
        self.queued_bytes.fetch_sub(bytes, Relaxed);
        self.counts.queue_full.fetch_add(records, Relaxed);
        let mut next = Some(chunk);
        while let Some(mut chunk) = next {
            next = chunk.below.take();
            self.pool_give(chunk);
        }
        self.counts
            .warn_once(|| "the queue to the exporter is full: segments are dropped and counted".into());
    }

    /// For the exporter's thread.
    pub(crate) fn receive(&self) -> Option<Box<Chunk>> {
        let chunk = self.queue.pop()?;
        self.queued_bytes.fetch_sub(load(&chunk).0, Relaxed);
        Some(chunk)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Bytes and records of a shipment.
fn load(chunk: &Chunk) -> (usize, u64) {
    let (mut bytes, mut records) = (0, 0);
    let mut next = Some(chunk);
    while let Some(chunk) = next {
        bytes += chunk.footprint();
        records += chunk.records.len() as u64;
        next = chunk.below.as_deref();
    }
    (bytes, records)
}

impl Recorder {
    /// Starts to describe a recorder.
    pub fn builder() -> RecorderBuilder {
        RecorderBuilder::new()
    }

    /// A recorder for tests: it samples everything and keeps what it records for assertions.
    ///
    /// ```
    /// use xray_runtime::{Recorder, xray_capture};
    ///
    /// #[xray_capture("double")]
    /// fn double(n: u32) -> u32 { n * 2 }
    ///
    /// let (recorder, captured) = Recorder::in_memory();
    /// recorder.enter(|| {
    ///     let _segment = xray_runtime::begin_segment("test");
    ///     assert_eq!(double(2), 4);
    /// });
    /// let segment = captured.segment("test");
    /// assert_eq!(segment.subsegment("double").name(), "double");
    /// ```
    pub fn in_memory() -> (Self, Captured) {
        crate::panic::install();
        let captured = Captured::default();
        let settings = Settings { service: "test".into(), ..Settings::default() };
        let naming = SegmentNaming::fixed("test");
        let core = Core::new(settings, naming, None, Box::new(captured.exporter()), Extras::default());
        let recorder = Self { core };
        captured.watch(&recorder);
        (recorder, captured)
    }

    /// Begins a segment on this thread and makes it current until the guard ends.
    ///
    /// For sync code. In async code use [`FutureExt::in_segment`](crate::FutureExt::in_segment) or the attribute's `segment`.
    pub fn begin_segment(&self, name: impl Into<std::borrow::Cow<'static, str>>) -> Segment {
        self.segment(name).begin()
    }

    /// Describes a segment of this recorder: with a trace header, for a request, for a future.
    pub fn segment(&self, name: impl Into<std::borrow::Cow<'static, str>>) -> SegmentBuilder<'static> {
        SegmentBuilder::new(Arc::clone(&self.core), Some(name.into()))
    }

    /// As [`segment`](Self::segment), named by the recorder's naming (fixed or dynamic) from the request's host.
    pub fn request_segment(&self) -> SegmentBuilder<'static> {
        SegmentBuilder::new(Arc::clone(&self.core), None)
    }

    /// Runs `f` with this recorder in the place of the global one, for this thread and for the futures that are made in it
    /// with [`FutureExt`](crate::FutureExt), the attribute's `segment`, or a layer.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = self.entered();
        f()
    }

    /// As [`enter`](Self::enter), until the guard is dropped.
    pub fn entered(&self) -> Entered {
        Entered::new(Arc::clone(&self.core))
    }

    /// Whether segments are recorded at all; see AWS_XRAY_SDK_ENABLED.
    pub fn is_enabled(&self) -> bool {
        self.core.is_enabled()
    }

    /// Sends what has ended so far and tells what became of it. Waits at most `deadline` and so blocks this thread: in async code
    /// use [`flush_async`](Self::flush_async).
    pub fn flush(&self, deadline: Duration) -> Flushed {
        let before = self.stats();
        self.core.wake.flush(&self.core, deadline);
        self.stats().since(&before)
    }

    /// As [`flush`](Self::flush), without blocking the thread. The deadline is the caller's: drop the future to stop waiting.
    pub async fn flush_async(&self) -> Flushed {
        let before = self.stats();
        self.core.wake.flush_async(&self.core).await;
        self.stats().since(&before)
    }

    /// Waits until the recorder's [plugins](RecorderBuilder::plugin) have answered, well or not, or the deadline; whether they have. True
    /// where there are none. Nobody needs to wait: it is for a job so short that it would end before they answer. Blocks this thread.
    #[cfg(feature = "plugins")]
    pub fn wait_for_plugins(&self, deadline: Duration) -> bool {
        self.core.plugins.as_ref().is_none_or(|plugins| plugins.wait(deadline))
    }

    /// What was recorded, sent and dropped since the recorder was built. `recorded` is the sum of the others.
    pub fn stats(&self) -> Stats {
        self.core.counts.stats()
    }
}

/// The last handle is gone: the exporter's thread sends what is left and ends.
impl Drop for Core {
    fn drop(&mut self) {
        self.wake.close();
    }
}
