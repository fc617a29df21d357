//! The heartbeat: segments that are open for long are sent in progress, again and again.
//!
//! Of a chunk that its thread still writes, the exporter's thread can read nothing. What a heartbeat tells is kept beside it, where the segment
//! begins, and only where the heartbeat is switched on.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::clock::Clock;
use crate::tree::Tree;

/// Segments that one shard watches; more have no heartbeat.
const LIMIT: usize = 8_192;

/// Threads that begin segments at once rarely meet.
const SHARDS: usize = 16;

/// The open segments of one recorder, by the serials of their trees.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    every: Duration,
    shards: [Mutex<HashMap<u32, Open>>; SHARDS],
    /// The process whose exporter's thread looks again in time, without being woken; 0: none does. Through fork no thread comes along.
    watched_in: AtomicU32,
}

#[derive(Debug)]
struct Open {
    tree: Weak<Tree>,
    name: Cow<'static, str>,
    /// Raw ticks.
    start: u64,
    beats: u32,
    /// A child of fork has a copy of what its parent goes on with.
    process: u32,
}

/// A segment whose time it is.
#[derive(Debug)]
pub(crate) struct Beat {
    pub(crate) tree: Arc<Tree>,
    pub(crate) name: Cow<'static, str>,
    pub(crate) start: u64,
}

impl Heartbeat {
    pub(crate) fn new(every: Duration) -> Self {
        Self {
            // A thread that does nothing else helps nobody.
            every: every.max(Duration::from_millis(1)),
            shards: std::array::from_fn(|_| Mutex::default()),
            watched_in: AtomicU32::new(0),
        }
    }

    fn shard(&self, serial: u32) -> MutexGuard<'_, HashMap<u32, Open>> {
        self.shards[serial as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A segment has begun. Whether the exporter's thread has to be woken, so that it looks in time.
    pub(crate) fn begin(&self, tree: &Arc<Tree>, name: Cow<'static, str>, start: u64) -> bool {
        let mut shard = self.shard(tree.serial());
        if shard.len() >= LIMIT {
            return false;
        }
        let process = std::process::id();
        let open = Open { tree: Arc::downgrade(tree), name, start, beats: 0, process };
        shard.insert(tree.serial(), open);
        drop(shard);
        self.watched_in.swap(process, SeqCst) != process
    }

    /// It has ended. Called before it is sent, so that no heartbeat follows its document.
    pub(crate) fn end(&self, tree: &Tree) {
        self.shard(tree.serial()).remove(&tree.serial());
    }

    /// Those whose time it is. For the exporter's thread.
    pub(crate) fn due(&self) -> Vec<Beat> {
        let mut due = Vec::new();
        self.visit(|open, age| {
            let beats = self.beats(age);
            if beats > open.beats
                && let Some(tree) = open.tree.upgrade()
            {
                open.beats = beats;
                due.push(Beat { tree, name: open.name.clone(), start: open.start });
            }
        });
        due
    }

    /// How long the exporter's thread may sleep, as far as open segments are concerned. None: there are none.
    pub(crate) fn rest(&self) -> Option<Duration> {
        // Before the look: what begins after it wakes the thread.
        self.watched_in.store(0, SeqCst);
        let mut rest = None;
        self.visit(|open, age| {
            let next = self.every.saturating_mul(open.beats.saturating_add(1)).saturating_sub(age);
            rest = Some(rest.map_or(next, |rest: Duration| rest.min(next)));
        });
        if rest.is_some() {
            self.watched_in.store(std::process::id(), SeqCst);
        }
        // What begins while it sleeps is not due before this.
        rest.map(|rest| rest.min(self.every))
    }

    fn beats(&self, age: Duration) -> u32 {
        u32::try_from(age.as_nanos() / self.every.as_nanos()).unwrap_or(u32::MAX)
    }

    fn visit(&self, mut visit: impl FnMut(&mut Open, Duration)) {
        let clock = Clock::new();
        let process = std::process::id();
        for shard in &self.shards {
            shard.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, open| {
                if open.process != process || open.tree.strong_count() == 0 {
                    return false;
                }
                visit(open, clock.between(open.start, clock.ticks()));
                true
            });
        }
    }
}
