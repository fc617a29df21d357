//! Spans on a thread: which of them it has entered, and what was current before each.
//!
//! A span is entered and left again and again, on several threads at once, and not always in order. So what was current
//! before is kept for each time it is entered, with the thread, not with the span.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::thread::panicking;

use crate::capture::unwound;
use crate::clock::Clock;
use crate::context;
use crate::entity::Entity;
use crate::error::Certain;
use crate::record::{Chunk, FIRST, Key, NO_PARENT, NONE, index_of, same_tree, sibling_key};
use crate::scope;
use crate::tree::Tree;

/// Names a span in this process. Each registry numbers its own spans, and a layer is in one of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) layer: u64,
    pub(super) id: u64,
}

/// A span that this thread has entered.
struct Entered {
    span: Named,
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
    /// The span that was made here last, and its subsegment. Most spans are entered before the next is made: then the registry need
    /// not be asked.
    static LATEST: Cell<(Named, Key)> = const { Cell::new((Named { layer: 0, id: 0 }, NONE)) };
}

/// The span was made on this thread, with this subsegment, or [`NONE`].
pub(super) fn made(span: Named, key: Key) {
    LATEST.set((span, key));
}

/// The subsegment of the span, or [`NONE`], where it is the one that was made here last.
pub(super) fn latest(span: Named) -> Option<Key> {
    let (latest, key) = LATEST.get();
    (latest == span).then_some(key)
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

/// Makes the subsegment current on this thread; `tree` is its tree where that is not current here.
pub(super) fn enter(span: Named, key: Key, tree: Option<Arc<Tree>>) {
    let entered =
        Entered { span, key, outer: context::current(), attached: tree.clone(), unwinding: panicking() };
    if with(|all| all.push(entered)).is_none() {
        return;
    }
    match tree {
        Some(tree) => scope::attach(&tree, key),
        None => context::set_current(key),
    }
}

/// A span that was entered and is left.
struct Left {
    entered: Entered,
    /// It was entered last of all.
    is_last: bool,
    /// Chunks of its tree that were attached after its own and stay.
    later: usize,
}

/// The span is left: makes current what was before, unless another span was entered since and is not left yet. `find` tells the
/// subsegment of a span that is not the one that was entered last.
pub(super) fn exit(span: Named, find: impl FnOnce() -> Option<Key>) {
    match with(|all| all.pop_if(|last| last.span == span).ok_or(all.is_empty())) {
        Some(Ok(entered)) => leave(Left { entered, is_last: true, later: 0 }),
        Some(Err(false)) => _ = find().map(exit_deeper),
        Some(Err(true)) | None => {}
    }
}

#[inline(never)]
fn exit_deeper(key: Key) {
    if let Some(left) = with(|all| take(all, key)).flatten() {
        leave(left);
    }
}

/// The subsegment of a span that this thread has entered and the registry no longer knows.
pub(super) fn key_of(span: Named) -> Option<Key> {
    with(|all| all.iter().rev().find(|entered| entered.span == span).map(|entered| entered.key)).flatten()
}

/// The latest time that the span was entered. None where it was not, or where others go on in the chunk that was attached for it.
fn take(all: &mut Vec<Entered>, key: Key) -> Option<Left> {
    let at = all.iter().rposition(|entered| entered.key == key)?;
    let mut entered = all.remove(at);
    let mut later = 0;
    if entered.attached.is_some() {
        // What was current before is known to the chunk. The first span that was entered in it takes it over.
        let mut of_its_tree = all[at..].iter_mut().filter(|above| same_tree(above.key, key)).peekable();
        if let Some(next) = of_its_tree.next_if(|next| next.attached.is_none()) {
            next.attached = entered.attached.take();
            return None;
        }
        later = of_its_tree.filter(|above| above.attached.is_some()).count();
    } else if let Some(above) = all.get_mut(at)
        && above.outer == key
    {
        above.outer = entered.outer;
    }
    Some(Left { entered, is_last: at == all.len(), later })
}

fn leave(Left { entered, is_last, later }: Left) {
    let Entered { key, outer, .. } = entered;
    let is_here = same_tree(key, context::current());
    if is_last && is_here && !entered.unwinding && panicking() {
        unwound(key, Certain::No);
    }
    if let Some(tree) = entered.attached {
        return detach(tree, later);
    }
    if !is_last || !is_here {
        context::leave(key, outer);
    }
    if is_here {
        restore(key, outer, is_last);
    }
}

/// Takes a chunk of the tree off this thread, below so many later ones.
fn detach(tree: Arc<Tree>, later: usize) {
    let later = Cell::new(later);
    let chunk = context::pop(|chunk| {
        let is_its = chunk.tree.as_ref().is_some_and(|its| Arc::ptr_eq(its, &tree));
        is_its && later.replace(later.get().saturating_sub(1)) == 0
    });
    if let Some(chunk) = chunk {
        tree.detach(chunk, false);
    }
}

/// What is current is of the span's tree: goes on with `outer`, or where that has ended, above it.
fn restore(key: Key, outer: Key, is_last: bool) {
    let now = context::current();
    let restored = context::with_top(|chunk| {
        // A guard in the span is open still: it is no longer current. Elsewhere than below the span, it is left alone.
        if now != key && !(is_last && is_at_or_below(chunk, now, key)) {
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

/// The span has closed: ends its subsegment. `tree` tells its tree.
pub(super) fn close(key: Key, tree: impl FnOnce() -> Option<Arc<Tree>>) {
    // Its guard was forgotten, so that it was never left.
    while with(|all| all.last().is_some_and(|last| last.key == key)) == Some(true) {
        exit_deeper(key);
    }
    let outer = context::current();
    if !same_tree(key, outer) {
        if let Some(tree) = tree() {
            tree.end_from_afar(key, &Clock::new(), 0);
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
