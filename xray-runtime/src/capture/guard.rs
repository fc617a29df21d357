//! The guard of a captured function that is not `async`: one word, for one thread.

use std::marker::PhantomData;
use std::thread::panicking;

use crate::context;
use crate::entity::Entity;
use crate::error;
use crate::record::{FIRST, Key};
use crate::scope::Root;

/// Ends the subsegment of a function, by its last statement or while a panic unwinds.
#[derive(Debug)]
#[must_use = "the subsegment ends when this is dropped"]
pub struct Guard {
    key: Key,
    /// Where `segment` opened a segment. Boxed: the usual guard is small.
    root: Option<Box<Root>>,
    not_send: PhantomData<*const ()>,
}

/// Begins the subsegment of a function.
#[inline]
pub fn enter(name: &'static str) -> Guard {
    Guard::begin(name)
}

impl Guard {
    #[inline]
    pub(crate) fn begin(name: &'static str) -> Self {
        Self::of(context::begin(name), None)
    }

    #[inline]
    pub(crate) fn of(key: Key, root: Option<Box<Root>>) -> Self {
        Self { key, root, not_send: PhantomData }
    }

    /// The usual end: drop is then left to the unwinding.
    #[inline]
    pub(crate) fn end(mut self) {
        self.finish();
        std::mem::forget(self);
    }

    #[inline]
    fn finish(&mut self) {
        if self.key >= FIRST {
            context::end(self.key, 0);
        }
        if self.root.is_some() {
            self.close();
        }
    }

    #[cold]
    fn close(&mut self) {
        if let Some(root) = self.root.take() {
            root.close();
        }
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        if panicking() {
            unwound(self.key);
        }
        self.finish();
    }
}

/// A panic unwinds through the entity, or it ends in a destructor that the unwinding runs.
#[cold]
#[inline(never)]
pub(crate) fn unwound(key: Key) {
    let started = context::with_chunk(key, |chunk| chunk.record(key).map(|record| record.start)).flatten();
    error::record_panic(&Entity::local(key), started.unwrap_or(0));
}
