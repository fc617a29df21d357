//! What is current on this thread, and the two calls that every captured function makes: begin and end.
//!
//! The rule: the thread owns a chunk of the tree that is current on it, so that a
//! record is begun and ended without a lock. `current` is a key of the tree whose chunk is on top, or stands for
//! "nothing" ([`NONE`]) or "not sampled" ([`UNSAMPLED`]).

use std::borrow::Cow;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::late_keep;
use crate::listener::{self, Known};
use crate::note::{Noted, STREAM_BYTES};
use crate::record::{
    CHUNK_LIMIT, Chunk, End, FIRST, Fact, Index, Key, NO_PARENT, NONE, NOTICED, Record, UNSAMPLED, index_of,
    same_tree, sibling_key,
};
use crate::recorder::missing;
use crate::tree::Tree;

struct Context {
    current: Cell<Key>,
    /// The chunk of the tree that is current; others wait below it. It is taken out while it is used, so that whoever
    /// comes here meanwhile finds nothing. No destructor: a thread-local with one costs a test of its state at each access. A chunk
    /// left here at the end of a thread is one whose guard was forgotten.
    top: Cell<ManuallyDrop<Option<Box<Chunk>>>>,
}

impl Context {
    #[inline(always)]
    fn take(&self) -> ManuallyDrop<Option<Box<Chunk>>> {
        self.top.replace(ManuallyDrop::new(None))
    }

    #[inline(always)]
    fn put(&self, top: ManuallyDrop<Option<Box<Chunk>>>) {
        self.top.set(top);
    }
}

thread_local! {
    static CONTEXT: Context =
        const { Context { current: Cell::new(NONE), top: Cell::new(ManuallyDrop::new(None)) } };
}

/// What is current on this thread.
#[inline(always)]
pub(crate) fn current() -> Key {
    CONTEXT.with(|context| context.current.get())
}

#[inline(always)]
pub(crate) fn set_current(key: Key) {
    CONTEXT.with(|context| context.current.set(key));
}

/// Begins a subsegment of what is current and makes it current. Returns its key, or one below [`FIRST`] where nothing
/// is recorded.
#[inline]
pub(crate) fn begin(name: &'static str) -> Key {
    let parent = current();
    if parent >= FIRST {
        return begin_recorded(parent, name);
    }
    if parent == NONE {
        notice(name);
    }
    parent
}

/// No segment is current. Once the recorder's strategy was asked the thread is marked, so that it is not asked for each call.
#[cold]
#[inline(never)]
fn notice(name: &str) {
    if missing::notice(name) {
        set_current(NOTICED);
    }
}

/// The usual case calls nothing, so that no register needs saving.
#[inline(never)]
fn begin_recorded(parent: Key, name: &'static str) -> Key {
    CONTEXT.with(|context| {
        let mut top = context.take();
        if let Some(chunk) = &mut *top {
            let start = chunk.clock.ticks();
            let offset = chunk.records.len();
            if offset < chunk.records.capacity() {
                chunk.records.push(Record { name, start, end: 0, parent: index_of(parent), flags: 0 });
                chunk.open += 1;
                let key = chunk.base + offset as Key;
                context.current.set(key);
                context.put(top);
                return key;
            }
        }
        context.put(top);
        begin_with_room(parent, name)
    })
}

/// The chunk is full: makes it larger, or, where so many are open that no end could stream, sends what is there.
#[cold]
#[inline(never)]
fn begin_with_room(parent: Key, name: &'static str) -> Key {
    let heard = heard_tree();
    let ready = with_top(|chunk| {
        if chunk.records.len() >= late_keep::RECORDS
            && let Some(tree) = chunk.tree.as_ref().filter(|tree| tree.late.is_undecided())
        {
            // Nobody knows whether it will be wanted: it may not grow, and nothing of it may go ahead.
            tree.core.counts.late_unrecorded.fetch_add(1, Relaxed);
            return false;
        }
        if chunk.records.len() < CHUNK_LIMIT / 4 {
            let more = if heard.is_some() { 1 } else { chunk.records.len().max(64) };
            chunk.records.reserve_exact(more);
        } else if let Some(tree) = chunk.tree.clone() {
            tree.stream(chunk);
        }
        chunk.records.len() < CHUNK_LIMIT
    });
    if ready != Some(true) {
        return NONE;
    }
    let key = begin_recorded(parent, name);
    if let Some(tree) = heard {
        with_top(leave_no_room);
        // Of one with a name of run time, once it has it.
        if !name.is_empty() {
            listener::begun(&tree, key);
        }
    }
    key
}

