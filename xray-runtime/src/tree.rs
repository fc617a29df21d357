//! One segment and everything below it: what its threads share, and who sends it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::context;
use crate::facade::Facade;
use crate::late_keep::{self, Keeper, Late, Outcome};
use crate::listener::{self, Known};
use crate::note::{NOTES_LIMIT, Noted};
use crate::record::{Chunk, End, FIRST, Fact, Index, Key, NONE, Note, Shipment, UNSAMPLED, flag, index_of};
use crate::recorder::Core;
use crate::trace_header::TraceHeader;
use crate::trace_id::{EntityId, TraceId, random_u64};

/// The last of its 65,536 numbers from which a chunk goes on: it takes half of them at most (see `CHUNK_LIMIT`).
const REUSED: Index = 0x4000;

/// Facts that may wait for a chunk that is out of reach: of more, ends go to the exporter, notes are dropped and counted.
const LATE_LIMIT: usize = 4096;

/// What the entities of one segment have in common.
pub(crate) struct Tree {
    pub(crate) core: Arc<Core>,
    pub(crate) trace_id: TraceId,
    /// The caller's entity, from the trace header; of a facade, the one that it stands for.
    pub(crate) parent_id: Option<EntityId>,
    /// The header that came in: its other data goes on with each call out.
    pub(crate) incoming: Option<TraceHeader>,
    /// Its entities are recorded: it was sampled, or may be kept late.
    pub(crate) sampled: bool,
    /// What called services are told.
    pub(crate) decision: Decision,
    pub(crate) late: Late,
    /// A part of the tree went to the exporter before the rest.
    pub(crate) streamed: AtomicBool,
    serial: u32,
    seed: u64,
    /// What stands for this tree when the caller asks for noop ids.
    pub(crate) noop: bool,
    /// Its segment is a facade.
    facade: Option<Box<Facade>>,
    shared: Mutex<Shared>,
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree")
            .field("trace_id", &self.trace_id)
            .field("sampled", &self.sampled)
            .finish_non_exhaustive()
    }
}

/// What becomes of a segment, decided where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Sampled,
    NotSampled,
    /// Not sampled, but recorded: how it ends decides.
    Undecided,
    /// There is no segment, as a rule for paths says.
    Skipped,
}

/// Counts settle the question "who ships": the last one out of a closed tree with nothing open.
#[derive(Debug)]
struct Shared {
    /// Chunks that no thread holds now. Boxed: they move between threads, the queue and the pool as they are.
    #[allow(clippy::vec_box)]
    parked: Vec<Box<Chunk>>,
    chunks_made: u32,
    /// Where chunks that were given back empty would have gone on.
    spare: Vec<Index>,
    attached: u32,
    /// Begun less ended, of the chunks that came back.
    open: i64,
    /// The segment has ended.
    closed: bool,
    /// The segment went out, as [`Shipment::Whole`] or forced.
    shipped: bool,
    late_ends: Vec<End>,
    late_notes: Vec<Note>,
    late_bytes: usize,
}

impl Shared {
    /// The index of offset 0 of one more chunk. After 65,534 of them the numbers start over at 1: by then the records
    /// of the first are long sent.
    fn next_chunk(&mut self) -> Index {
        if let Some(index) = self.spare.pop() {
            return index;
        }
        let number = self.chunks_made;
        self.chunks_made = if number >= u32::from(u16::MAX) - 1 { 1 } else { number + 1 };
        number << 16
    }

    fn holds_nothing(&self) -> bool {
        self.parked.is_empty() && self.late_ends.is_empty() && self.late_notes.is_empty()
    }

    /// Nothing of a closed tree is open, and no thread holds a chunk of it: the last one out ships.
    fn settled(&self) -> bool {
        self.closed && self.attached == 0 && self.open <= 0
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let shared = self.shared.get_mut().unwrap_or_else(PoisonError::into_inner);
        let abandoned: usize = shared.parked.iter().map(|chunk| chunk.records.len()).sum();
        if !self.core.is_plain && self.late.is_undecided() {
            // Nothing that was promised is lost.
            self.core.late_keep.iter().for_each(Keeper::close);
        } else if abandoned > 0 {
            self.core.counts.abandoned.fetch_add(abandoned as u64, Relaxed);
        }
    }
}

