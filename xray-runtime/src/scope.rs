//! An entity that lives as long as a future: current while the future is polled, off the thread between polls.

use std::borrow::Cow;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::thread::panicking;

use crate::awaiting::{self, Awaiting};
use crate::clock::Clock;
use crate::context;
use crate::error::Certain;
use crate::record::{FIRST, Key, NONE, flag, same_tree};
use crate::recorder::{Core, current_core};
use crate::root::Root;
use crate::segment::SegmentBuilder;
use crate::tree::Tree;

/// The scope of a future. Its state is dropped by hand, in [`Scope::cancel`]: most scopes end with nothing to drop, and
/// the glue of an enum costs 28 instructions to find that out.
#[derive(Debug)]
pub(crate) struct Scope(ManuallyDrop<State>);

#[derive(Debug)]
enum State {
    /// Not polled yet; the parent is what is current at the first poll.
    New(&'static str),
    /// Not polled yet; the parent is known.
    Here(&'static str, Key, Option<Arc<Tree>>),
    /// A subsegment with a name of run time, or a segment: begins at the first poll.
    Late(Box<Late>),
    /// Nothing is recorded, and nothing is current in it that is not outside it.
    Off,
    /// A subsegment; `tree` is set once it was suspended.
    Child { key: Key, current: Key, tree: Option<Arc<Tree>> },
    /// A segment, which keeps its chunk with it.
    Root(Box<Root>),
    /// A segment that waits for its recorder; none while it is on the thread.
    Awaiting(Option<Box<Awaiting>>),
    /// The tree of another place, for as long as the future runs; it begins and ends nothing.
    Carried { current: Key, tree: Arc<Tree> },
}

/// What begins at the first poll.
#[derive(Debug)]
pub(crate) enum Late {
    Subsegment(Cow<'static, str>),
    /// The recorder that was entered where the future was made.
    Segment(Cow<'static, str>, Option<Arc<Core>>),
}

impl Scope {
    #[inline(always)]
    const fn of(state: State) -> Self {
        Self(ManuallyDrop::new(state))
    }

    /// For a state before it that has nothing to drop.
    #[inline(always)]
    fn set(&mut self, state: State) {
        self.0 = ManuallyDrop::new(state);
    }

    #[inline]
    pub(crate) const fn new(name: &'static str) -> Self {
        Self::of(State::New(name))
    }

    pub(crate) fn here(name: &'static str) -> Self {
        let parent = context::current();
        if parent < FIRST {
            return Self::of(State::New(name));
        }
        Self::of(State::Here(name, parent, context::current_tree()))
    }

    pub(crate) fn late(late: Late) -> Self {
        Self::of(State::Late(Box::new(late)))
    }

    pub(crate) fn awaiting(suspended: Box<Awaiting>) -> Self {
        Self::of(State::Awaiting(Some(suspended)))
    }

    /// For an entity that has begun and was taken off the thread.
    pub(crate) fn begun(key: Key, root: Option<Box<Root>>) -> Self {
        match root {
            Some(root) => Self::of(State::Root(root)),
            None if key < FIRST => Self::of(State::Off),
            None => Self::of(State::Child { key, current: key, tree: context::current_tree() }),
        }
    }

    pub(crate) fn off() -> Self {
        Self::of(State::Off)
    }

    /// Whether it carries the tree of another place.
    #[cfg(feature = "sqlx-without-macros")]
    pub(crate) fn is_carried(&self) -> bool {
        matches!(&*self.0, State::Carried { .. })
    }

    pub(crate) fn root(root: Root) -> Self {
        Self::of(State::Root(Box::new(root)))
    }

    /// What is current here goes with the future.
    pub(crate) fn carried() -> Self {
        match context::current_tree() {
            Some(tree) => Self::of(State::Carried { current: context::current(), tree }),
            None => Self::of(State::Off),
        }
    }

    /// Makes the entity current on this thread until the answer is finished, suspended or dropped.
    ///
    /// Inlined is what a future needs that is not recorded; the rest is compiled once, not with each future.
    #[inline]
    pub(crate) fn enter(&mut self) -> Entered<'_> {
        let outer = context::current();
        match &*self.0 {
            State::Off => Entered { scope: self, outer, on: On::Nothing },
            State::New(name) if outer < FIRST => {
                context::begin(name);
                self.set(State::Off);
                Entered { scope: self, outer, on: On::Nothing }
            }
            _ => {
                let on = self.enter_recorded(outer);
                Entered { scope: self, outer, on }
            }
        }
    }

    #[inline(never)]
    fn enter_recorded(&mut self, outer: Key) -> On {
        match &mut *self.0 {
            State::New(name) => {
                let key = context::begin(name);
                self.set(State::Child { key, current: key, tree: None });
                On::Thread
            }
            State::Root(root) => {
                root.resume();
                On::Root
            }
            State::Child { key, current, .. } if same_tree(*key, outer) => {
                context::set_current(*current);
                On::Thread
            }
            _ => self.enter_rarely(outer),
        }
    }

    #[inline(never)]
    fn enter_rarely(&mut self, outer: Key) -> On {
        match &mut *self.0 {
            State::Here(name, parent, tree) => {
                let (name, parent) = (*name, *parent);
                // Below the parent, wherever this is polled.
                let attached = match tree.take() {
                    Some(tree) if !same_tree(parent, outer) => {
                        attach(&tree, parent);
                        true
                    }
                    _ => {
                        context::set_current(parent);
                        false
                    }
                };
                let key = context::begin(name);
                *self.0 = State::Child { key, current: key, tree: None };
                if attached { On::Attached } else { On::Thread }
            }
            State::Late(late) => {
                let begun = match std::mem::replace(late.as_mut(), Late::Subsegment(Cow::Borrowed(""))) {
                    Late::Subsegment(name) => {
                        let key = context::begin_named(name);
                        (key >= FIRST).then_some(State::Child { key, current: key, tree: None })
                    }
                    Late::Segment(name, core) => core
                        .or_else(current_core)
                        .and_then(|core| SegmentBuilder::new(core, Some(name)).enter())
                        .map(|root| State::Root(Box::new(root))),
                };
                let (state, on) = match begun {
                    Some(state @ State::Root(_)) => (state, On::Root),
                    Some(state) => (state, On::Thread),
                    None => (State::Off, On::Nothing),
                };
                *self.0 = state;
                on
            }
            State::Child { current, tree: Some(tree), .. } => {
                attach(tree, *current);
                On::Attached
            }
            State::Carried { current, tree } => {
                if (*current >= FIRST && same_tree(*current, outer)) || *current == outer && *current < FIRST
                {
                    context::set_current(*current);
                    On::Thread
                } else {
                    attach(tree, *current);
                    On::Attached
                }
            }
            State::Awaiting(suspended) => {
                *suspended = suspended.take().and_then(awaiting::resume);
                if suspended.is_none() { On::Awaiting } else { On::Nothing }
            }
            // The others were entered without a detour.
            State::New(_) | State::Off | State::Root(_) | State::Child { tree: None, .. } => On::Nothing,
        }
    }
}

pub(crate) fn attach(tree: &Arc<Tree>, current: Key) {
    let chunk = tree.attach();
    let current = if tree.sampled { current } else { chunk.current_for(current) };
    context::push(chunk, current);
}

pub(crate) fn detach(tree: &Arc<Tree>) {
    let chunk = context::pop(|chunk| chunk.tree.as_ref().is_some_and(|on_top| Arc::ptr_eq(on_top, tree)));
    if let Some(mut chunk) = chunk {
        let tree = chunk.tree.take().unwrap_or_else(|| Arc::clone(tree));
        tree.detach(chunk, false);
    }
}

/// How an entity came to be current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Nothing,
    /// Its tree was current already.
    Thread,
    /// A chunk of its tree was attached to this thread.
    Attached,
    Root,
    Awaiting,
}

/// The time of one poll. Dropped without an answer, a panic unwinds through the poll.
#[derive(Debug)]
pub(crate) struct Entered<'s> {
    scope: &'s mut Scope,
    outer: Key,
    on: On,
}

impl Entered<'_> {
    #[inline]
    pub(crate) fn is_recorded(&self) -> bool {
        self.on != On::Nothing
    }