/// The tree on top, where its listeners hear of subsegments.
fn heard_tree() -> Option<Arc<Tree>> {
    with_top(|chunk| chunk.tree.as_ref().filter(|tree| tree.is_heard()).cloned()).flatten()
}

/// Has the next begin find the chunk full, so that its listeners are told: so nobody else pays for the question.
pub(crate) fn leave_no_room(chunk: &mut Chunk) {
    // Of this `capacity() == len()` is promised, of `shrink_to_fit` it is not.
    chunk.records = std::mem::take(&mut chunk.records).into_boxed_slice().into_vec();
}

/// As [`end`], where a call is one too many.
#[inline(always)]
pub(crate) fn end_here(key: Key, flags: u32) {
    CONTEXT.with(|context| {
        let mut top = context.take();
        if let Some(chunk) = &mut *top {
            let ticks = chunk.clock.ticks();
            if let Some(offset) = usize::try_from(key.wrapping_sub(chunk.base)).ok()
                && let Some(record) = chunk.records.get_mut(offset)
                && record.end == 0
                && context.current.get() == key
            {
                record.end = ticks;
                record.flags |= flags;
                let parent = record.parent;
                chunk.open -= 1;
                context.current.set(sibling_key(key, parent));
                if chunk.records.len() < chunk.look_at {
                    context.put(top);
                    return;
                }
                context.put(top);
                return look_closer(key);
            }
        }
        context.put(top);
        end_with_care(key, flags);
    });
}

/// As [`begin`], for a name that was made at run time.
pub(crate) fn begin_named(name: Cow<'static, str>) -> Key {
    match name {
        Cow::Borrowed(name) if !name.is_empty() => begin(name),
        name => {
            let key = begin("");
            if key >= FIRST {
                note(key, Fact::Name(name));
                if let Some(tree) = heard_tree() {
                    listener::begun(&tree, key);
                }
            }
            key
        }
    }
}

/// Ends an entity; what was current before it began is current again.
#[inline(never)]
pub(crate) fn end(key: Key, flags: u32) {
    if key >= FIRST {
        end_here(key, flags);
    }
}

/// It was ended, and it is time to look whether something should be streamed, or listeners are to be told.
#[cold]
#[inline(never)]
fn look_closer(key: Key) {
    end_heard(key, 0, true);
}

/// It is not what is current, has ended before, or is of another chunk or tree.
#[cold]
#[inline(never)]
fn end_with_care(key: Key, flags: u32) {
    // What was not recorded has no end.
    if key >= FIRST {
        end_heard(key, flags, false);
    }
}

fn end_heard(key: Key, flags: u32, ended_now: bool) {
    // Of a segment its `Root` tells.
    match heard_tree() {
        Some(tree) if index_of(key) != 0 => listener::end_subsegment(&tree, key, flags, ended_now),
        _ => end_at(key, flags, None),
    }
}

/// Ends an entity, now or at the ticks given.
pub(crate) fn end_at(key: Key, flags: u32, ticks: Option<u64>) {
    CONTEXT.with(|context| {
        let mut top = context.take();
        if let Some(chunk) = &mut *top {
            end_in(context, chunk, key, flags, ticks);
        }
        context.put(top);
    });
}

