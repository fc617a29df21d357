//! A captured function with arguments: its entity begins before the body, so that expressions see the arguments.

use std::borrow::Cow;

use super::Guard;
use super::guard::{AWAITING_SEGMENT, UNSAMPLED_SEGMENT};
use crate::awaiting;
use crate::context;
use crate::entity::Entity;
use crate::record::{FIRST, Key, NONE, UNSAMPLED, flag};
use crate::recorder::current_core;
use crate::root::Root;
use crate::scope::Scope;
use crate::segment::SegmentBuilder;

/// An entity that has begun and is current.
#[derive(Debug)]
#[must_use = "the entity ends at once where this is not used"]
pub struct Entry {
    key: Key,
    outer: Key,
    root: Option<Box<Root>>,
    taken: bool,
}

/// Begins a subsegment.
pub fn entry(name: impl Into<Cow<'static, str>>) -> Entry {
    let outer = context::current();
    Entry { key: context::begin_named(name.into()), outer, root: None, taken: false }
}

/// Begins a segment where none is current, else a subsegment.
pub fn segment(name: impl Into<Cow<'static, str>>) -> Entry {
    if context::current() >= UNSAMPLED {
        return entry(name);
    }
    let Some(core) = current_core() else {
        // `main` installs the recorder in its body.
        let key = if awaiting::begin(name.into()) { AWAITING_SEGMENT } else { NONE };
        return Entry { key, outer: NONE, root: None, taken: false };
    };
    let root = SegmentBuilder::new(core, Some(name.into())).enter();
    Entry { key: context::current(), outer: NONE, root: root.map(Box::new), taken: false }
}

impl Entry {
    /// Says something of the entity, where it is recorded.
    pub fn with(self, say: impl FnOnce(&Entity)) -> Self {
        if self.key >= FIRST {
            say(&Entity::local(self.key));
        }
        self
    }

    fn flagged(self, bits: u32) -> Self {
        if self.key == AWAITING_SEGMENT {
            awaiting::add_flags(bits);
        } else {
            Entity::local(self.key).set_bits(bits);
        }
        self
    }

    /// The subsegment stands for another service.
    pub fn remote(self) -> Self {
        self.flagged(flag::REMOTE)
    }

    /// The subsegment stands for a service of AWS.
    pub fn aws(self) -> Self {
        self.flagged(flag::AWS)
    }

    /// An `Err` is the caller's fault.
    pub fn as_error(self) -> Self {
        self.flagged(flag::ERR_IS_ERROR)
    }

    /// An `Err` says that the caller asks too often.
    pub fn as_throttle(self) -> Self {
        self.flagged(flag::ERR_IS_THROTTLE)
    }

    /// An `Err` is no failure.
    pub fn ignore_errors(self) -> Self {
        self.flagged(flag::ERR_IS_IGNORED)
    }

    /// The guard of a function that is not `async`.
    pub fn enter(mut self) -> Guard {
        self.taken = true;
        self.guard()
    }

    fn guard(&mut self) -> Guard {
        match self.root.take() {
            Some(root) if root.key < FIRST => Guard::of(UNSAMPLED_SEGMENT),
            _ => Guard::of(self.key),
        }
    }

    /// For a future: takes the entity off this thread until the future is polled.
    pub(super) fn suspend(mut self) -> Scope {
        self.taken = true;
        if self.key == AWAITING_SEGMENT {
            return awaiting::suspend().map_or_else(Scope::off, Scope::awaiting);
        }
        match self.root.take() {
            Some(mut root) => {
                root.suspend();
                Scope::begun(self.key, Some(root))
            }
            None => {
                let scope = Scope::begun(self.key, None);
                context::set_current(self.outer);
                scope
            }
        }
    }
}

/// An expression of the attribute panicked, or the future was never made.
impl Drop for Entry {
    fn drop(&mut self) {
        if !self.taken {
            drop(self.guard());
        }
    }
}
