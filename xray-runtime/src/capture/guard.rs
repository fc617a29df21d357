//! The guard of a captured function that is not `async`: one word, for one thread.

use std::marker::PhantomData;
use std::thread::panicking;

use crate::awaiting;
use crate::context;
use crate::entity::Entity;
use crate::error::{self, Certain};
use crate::record::{FIRST, Key, UNSAMPLED, index_of};
use crate::root::Root;

/// Ends the subsegment of a function, by its last statement or while a panic unwinds. One word; below `FIRST` it ends
/// nothing, and the record at offset 0 of a tree is a segment that `segment` opened.
#[derive(Debug)]
#[must_use = "the subsegment ends when this is dropped"]
pub struct Guard {
    key: Key,
    not_send: PhantomData<*const ()>,
}

/// A guard that ends a segment which is not sampled: no key of an entity.
pub(crate) const UNSAMPLED_SEGMENT: Key = UNSAMPLED + 1;

/// A guard that ends the segment which waits for its recorder on this thread.
pub(crate) const AWAITING_SEGMENT: Key = UNSAMPLED + 2;

/// Begins the subsegment of a function.
#[inline]
pub fn enter(name: &'static str) -> Guard {
    Guard::begin(name)
}

impl Guard {
    #[inline(always)]
    pub(crate) fn begin(name: &'static str) -> Self {
        Self::of(context::begin(name))
    }

    #[inline(always)]
    pub(crate) fn of(key: Key) -> Self {
        Self { key, not_send: PhantomData }
    }

    /// Records an error that the function returns, on the entity that is current.
    pub(crate) fn record(&mut self, record: impl FnOnce()) {
        record();
    }

    /// The usual end of a function whose body is a closure: drop is then left to the unwinding.
    #[inline(always)]
    pub(crate) fn end(self) {
        let key = self.key;
        std::mem::forget(self);
        if key > UNSAMPLED {
            ended(key);
        }
    }
}

impl Drop for Guard {
    #[inline(always)]
    fn drop(&mut self) {
        if self.key > UNSAMPLED {
            dropped(self.key);
        }
    }
}

/// The end of a function whose body was a closure. Not inlined, nor is the other: each captured function would have a
/// copy to compile.
#[inline(never)]
fn ended(key: Key) {
    end(key);
}

/// The end of a function whose body stands behind the guard, or of one that a panic unwinds.
#[inline(never)]
fn dropped(key: Key) {
    if panicking() {
        unwound(key, Certain::No);
    }
    end(key);
}

#[inline(always)]
fn end(key: Key) {
    if key >= FIRST && index_of(key) != 0 {
        context::end_here(key, 0);
    } else {
        end_segment(key);
    }
}

#[cold]
#[inline(never)]
fn end_segment(key: Key) {
    if key == AWAITING_SEGMENT {
        awaiting::end(false);
    } else {
        Root::close_attached(key);
    }
}

/// A panic unwinds through the entity, or it ends in a destructor that the unwinding runs.
#[cold]
#[inline(never)]
pub(crate) fn unwound(key: Key, certain: Certain) {
    let started = context::with_chunk(key, |chunk| chunk.record(key).map(|record| record.start)).flatten();
    error::record_panic(&Entity::local(key), started.unwrap_or(0), certain);
}
