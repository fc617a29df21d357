//! What is current on this thread, and the two calls that every captured function makes: begin and end.
//!
//! The rules (`design/HOTPATH.md`, design B): the thread owns a chunk of the tree that is current on it, so that a
//! record is begun and ended without a lock. `current` is a key of the tree whose chunk is on top, or stands for
//! "nothing" ([`NONE`]) or "not sampled" ([`UNSAMPLED`]).

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::record::{
    CHUNK_LIMIT, Chunk, End, FIRST, Fact, Index, Key, NO_PARENT, NONE, Note, Record, flag, index_of,
    same_tree, sibling_key,
};
use crate::recorder::missing;
use crate::tree::Tree;

/// Estimated bytes of a tree's notes from which an end streams what is closed (section 13 of the client's spec).
const STREAM_BYTES: usize = 60_000;

/// Bytes of notes that one chunk may gather; what comes after is dropped and counted.
const NOTES_LIMIT: usize = 4 << 20;

/// Notes at which the superseded ones (same entity, same kind, same key) are thrown out.
const COMPACT_AT: usize = 4096;

struct Context {
    current: Cell<Key>,
    /// The chunk of the tree that is current; others wait below it. No destructor: a thread-local with one costs a test
    /// of its state at each access. A chunk left here at the end of a thread is one whose guard was forgotten.
    top: RefCell<ManuallyDrop<Option<Box<Chunk>>>>,
}

thread_local! {
    static CONTEXT: Context =
        const { Context { current: Cell::new(NONE), top: RefCell::new(ManuallyDrop::new(None)) } };
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
    if parent < FIRST {
        if parent == NONE {
            missing::noticed(name);
        }
        return parent;
    }
    begin_recorded(parent, name)
}

#[inline(never)]
fn begin_recorded(parent: Key, name: &'static str) -> Key {
    CONTEXT.with(|context| {
        let Ok(mut top) = context.top.try_borrow_mut() else { return NONE };
        let Some(chunk) = top.as_mut() else { return NONE };
        if chunk.records.len() == chunk.records.capacity() && chunk.records.len() >= CHUNK_LIMIT / 2 {
            renew(chunk);
        }
        let offset = chunk.records.len() as Key;
        chunk.records.push(Record {
            name,
            start: chunk.clock.ticks(),
            end: 0,
            parent: index_of(parent),
            flags: 0,
        });
        chunk.open += 1;
        let key = chunk.base | offset;
        context.current.set(key);
        key
    })
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
    if key < FIRST {
        return;
    }
    CONTEXT.with(|context| {
        let Ok(mut top) = context.top.try_borrow_mut() else { return };
        let Some(chunk) = top.as_mut() else { return };
        if let Some(offset) = usize::try_from(key ^ chunk.base).ok()
            && let Some(record) = chunk.records.get_mut(offset)
            && record.end == 0
        {
            record.end = chunk.clock.ticks();
            record.flags |= flags;
            let parent = record.parent;
            chunk.open -= 1;
            let in_order = context.current.get() == key;
            if in_order {
                context.current.set(sibling_key(key, parent));
            }
            if !in_order || chunk.records.len() >= chunk.look_at {
                end_with_care(context, chunk, key, parent, in_order);
            }
        } else {
            end_elsewhere(context, chunk, key, flags);
        }
    });
}

