//! A segment's place on a thread.

use std::sync::Arc;

use crate::clock::Clock;
use crate::context;
use crate::listener;
use crate::record::{Chunk, FIRST, Key};
use crate::recorder::Recorder;
use crate::tree::Tree;

/// A segment's place on a thread: its chunk, while it is not attached.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) key: Key,
    pub(crate) tree: Arc<Tree>,
    current: Key,
    /// None while it is attached to a thread.
    chunk: Option<Box<Chunk>>,
}

impl Root {
    /// For a segment that is on no thread yet.
    pub(crate) fn new(key: Key, tree: Arc<Tree>, chunk: Box<Chunk>) -> Self {
        Self { key, tree, current: key, chunk: Some(chunk) }
    }

    /// For a segment that begins where none can: a subsegment of what is current, on no thread yet.
    #[cfg(feature = "lambda")]
    pub(crate) fn below(tree: Arc<Tree>, name: std::borrow::Cow<'static, str>) -> Self {
        crate::scope::attach(&tree, context::current());
        let key = context::begin_named(name);
        let mut root = Self { key, tree, current: key, chunk: None };
        root.suspend();
        root
    }

    pub(crate) fn is_of(&self, recorder: Option<&Recorder>) -> bool {
        recorder.is_some_and(|recorder| Arc::ptr_eq(&recorder.core, &self.tree.core))
    }

    pub(crate) fn resume(&mut self) {
        if let Some(chunk) = self.chunk.take() {
            context::push(chunk, self.current);
        }
    }

    pub(crate) fn suspend(&mut self) {
        self.current = context::current();
        self.chunk = self.take();
    }

    /// A segment has begun at these ticks: for what a recorder does beside recording.
    #[cold]
    pub(crate) fn begun(mut self, start: u64) -> Self {
        let core = &self.tree.core;
        if let Some(heartbeat) = core.heartbeat.as_ref().filter(|_| self.tree.tells_sampled()) {
            let name = self.chunk.as_ref().and_then(|chunk| chunk.known(self.key).name).unwrap_or_default();
            if heartbeat.begin(&self.tree, name, start) {
                core.wake.notify(core);
            }
        }
        if self.tree.is_heard()
            && let Some(chunk) = &mut self.chunk
        {
            context::leave_no_room(chunk);
        }
        if self.tree.is_listened() {
            // Current while it is told of, so that what is said of it needs no detour.
            self.resume();
            listener::begun(&self.tree, self.key);
            self.chunk = self.take();
            // Whatever they left current.
            self.current = self.key;
        }
        self
    }

    fn take(&self) -> Option<Box<Chunk>> {
        context::pop(|chunk| chunk.tree.as_ref().is_some_and(|tree| Arc::ptr_eq(tree, &self.tree)))
    }

    fn end(&self, flags: u32) {
        // Another segment is on top where guards end out of order.
        if context::with_chunk(self.key, |_| ()).is_some() {
            context::end(self.key, flags);
        } else {
            self.tree.end_from_afar(self.key, &Clock::new(), flags);
        }
    }

    /// Ends the segment, attached or not.
    pub(crate) fn close(mut self) {
        self.close_with(0);
    }

    /// Ends the segment of `key` that is attached to this thread; of those that are not sampled, the one on top.
    #[cold]
    #[inline(never)]
    pub(crate) fn close_attached(key: Key) {
        let on_top = context::with_chunk(key, |_| ()).is_some();
        if key >= FIRST && on_top {
            let listened = context::with_chunk(key, |chunk| chunk.tree.clone())
                .flatten()
                .filter(|tree| tree.is_listened());
            match listened {
                Some(tree) => listener::end_segment(&tree, key, || context::end(key, 0)),
                None => context::end(key, 0),
            }
        }
        let chunk = context::pop(|chunk| {
            chunk
                .tree
                .as_ref()
                .is_some_and(|tree| if key >= FIRST { tree.key(0) == key } else { !tree.sampled })
        });
        if let Some(mut chunk) = chunk
            && let Some(tree) = chunk.tree.take()
        {
            if !on_top {
                tree.end_from_afar(key, &Clock::new(), 0);
            }
            tree.detach(chunk, true);
        }
    }

    pub(crate) fn close_with(&mut self, flags: u32) {
        self.resume();
        if self.key >= FIRST && self.tree.is_listened() {
            listener::end_segment(&self.tree, self.key, || self.end(flags));
        } else {
            self.end(flags);
        }
        if let Some(mut chunk) = self.take() {
            let tree = chunk.tree.take().unwrap_or_else(|| Arc::clone(&self.tree));
            // A subsegment in the place of a segment ends nothing but itself.
            let ended = self.key == tree.key(0);
            tree.detach(chunk, ended);
        }
    }
}