impl Tree {
    pub(crate) fn new(
        core: Arc<Core>,
        trace_id: TraceId,
        parent_id: Option<EntityId>,
        incoming: Option<TraceHeader>,
        decision: Decision,
    ) -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        // The highest bit is that of `FIRST`.
        let serial = SERIAL.fetch_add(1, Relaxed) | 1 << 31;
        let sampled = matches!(decision, Decision::Sampled | Decision::Undecided);
        let noop = decision == Decision::NotSampled && core.settings.noop_ids;
        Self {
            core,
            trace_id,
            parent_id,
            incoming,
            sampled,
            decision,
            late: Late::new(decision == Decision::Undecided),
            streamed: AtomicBool::new(false),
            serial,
            // Without a record there is no id.
            seed: if sampled { random_u64() } else { 0 },
            noop,
            facade: None,
            shared: Mutex::new(Shared {
                parked: Vec::new(),
                chunks_made: 1,
                spare: Vec::new(),
                attached: 1,
                open: 0,
                closed: false,
                shipped: false,
                late_ends: Vec::new(),
                late_notes: Vec::new(),
                late_bytes: 0,
            }),
        }
    }

    /// The same with a facade in the place of its segment.
    #[cfg(feature = "lambda")]
    pub(crate) fn with_facade(mut self, facade: Facade) -> Self {
        // Copies of a snapshot go on with one state of the generator; the id of Lambda's segment differs.
        if let Some(id) = self.parent_id.filter(|_| self.sampled) {
            self.seed ^= u64::from_str_radix(id.as_str(), 16).unwrap_or_default();
        }
        self.facade = Some(Box::new(facade));
        self
    }

    pub(crate) fn facade(&self) -> Option<&Facade> {
        self.facade.as_deref()
    }

    pub(crate) fn key(&self, index: Index) -> Key {
        u64::from(self.serial) << 32 | u64::from(index)
    }

    pub(crate) fn serial(&self) -> u32 {
        self.serial
    }

    /// The id of an entity, computed alike on the caller and on the exporter: splitmix64 is a bijection, so that no
    /// two entities of a tree share one.
    #[inline]
    pub(crate) fn entity_id(&self, index: Index) -> u64 {
        let mut z = self.seed.wrapping_add(u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).max(1)
    }

    /// The id of an entity as others see it: that of a facade is Lambda's.
    pub(crate) fn id_of(&self, index: Index) -> EntityId {
        match self.parent_id {
            Some(id) if index == 0 && self.facade.is_some() => id,
            _ => EntityId::from_u64(self.entity_id(index)),
        }
    }

    /// The entity that takes what is said of the segment.
    pub(crate) fn segment_index(&self) -> Index {
        self.facade().map_or(0, Facade::stand_in)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first chunk, for the thread that opens the segment. It counts as attached from the start.
    pub(crate) fn first_chunk(self: &Arc<Self>) -> Box<Chunk> {
        let mut chunk = self.core.pool_take();
        chunk.base = if self.sampled { self.key(0) } else { UNSAMPLED };
        chunk.look_at = self.stream_at();
        if !self.core.is_plain {
            self.prepare(&mut chunk);
        }
        chunk.tree = Some(Arc::clone(self));
        chunk
    }

    /// For what a recorder does beside recording.
    #[cold]
    fn prepare(&self, chunk: &mut Chunk) {
        chunk.look_at = self.look_at();
        if self.late.is_undecided() {
            chunk.notes_limit = late_keep::NOTES;
        }
        if self.is_heard() {
            context::leave_no_room(chunk);
        }
    }

    /// The same where a chunk comes back: whether nobody wants it.
    #[cold]
    fn is_unwanted(&self, shared: &mut Shared, chunk: &mut Chunk, ended: bool) -> bool {
        if ended {
            if let Some(heartbeat) = &self.core.heartbeat {
                heartbeat.end(self);
            }
            if self.late.is_undecided() {
                self.decide(shared, chunk);
            }
        }
        self.late.is_gone()
    }

    /// Records from which on a chunk is streamed.
    pub(crate) fn stream_at(&self) -> usize {
        if self.late.is_undecided() {
            usize::MAX
        } else if self.facade.is_some() {
            // Lambda may freeze the program at any end.
            1
        } else {
            self.core.settings.stream_at
        }
    }

    fn look_at(&self) -> usize {
        if self.is_heard() { 0 } else { self.stream_at() }
    }

    /// It has listeners. They are not told of a facade.
    pub(crate) fn is_listened(&self) -> bool {
        !self.core.is_plain && !self.core.listeners.is_empty() && self.facade.is_none()
    }

    /// Its subsegments have listeners.
    pub(crate) fn is_heard(&self) -> bool {
        self.sampled && self.core.listeners.hear_subsegments()
    }

    /// A chunk for another thread or task: a parked one, or a new one.
    pub(crate) fn attach(self: &Arc<Self>) -> Box<Chunk> {
        let mut shared = self.shared();
        shared.attached += 1;
        if let Some(mut chunk) = shared.parked.pop() {
            drop(shared);
            chunk.tree = Some(Arc::clone(self));
            return chunk;
        }
        let number = shared.next_chunk();
        drop(shared);
        let mut chunk = self.first_chunk();
        if self.sampled {
            chunk.base = self.key(number);
        }
        chunk
    }

    /// Gives a chunk back. `ended`: with this the segment itself is over.
    pub(crate) fn detach(self: Arc<Self>, mut chunk: Box<Chunk>, ended: bool) {
        // A parked chunk must not hold the tree that holds it.
        chunk.tree = None;
        if !self.sampled {
            self.core.pool_give(chunk);
            return;
        }
        let mut shared = self.shared();
        shared.attached = shared.attached.saturating_sub(1);
        if !self.core.is_plain && self.is_unwanted(&mut shared, &mut chunk, ended) {
            self.core.pool_give(chunk);
            return;
        }
        shared.open += i64::from(std::mem::take(&mut chunk.open));
        shared.closed |= ended;
        if shared.settled() && !shared.shipped && shared.holds_nothing() {
            // The usual case: all of it was recorded here.
            shared.shipped = true;
            drop(shared);
            chunk.shipment = Shipment::Whole;
            let core = Arc::clone(&self.core);
            chunk.tree = Some(self);
            core.send(chunk);
            return;
        }
        let is_empty = chunk.records.is_empty() && chunk.notes.is_empty() && chunk.ends.is_empty();
        if is_empty {
            // No record has one of its numbers from here on.
            shared.spare.push(index_of(chunk.base));
            self.core.pool_give(chunk);
        } else {
            shared.parked.push(chunk);
        }
        if shared.settled() {
            self.ship(shared, Shipment::Whole);
        } else if shared.shipped {
            self.ship(shared, Shipment::Part);
        } else if ended && self.facade.is_some() {
            // What is open below it may not be thawed before it is forgotten.
            self.streamed.store(true, Relaxed);
            self.ship(shared, Shipment::Forced);
        } else if ended {
            drop(shared);
            self.core.unsettled.watch(Arc::clone(&self));
            // Nothing was queued, so nothing else would make the thread look in time.
            self.core.wake.notify(&self.core);
        }
    }

    /// Sends what is parked. Called with the lock held, so that no other thread takes a chunk in between.
    fn ship(self: &Arc<Self>, mut shared: MutexGuard<'_, Shared>, shipment: Shipment) {
        let mut parked = std::mem::take(&mut shared.parked);
        let (ends, notes) = (std::mem::take(&mut shared.late_ends), std::mem::take(&mut shared.late_notes));
        shared.late_bytes = 0;
        if shared.shipped && parked.is_empty() && ends.is_empty() && notes.is_empty() {
            return;
        }
        // Late notes are of records that do not know of them: not for the writer of one pass.
        if shared.shipped || !notes.is_empty() {
            self.streamed.store(true, Relaxed);
        }
        shared.shipped = true;
        // An empty one where all was streamed before: the exporter still waits for the word that the segment is over.
        let mut first = match parked.pop() {
            Some(chunk) => chunk,
            None => {
                let mut chunk = self.core.pool_take();
                chunk.base = self.key(shared.next_chunk());
                chunk
            }
        };
        drop(shared);
        // The chunk that was made first leads: in a tree of one thread it holds everything.
        for mut other in parked {
            if other.base < first.base {
                std::mem::swap(&mut first, &mut other);
                first.below = other.below.take();
            }
            other.below = first.below.take();
            first.below = Some(other);
        }
        first.ends.extend(ends);
        first.notes.extend(notes);
        first.shipment = shipment;
        first.tree = Some(Arc::clone(self));
        self.core.send(first);
    }

    pub(crate) fn is_shipped(&self) -> bool {
        self.shared().shipped
    }

    /// Sends the segment although children are open: they have had their time.
    pub(crate) fn force(self: &Arc<Self>) {
        let shared = self.shared();
        if !shared.shipped {
            self.streamed.store(true, Relaxed);
            self.ship(shared, Shipment::Forced);
        }
    }

    /// Takes what a chunk holds to the exporter while the tree goes on; the chunk gets a new number.
    pub(crate) fn stream(self: &Arc<Self>, chunk: &mut Chunk) {
        let mut shared = self.shared();
        // The rest of the chunk's numbers serve it again, so that a segment of a billion subsegments has ids for all.
        let rest = index_of(chunk.base) + chunk.records.len() as Index;
        let number = if rest & 0xffff <= REUSED && rest >> 16 == index_of(chunk.base) >> 16 {
            rest
        } else {
            shared.next_chunk()
        };
        let (ends, notes) = (std::mem::take(&mut shared.late_ends), std::mem::take(&mut shared.late_notes));
        shared.late_bytes = 0;
        drop(shared);
        self.streamed.store(true, Relaxed);
        let base = index_of(chunk.base);
        let open = chunk.records.iter().enumerate().filter(|(_, record)| record.end == 0);
        chunk.sent_open.extend(open.map(|(offset, record)| (base + offset as Index, record.parent)));
        let mut part = self.core.pool_take();
        part.tree = Some(Arc::clone(self));
        part.base = std::mem::replace(&mut chunk.base, self.key(number));
        std::mem::swap(&mut part.records, &mut chunk.records);
        std::mem::swap(&mut part.notes, &mut chunk.notes);
        std::mem::swap(&mut part.ends, &mut chunk.ends);
        part.ends.extend(ends);
        part.notes.extend(notes);
        chunk.kept = 0;
        part.bytes = std::mem::take(&mut chunk.bytes);
        part.shipment = Shipment::Part;
        chunk.look_at = self.look_at();
        if self.is_heard() {
            context::leave_no_room(chunk);
        }
        chunk.disordered = false;
        if self.late.is_gone() {
            self.core.pool_give(part);
        } else {
            self.core.send(part);
        }
    }

    /// Whether a segment that was not sampled, and has ended, is kept after all.
    #[cold]
    fn decide(&self, shared: &mut Shared, last: &mut Chunk) {
        let Some(keeper) = &self.core.late_keep else { return };
        keeper.close();
        let key = self.key(0);
        let Shared { parked, late_ends, late_notes, late_bytes, .. } = shared;
        let mut chunks = std::iter::once(last).chain(parked.iter_mut().map(Box::as_mut));
        let chunk = chunks.find(|chunk| chunk.record(key).is_some());
        // Its record has what its own thread knows; the rest came from others.
        let outcome = chunk.as_ref().and_then(|chunk| chunk.record(key).copied()).map(|mut record| {
            for end in late_ends.iter().filter(|end| end.index == 0) {
                record.end = end.end;
                record.flags |= end.flags;
            }
            for note in late_notes.iter().filter(|note| note.index == 0) {
                record.flags |= if let Fact::Flags(flags) = note.fact { flags } else { 0 };
            }
            keeper.decide(&record, self.late.asked.load(Relaxed))
        });
        let counts = &self.core.counts;
        match outcome {
            Some(Outcome::Keep(reason)) => {
                self.late.decide(true);
                counts.kept_late.fetch_add(1, Relaxed);
                if let Some(chunk) = chunk {
                    if let Some(record) = chunk.record_mut(key) {
                        record.flags |= flag::FACTS;
                    }
                    let fact = Fact::Annotation(late_keep::ANNOTATION.into(), reason.into());
                    chunk.notes.push(Note { index: 0, fact });
                }
            }
            outcome => {
                self.late.decide(false);
                if outcome == Some(Outcome::OverLimit) {
                    counts.late_over_limit.fetch_add(1, Relaxed);
                }
                late_ends.clear();
                late_notes.clear();
                *late_bytes = 0;
                parked.drain(..).for_each(|chunk| self.core.pool_give(chunk));
            }
        }
    }

    /// What is known of an entity whose chunk no thread holds.
    pub(crate) fn known(&self, key: Key) -> Known {
        let shared = self.shared();
        let chunk = shared.parked.iter().find(|chunk| chunk.record(key).is_some());
        chunk.map(|chunk| chunk.known(key)).unwrap_or_default()
    }

    /// What called services, and the caller, are told.
    pub(crate) fn tells_sampled(&self) -> bool {
        self.decision == Decision::Sampled
    }

    /// Ends an entity whose tree is not current on this thread: a future was dropped elsewhere.
    pub(crate) fn end_from_afar(self: &Arc<Self>, key: Key, clock: &Clock, flags: u32) {
        if key < FIRST {
            return;
        }
        let end = clock.ticks();
        // Of a segment its `Root` tells.
        if self.is_heard() && index_of(key) != 0 {
            listener::end_from_afar(self, key, end, || self.end_late(key, end, flags));
        } else {
            self.end_late(key, end, flags);
        }
    }

    fn end_late(self: &Arc<Self>, key: Key, end: u64, flags: u32) {
        let mut shared = self.shared();
        if self.late.is_gone() {
            return;
        }
        let held = shared.parked.iter_mut().find_map(|chunk| chunk.record_mut(key));
        match held {
            Some(record) if record.end != 0 => return,
            Some(record) => {
                record.end = end;
                record.flags |= flags;
            }
            None => shared.late_ends.push(End { index: index_of(key), end, flags }),
        }
        shared.open -= 1;
        if shared.settled() {
            self.ship(shared, Shipment::Whole);
        } else if shared.shipped {
            self.ship(shared, Shipment::Part);
        } else if shared.late_ends.len() >= LATE_LIMIT && !self.late.is_undecided() {
            self.send_late(shared);
        }
    }

    /// Hands the late ends to the exporter, which has their records or will get them.
    #[cold]
    fn send_late(self: &Arc<Self>, mut shared: MutexGuard<'_, Shared>) {
        let mut part = self.core.pool_take();
        part.base = self.key(shared.next_chunk());
        part.ends.append(&mut shared.late_ends);
        drop(shared);
        self.streamed.store(true, Relaxed);
        part.shipment = Shipment::Part;
        part.tree = Some(Arc::clone(self));
        self.core.send(part);
    }

    /// Notes a fact of an entity whose tree is not current on this thread.
    pub(crate) fn note_from_afar(self: &Arc<Self>, key: Key, fact: Fact) {
        let mut shared = self.shared();
        if self.late.is_gone() {
            return;
        }
        if shared.shipped || shared.late_notes.len() >= LATE_LIMIT {
            self.core.counts.late_facts.fetch_add(1, Relaxed);
            return;
        }
        let index = index_of(key);
        if let Some(chunk) = shared.parked.iter_mut().find(|chunk| chunk.record(key).is_some()) {
            match chunk.note(key, fact) {
                Noted::Kept => {}
                Noted::Ended => _ = self.core.counts.after_end.fetch_add(1, Relaxed),
                Noted::Full => _ = self.core.counts.late_facts.fetch_add(1, Relaxed),
            }
            return;
        }
        let bytes = fact.estimate();
        let limit = if self.late.is_undecided() { late_keep::NOTES } else { NOTES_LIMIT };
        if shared.late_bytes + bytes > limit {
            self.core.counts.late_facts.fetch_add(1, Relaxed);
            return;
        }
        shared.late_bytes += bytes;
        shared.late_notes.push(Note { index, fact });
    }
}

impl Chunk {
    /// The key that stands for "current" where this chunk was just attached for `key`.
    pub(crate) fn current_for(&self, key: Key) -> Key {
        match &self.tree {
            Some(tree) if tree.sampled => key,
            Some(_) => UNSAMPLED,
            None => NONE,
        }
    }
}
