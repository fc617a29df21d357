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
    let ready = with_top(|chunk| {
        if chunk.records.len() < CHUNK_LIMIT / 4 {
            chunk.records.reserve(chunk.records.len().max(64));
        } else if let Some(tree) = chunk.tree.clone() {
            tree.stream(chunk);
        }
        chunk.records.len() < CHUNK_LIMIT
    });
    if ready == Some(true) { begin_recorded(parent, name) } else { NONE }
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
            }
        }
        context.put(top);
        end_with_care(key, flags);
    });
}

/// As [`begin`], for a name that was made at run time.
pub(crate) fn begin_named(name: Cow<'static, str>) -> Key {
    match name {
        Cow::Borrowed(name) => begin(name),
        Cow::Owned(name) => {
            let key = begin("");
            if key >= FIRST {
                note(key, Fact::Name(Cow::Owned(name)));
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

/// It was ended and it is time to look whether something should be streamed; or it is not what is current, has ended
/// before, or is of another chunk or tree.
#[cold]
#[inline(never)]
fn end_with_care(key: Key, flags: u32) {
    CONTEXT.with(|context| {
        let mut top = context.take();
        if let Some(chunk) = &mut *top {
            end_in(context, chunk, key, flags);
        }
        context.put(top);
    });
}

fn end_in(context: &Context, chunk: &mut Box<Chunk>, key: Key, flags: u32) {
    let ticks = chunk.clock.ticks();
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
        None => return end_elsewhere(context, chunk, key, flags),
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
    let stream_at = tree.core.settings.stream_at;
    if chunk.records.len() + chunk.ends.len() >= stream_at || chunk.bytes > STREAM_BYTES {
        let tree = Arc::clone(tree);
        tree.stream(chunk);
    } else {
        chunk.look_at = if chunk.disordered { 0 } else { stream_at.saturating_sub(chunk.ends.len()) };
    }
}

/// The record is of another chunk of this tree, or of another tree.
fn end_elsewhere(context: &Context, chunk: &mut Box<Chunk>, key: Key, flags: u32) {
    if !same_tree(key, chunk.base) {
        // Not reachable from here.
        if let Some(tree) = &chunk.tree {
            tree.core.counts.after_end.fetch_add(1, Relaxed);
        }
        return;
    }
    let index = index_of(key);
    chunk.ends.push(End { index, end: chunk.clock.ticks(), flags });
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