/// Order was lost, or it is time to look whether something should be streamed.
#[cold]
#[inline(never)]
fn end_with_care(context: &Context, chunk: &mut Box<Chunk>, key: Key, parent: Index, in_order: bool) {
    if !in_order {
        chunk.disordered = true;
        restore(context, chunk, key, parent);
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

/// Room for more records: many are open, so that nothing could be streamed at an end.
#[cold]
#[inline(never)]
fn renew(chunk: &mut Box<Chunk>) {
    if let Some(tree) = chunk.tree.clone() {
        tree.stream(chunk);
    }
}

/// The record is of another chunk of this tree, or of another tree.
#[cold]
#[inline(never)]
fn end_elsewhere(context: &Context, chunk: &mut Box<Chunk>, key: Key, flags: u32) {
    if !same_tree(key, chunk.base) || chunk.record(key).is_some() {
        // Not reachable from here, or ended twice.
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
        let Ok(mut top) = context.top.try_borrow_mut() else { return };
        let Some(chunk) = top.as_mut().filter(|chunk| same_tree(key, chunk.base)) else { return };
        if let Some(fact) = fact.take() {
            note_in(chunk, key, fact);
        }
    });
    if let Some(fact) = fact {
        elsewhere(fact);
    }
}

fn note_in(chunk: &mut Chunk, key: Key, fact: Fact) {
    let bytes = fact.estimate();
    let count = |counter: fn(&crate::recorder::Counts) -> &std::sync::atomic::AtomicU64| {
        if let Some(tree) = &chunk.tree {
            counter(&tree.core.counts).fetch_add(1, Relaxed);
        }
    };
    if let Some(record) = chunk.record(key) {
        if record.end != 0 {
            return count(|counts| &counts.after_end);
        }
    }
    if chunk.bytes + bytes > NOTES_LIMIT {
        return count(|counts| &counts.late_facts);
    }
    if let Some(record) = chunk.record_mut(key) {
        match fact {
            Fact::Flags(flags) => {
                record.flags |= flags;
                return;
            }
            _ => record.flags |= flag::FACTS,
        }
    }
    chunk.bytes += bytes;
    if chunk.bytes > STREAM_BYTES {
        chunk.look_at = 0;
    }
    chunk.notes.push(Note { index: index_of(key), fact });
    if chunk.notes.len() % COMPACT_AT == 0 {
        compact(chunk);
    }
}

/// Throws out notes that a later one replaces: a counter kept as an annotation must not fill the memory.
#[cold]
fn compact(chunk: &mut Chunk) {
    let mut seen = std::collections::HashSet::new();
    let mut bytes = 0;
    let mut kept: Vec<Note> = Vec::with_capacity(chunk.notes.len());
    for note in std::mem::take(&mut chunk.notes).into_iter().rev() {
        let replaced = match &note.fact {
            Fact::Annotation(key, _) => !seen.insert((note.index, 'a', "".to_owned(), key.to_string())),
            Fact::Metadata(entry) => {
                !seen.insert((note.index, 'm', entry.namespace.to_string(), entry.key.to_string()))
            }
            Fact::User(_) => !seen.insert((note.index, 'u', String::new(), String::new())),
            Fact::Request(_) => !seen.insert((note.index, 'q', String::new(), String::new())),
            Fact::Response(_) => !seen.insert((note.index, 'p', String::new(), String::new())),
            _ => false,
        };
        if !replaced {
            bytes += note.fact.estimate();
            kept.push(note);
        }
    }
    kept.reverse();
    chunk.notes = kept;
    chunk.bytes = bytes;
}

/// Puts a chunk on top and makes `key` current.
pub(crate) fn push(mut chunk: Box<Chunk>, key: Key) {
    CONTEXT.with(|context| {
        chunk.outer = context.current.replace(key);
        // Nothing of the user's runs while it is borrowed, so that this does not fail.
        let Ok(mut top) = context.top.try_borrow_mut() else { return };
        chunk.below = top.take();
        **top = Some(chunk);
    });
}

/// Takes the chunk of `base`'s tree off and restores what was current before it. It is on top but where guards ended out of order.
pub(crate) fn pop(base: impl Fn(&Chunk) -> bool) -> Option<Box<Chunk>> {
    CONTEXT.with(|context| {
        let mut top = context.top.try_borrow_mut().ok()?;
        let slot: &mut Option<Box<Chunk>> = &mut top;
        if slot.as_ref().is_some_and(|chunk| base(chunk)) {
            let mut chunk = slot.take()?;
            *slot = chunk.below.take();
            context.current.set(chunk.outer);
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
    })
}

/// Reads the chunk that is on top.
pub(crate) fn with_top<R>(read: impl FnOnce(&mut Chunk) -> R) -> Option<R> {
    CONTEXT.with(|context| context.top.try_borrow_mut().ok()?.as_mut().map(|chunk| read(chunk)))
}

/// The tree that is current here, sampled or not.
pub(crate) fn current_tree() -> Option<Arc<Tree>> {
    if current() == NONE { None } else { with_top(|chunk| chunk.tree.clone()).flatten() }
}

/// The chunk of the tree of `key`, where it is on top.
pub(crate) fn with_chunk<R>(key: Key, read: impl FnOnce(&mut Chunk) -> R) -> Option<R> {
    with_top(|chunk| if same_tree(key, chunk.base) { Some(read(chunk)) } else { None }).flatten()
}