    /// The future is pending.
    #[inline]
    pub(crate) fn suspend(mut self) {
        let on = std::mem::replace(&mut self.on, On::Nothing);
        if on != On::Nothing {
            self.suspend_recorded(on);
        }
    }

    #[inline(never)]
    fn suspend_recorded(&mut self, on: On) {
        match &mut *self.scope.0 {
            State::Child { current, tree, .. } => {
                *current = context::current();
                if tree.is_none() {
                    *tree = context::current_tree();
                }
                match tree {
                    Some(tree) if on == On::Attached => detach(tree),
                    _ => context::set_current(self.outer),
                }
            }
            State::Root(root) => root.suspend(),
            State::Carried { current, tree } => {
                *current = context::current();
                if on == On::Attached {
                    detach(tree);
                } else {
                    context::set_current(self.outer);
                }
            }
            State::Awaiting(suspended) => *suspended = awaiting::suspend(),
            State::New(_) | State::Here(..) | State::Late(_) | State::Off => {}
        }
    }

    /// The future is done.
    #[inline]
    pub(crate) fn finish(mut self) {
        let on = std::mem::replace(&mut self.on, On::Nothing);
        if on != On::Nothing {
            self.finish_recorded(on);
        }
    }

    #[inline(never)]
    fn finish_recorded(&mut self, on: On) {
        if on == On::Thread
            && let State::Child { key, tree, .. } = &mut *self.scope.0
        {
            context::end_here(*key, 0);
            context::set_current(self.outer);
            drop(tree.take());
            self.scope.set(State::Off);
        } else {
            self.finish_rarely(on, 0);
        }
    }

