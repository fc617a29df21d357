//! Spans on a thread: which of them it has entered, and what was current before each.
//!
//! A span is entered and left again and again, on several threads at once, and not always in order. So what was current
//! before is kept for each time it is entered, with the thread, not with the span.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::panicking;

use crate::capture::unwound;
use crate::clock::Clock;
use crate::context;
use crate::entity::Entity;
use crate::error::Certain;
use crate::record::{Chunk, FIRST, Key, NO_PARENT, index_of, same_tree, sibling_key};
use crate::scope;
use crate::tree::Tree;

/// A span that this thread has entered.
struct Entered {
    key: Key,
    /// What was current before.
    outer: Key,
    /// Its tree was not on top of this thread and was attached for it.
    attached: Option<Arc<Tree>>,
    /// It was entered by a destructor that a panic's unwinding runs: that panic is not its own.
    unwinding: bool,
}

thread_local! {
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

/// None at the end of a thread.
fn with<R>(f: impl FnOnce(&mut Vec<Entered>) -> R) -> Option<R> {
    ENTERED
        .try_with(|entered| entered.try_borrow_mut().ok().map(|mut entered| f(&mut entered)))
        .ok()
        .flatten()
}

/// Begins a subsegment of `parent`, or of what is current. Current stays what is.
pub(super) fn begin(name: &'static str, parent: Option<&Entity>) -> Option<Entity> {
    let outer = context::current();
    let key = match parent {
        Some(parent) if !same_tree(parent.key(), outer) => {
            let tree = parent.tree()?;
            scope::attach(tree, parent.key());
            let key = context::begin(name);
            scope::detach(tree);
            return (key >= FIRST).then(|| Entity::new(key, Some(Arc::clone(tree))));
        }
        Some(parent) => {
            context::set_current(parent.key());
            context::begin(name)
        }
        // Asked here, since where there is no segment nothing is missing: the span is a library's.
        None if outer < FIRST => return None,
        None => context::begin(name),
    };
    context::set_current(outer);
    (key >= FIRST).then(|| Entity::new(key, context::current_tree()))
}

/// Makes the subsegment current on this thread.
pub(super) fn enter(entity: &Entity) {
    let Some(tree) = entity.tree() else { return };
    let (key, outer) = (entity.key(), context::current());
    let attached = (!same_tree(key, outer)).then(|| Arc::clone(tree));
    let is_attached = attached.is_some();
    let unwinding = panicking();
    if with(|entered| entered.push(Entered { key, outer, attached, unwinding })).is_none() {
        return;
    }
    if is_attached {
        scope::attach(tree, key);
    } else {
        context::set_current(key);
    }
}

/// The span is left: makes current what was before, unless another span was entered since and is not left yet.
pub(super) fn exit(key: Key) {
    let Some((left, is_top)) = with(|entered| take(entered, key)).flatten() else { return };
    if is_top && !left.unwinding && panicking() && same_tree(key, context::current()) {
        unwound(key, Certain::No);
    }
    match left.attached {
        Some(tree) => scope::detach(&tree),
        None if !same_tree(key, context::current()) => context::leave(key, left.outer),
        None => restore(key, left.outer, is_top),
    }
}

/// The latest time that the span was entered, and whether it was entered last of all.
fn take(entered: &mut Vec<Entered>, key: Key) -> Option<(Entered, bool)> {
    let at = entered.iter().rposition(|entered| entered.key == key)?;
    let mut left = entered.remove(at);
    let is_top = at == entered.len();
    if let Some(above) = entered.get_mut(at)
        && above.outer == key
    {
        above.outer = left.outer;
    }
    // The spans of its tree above it need the chunk that was attached for it: the first of them takes that over.
    if left.attached.is_some()
        && let Some(above) =
            entered[at..].iter_mut().find(|above| above.attached.is_none() && same_tree(above.key, key))
    {
        above.attached = left.attached.take();
    }
    Some((left, is_top))
}

/// What is current is of the span's tree: goes on with `outer`, or where that has ended, above it.
fn restore(key: Key, outer: Key, is_top: bool) {
    let now = context::current();
    let restored = context::with_top(|chunk| {
        // A guard in the span is open still: it is no longer current. Elsewhere than below the span, it is left alone.
        if now != key && !(is_top && is_at_or_below(chunk, now, key)) {
            return now;
        }
        let mut at = outer;
        while chunk.disordered
            && let Some(record) = chunk.record(at)
            && record.end != 0
            && record.parent != NO_PARENT
        {
            at = sibling_key(at, record.parent);
        }
        at
    });
    context::set_current(restored.unwrap_or(outer));
}

/// Levels that are looked at for an ancestor: each may cost a search through what was sent while it was open.
const MAX_LEVELS: u32 = 256;

/// Whether `at` is `key` or stands below it; as far as can be told within a bound, else yes.
fn is_at_or_below(chunk: &Chunk, mut at: Key, key: Key) -> bool {
    // The usual end: what is current is the parent.
    if at != key && chunk.parent_of(key) == Some(index_of(at)) {
        return false;
    }
    for _ in 0..MAX_LEVELS {
        if at == key {
            return true;
        }
        // Within a chunk what is below comes later.
        if at < key && chunk.record(at).is_some() && chunk.record(key).is_some() {
            return false;
        }
        match chunk.parent_of(at) {
            Some(parent) if parent != NO_PARENT => at = sibling_key(at, parent),
            _ => return false,
        }
    }
    true
}

/// The span has closed: ends its subsegment.
pub(super) fn close(entity: &Entity) {
    let key = entity.key();
    // Its guard was forgotten, so that it was never left.
    while with(|entered| entered.last().is_some_and(|last| last.key == key)) == Some(true) {
        exit(key);
    }
    let outer = context::current();
    if !same_tree(key, outer) {
        if let Some(tree) = entity.tree() {
            Arc::clone(tree).end_from_afar(key, &Clock::new(), 0);
        }
    } else if context::with_top(|chunk| is_at_or_below(chunk, outer, key)) == Some(true) {
        context::end(key, 0);
    } else {
        // As if it were current, which costs less than an end out of order: nothing that is current is below it.
        context::set_current(key);
        context::end(key, 0);
        context::set_current(outer);
    }
}