/// For listeners, before an entity ends: the ticks of its end. Where `ended_now` its record has ended already, and is
/// opened again. None where it has ended before, or is of another tree.
pub(crate) fn reopen(key: Key, ended_now: bool) -> Option<u64> {
    let (ticks, reopened) = with_chunk(key, |chunk| {
        let now = chunk.clock.ticks();
        match chunk.record_mut(key) {
            Some(record) if ended_now => {
                let ticks = std::mem::replace(&mut record.end, 0);
                chunk.open += 1;
                Some((ticks, true))
            }
            Some(record) if record.end != 0 => None,
            _ => Some((now, false)),
        }
    })
    .flatten()?;
    if reopened {
        set_current(key);
    }
    Some(ticks)
}

/// What the chunk on top knows of an entity.
pub(crate) fn known(key: Key) -> Known {
    with_chunk(key, |chunk| chunk.known(key)).unwrap_or_default()
}

fn end_in(context: &Context, chunk: &mut Box<Chunk>, key: Key, flags: u32, ticks: Option<u64>) {
    let ticks = ticks.unwrap_or_else(|| chunk.clock.ticks());
    // What ended in the fast path is no longer current: its parent is, or stands above that.
    let ended_already = chunk.record(key).is_some_and(|record| record.end != 0);
    match chunk.record_mut(key) {
        Some(record) if !ended_already => {
            record.end = ticks;
            record.flags |= flags;
            let parent = record.parent;
            chunk.open -= 1;
            chunk.disordered |= context.current.get() != key;
            restore(context, chunk, key, parent);
        }
        Some(_) => {}
        None => return end_elsewhere(context, chunk, key, flags, ticks),
    }
    if chunk.disordered {
        // What is current now may have ended before this did.
        let mut at = context.current.get();
        while let Some(record) = chunk.record(at)
            && record.end != 0
            && record.parent != NO_PARENT
        {
            at = sibling_key(at, record.parent);
        }
        context.current.set(at);
    }
    stream_if_due(chunk);
}

/// Ended although a child of it is current: go on above it. Ended from another scope: leave that one alone.
fn restore(context: &Context, chunk: &Chunk, key: Key, parent: Index) {
    let mut at = context.current.get();
    while same_tree(at, key) {
        if at == key {
            return context.current.set(sibling_key(key, parent));
        }
        match chunk.parent_of(at) {
            Some(above) if above != NO_PARENT => at = sibling_key(at, above),
            _ => return,
        }
    }
}

fn stream_if_due(chunk: &mut Box<Chunk>) {
    let Some(tree) = &chunk.tree else { return };
    let stream_at = tree.stream_at();
    let heavy = chunk.bytes > STREAM_BYTES && !tree.late.is_undecided();
    if chunk.records.len() + chunk.ends.len() >= stream_at || heavy {
        let tree = Arc::clone(tree);
        tree.stream(chunk);
    } else {
        let always = chunk.disordered || tree.is_heard();
        chunk.look_at = if always { 0 } else { stream_at.saturating_sub(chunk.ends.len()) };
    }
}

/// The record is of another chunk of this tree, or of another tree.
fn end_elsewhere(context: &Context, chunk: &mut Box<Chunk>, key: Key, flags: u32, ticks: u64) {
    if !same_tree(key, chunk.base) {
        // Not reachable from here.
        if let Some(tree) = &chunk.tree {
            tree.core.counts.after_end.fetch_add(1, Relaxed);
        }
        return;
    }
    let index = index_of(key);
    chunk.ends.push(End { index, end: ticks, flags });
    chunk.open -= 1;
    if let Some(at) = chunk.sent_open.iter().rposition(|(open, _)| *open == index) {
        let (_, parent) = chunk.sent_open[at];
        if parent != NO_PARENT {
            restore(context, chunk, key, parent);
        }
        chunk.sent_open.remove(at);
    }
    stream_if_due(chunk);
}

/// Notes a fact of an entity of the tree that is current here. Returns the fact where it is not.
pub(crate) fn note(key: Key, fact: Fact) {
    note_or(key, fact, |_| ());
}