    #[inline(never)]
    fn finish_rarely(&mut self, on: On, flags: u32) {
        match std::mem::replace(&mut *self.scope.0, State::Off) {
            State::Child { key, tree, .. } => {
                context::end(key, flags);
                if on == On::Attached {
                    if let Some(tree) = tree.or_else(context::current_tree) {
                        detach(&tree);
                    }
                } else {
                    context::set_current(self.outer);
                }
            }
            State::Root(mut root) => root.close_with(flags),
            State::Carried { tree, .. } if on == On::Attached => detach(&tree),
            State::Carried { .. } => context::set_current(self.outer),
            State::Awaiting(_) => awaiting::end(false),
            State::New(_) | State::Here(..) | State::Late(_) | State::Off => {}
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let on = std::mem::replace(&mut self.on, On::Nothing);
        if on == On::Nothing {
            return;
        }
        // A panic unwinds through the poll: the tree is current here, so the entity ends as any other does.
        let key = match &*self.scope.0 {
            State::Child { key, .. } => *key,
            State::Root(root) => root.key,
            _ => NONE,
        };
        if panicking() {
            crate::capture::unwound(key, Certain::Yes);
        }
        self.finish_rarely(on, 0);
    }
}

/// The future was dropped before it was done.
impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        if !matches!(*self.0, State::New(_) | State::Off) {
            self.cancel();
        }
    }
}

impl Scope {
    #[cold]
    #[inline(never)]
    fn cancel(&mut self) {
        match std::mem::replace(&mut *self.0, State::Off) {
            State::Child { key, tree, .. } => {
                let current = context::current();
                match tree {
                    // Where its tree is current: as any other end, but what is current stays.
                    _ if same_tree(key, current) => {
                        record_unwinding(key);
                        context::end(key, cancelled());
                        if current != key {
                            context::set_current(current);
                        }
                    }
                    Some(tree) => tree.end_from_afar(key, &Clock::new(), cancelled()),
                    None => {}
                }
            }
            State::Root(mut root) => {
                root.resume();
                record_unwinding(root.key);
                root.close_with(cancelled());
            }
            State::Awaiting(Some(suspended)) => {
                if awaiting::resume(suspended).is_none() {
                    awaiting::end(true);
                }
            }
            State::New(_)
            | State::Here(..)
            | State::Late(_)
            | State::Off
            | State::Awaiting(None)
            | State::Carried { .. } => {}
        }
    }
}

/// A future that is dropped because its task panics is a part of the panic, not cancelled.
fn cancelled() -> u32 {
    if panicking() { 0 } else { flag::CANCELLED }
}

fn record_unwinding(key: Key) {
    if panicking() {
        crate::capture::unwound(key, Certain::No);
    }
}
