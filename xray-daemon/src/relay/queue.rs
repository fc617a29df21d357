//! Batches that wait, within a bound of bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::batch::Batch;

/// What a batch takes beside its documents: where they end, the allocations' headers, its place in the queue.
const OVERHEAD: usize = 128;

/// Of the bound, a quarter is for what is under way, so that calls can be made beside a queue that is full, and a quarter for what
/// waits, so that there is always room for what comes. The rest is for whichever needs it: calls to an upstream that is slow.
const RESERVED: usize = 4;

#[derive(Debug)]
pub(super) struct Queue {
    /// Held for moments only, by the receiver's thread and the dispatcher; never over an await.
    state: Mutex<State>,
    changed: Notify,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Batch>,
    /// Of what waits and what is under way.
    bytes: usize,
    /// Of what is under way.
    bytes_under_way: usize,
    documents_under_way: usize,
    closed: bool,
}

/// Documents that found no room.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// The bound is reached.
    pub(super) memory: usize,
    /// Nothing is sent any more.
    pub(super) closed: usize,
}

/// What a queue holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Held {
    pub(super) batches: usize,
    /// With those under way.
    pub(super) documents: usize,
    pub(super) bytes: usize,
    pub(super) limit: usize,
    /// When the oldest document that waits came.
    pub(super) oldest: Option<tokio::time::Instant>,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), limit }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch at the end, and drops from the front what it takes to stay within the bound.
    pub(super) fn push(&self, batch: Batch) -> Dropped {
        let mut dropped = Dropped::default();
        let mut state = self.state();
        if state.closed {
            dropped.closed = batch.len();
            return dropped;
        }
        state.bytes += footprint(&batch);
        state.waiting.push_back(batch);
        let for_waiting =
            (self.limit - self.limit / RESERVED).min(self.limit.saturating_sub(state.bytes_under_way));
        while state.bytes - state.bytes_under_way > for_waiting
            && let Some(oldest) = state.waiting.pop_front()
        {
            state.bytes -= footprint(&oldest);
            dropped.memory += oldest.len();
        }
        drop(state);
        self.changed.notify_one();
        dropped
    }

    /// Takes the oldest batch. While it is under way it counts twice, because its request is a copy of it; where that finds no
    /// room beside others, it waits.
    pub(super) fn pop(&self) -> Option<Batch> {
        let mut state = self.state();
        let footprint = footprint(state.waiting.front()?);
        let (calls, reserved) = (state.bytes_under_way + 2 * footprint, self.limit / RESERVED);
        let has_room =
            calls <= reserved || calls <= self.limit - reserved && state.bytes + footprint <= self.limit;
        if state.bytes_under_way > 0 && !has_room {
            return None;
        }
        let batch = state.waiting.pop_front()?;
        state.bytes += footprint;
        state.bytes_under_way += 2 * footprint;
        state.documents_under_way += batch.len();
        Some(batch)
    }

    /// Puts batches back to the front, in this order: they are the oldest.
    pub(super) fn put_back(&self, taken: &Batch, parts: Vec<Batch>) {
        let mut state = self.state();
        state.documents_under_way -= taken.len();
        state.bytes -= 2 * footprint(taken);
        state.bytes_under_way -= 2 * footprint(taken);
        for part in parts.into_iter().rev() {
            state.bytes += footprint(&part);
            state.waiting.push_front(part);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Forgets a batch that is done with.
    pub(super) fn done(&self, batch: &Batch) {
        let mut state = self.state();
        state.documents_under_way -= batch.len();
        state.bytes -= 2 * footprint(batch);
        state.bytes_under_way -= 2 * footprint(batch);
    }

    /// Takes nothing any more. Returns the documents that waited, which are gone.
    pub(super) fn close(&self) -> usize {
        let mut state = self.state();
        state.closed = true;
        let left = std::mem::take(&mut state.waiting);
        state.bytes -= left.iter().map(footprint).sum::<usize>();
        left.iter().map(Batch::len).sum()
    }

    /// Forgets what is under way: nobody waits for it any more. Returns its documents.
    pub(super) fn abandon(&self) -> usize {
        let mut state = self.state();
        state.bytes = state.waiting.iter().map(footprint).sum();
        state.bytes_under_way = 0;
        std::mem::take(&mut state.documents_under_way)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().waiting.is_empty()
    }

    /// Waits until something was added.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn held(&self) -> Held {
        let state = self.state();
        Held {
            batches: state.waiting.len(),
            documents: state.waiting.iter().map(Batch::len).sum::<usize>() + state.documents_under_way,
            bytes: state.bytes,
            limit: self.limit,
            oldest: state.waiting.front().map(Batch::received_at),
        }
    }
}

fn footprint(batch: &Batch) -> usize {
    batch.bytes() + batch.len() * size_of::<u32>() + OVERHEAD
}