/// As [`note`]; `elsewhere` gets the fact where the entity's tree is not current on this thread.
pub(crate) fn note_or(key: Key, fact: Fact, elsewhere: impl FnOnce(Fact)) {
    if key < FIRST {
        return;
    }
    let mut fact = Some(fact);
    CONTEXT.with(|context| {
        let mut top = context.take();
        if let Some(chunk) = &mut *top
            && same_tree(key, chunk.base)
            && let Some(fact) = fact.take()
        {
            note_in(chunk, key, fact);
        }
        context.put(top);
    });
    if let Some(fact) = fact {
        elsewhere(fact);
    }
}

fn note_in(chunk: &mut Chunk, key: Key, fact: Fact) {
    let noted = chunk.note(key, fact);
    if noted == Noted::Kept {
        return;
    }
    if let Some(tree) = &chunk.tree {
        let counts = &tree.core.counts;
        let counter = if noted == Noted::Ended { &counts.after_end } else { &counts.late_facts };
        counter.fetch_add(1, Relaxed);
    }
}

/// Puts a chunk on top and makes `key` current.
pub(crate) fn push(mut chunk: Box<Chunk>, key: Key) {
    CONTEXT.with(|context| {
        chunk.outer = context.current.replace(key);
        let mut below = context.take();
        chunk.below = below.take();
        context.put(ManuallyDrop::new(Some(chunk)));
    });
}

/// Takes the chunk of `base`'s tree off and restores what was current before it. It is on top but where guards ended out of order.
pub(crate) fn pop(base: impl Fn(&Chunk) -> bool) -> Option<Box<Chunk>> {
    CONTEXT.with(|context| {
        let mut top = context.take();
        let found = pop_from(context, &mut top, base);
        context.put(top);
        found
    })
}

fn pop_from(
    context: &Context,
    slot: &mut Option<Box<Chunk>>,
    base: impl Fn(&Chunk) -> bool,
) -> Option<Box<Chunk>> {
    if slot.as_ref().is_some_and(|chunk| base(chunk)) {
        let mut chunk = slot.take()?;
        *slot = chunk.below.take();
        // With a segment gone, a call outside of one is worth a look again.
        context.current.set(if chunk.outer == NOTICED { NONE } else { chunk.outer });
        return Some(chunk);
    }
    // Found below: those above keep their order, and the one above inherits what was current before.
    let mut at = slot.as_mut()?;
    while !base(at.below.as_ref()?) {
        at = at.below.as_mut()?;
    }
    let mut chunk = at.below.take()?;
    at.below = chunk.below.take();
    at.outer = chunk.outer;
    Some(chunk)
}

/// `key` has ended: where it was current before a chunk came on top, `outer` is now.
#[cold]
pub(crate) fn leave(key: Key, outer: Key) {
    with_top(|top| {
        let mut at = Some(top);
        while let Some(chunk) = at {
            if chunk.outer == key {
                chunk.outer = outer;
            }
            at = chunk.below.as_deref_mut();
        }
    });
}

/// Reads the chunk that is on top.
pub(crate) fn with_top<R>(read: impl FnOnce(&mut Chunk) -> R) -> Option<R> {
    CONTEXT.with(|context| {
        let mut top = context.take();
        let answer = top.as_mut().map(|chunk| read(chunk));
        context.put(top);
        answer
    })
}

/// The tree that is current here, sampled or not.
pub(crate) fn current_tree() -> Option<Arc<Tree>> {
    if current() < UNSAMPLED { None } else { with_top(|chunk| chunk.tree.clone()).flatten() }
}

/// The chunk of the tree of `key`, where it is on top.
pub(crate) fn with_chunk<R>(key: Key, read: impl FnOnce(&mut Chunk) -> R) -> Option<R> {
    with_top(|chunk| if same_tree(key, chunk.base) { Some(read(chunk)) } else { None }).flatten()
}
