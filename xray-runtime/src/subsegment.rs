//! Subsegments: the parts of a segment.

use std::borrow::Cow;
use std::sync::Arc;
use std::thread::panicking;

use crate::capture::unwound;
use crate::clock::Clock;
use crate::context;
use crate::entity::Entity;
use crate::error::Certain;
use crate::record::{FIRST, Key, same_tree};

/// A subsegment that runs until this is dropped or [ended](Self::end). It dereferences to its [`Entity`].
///
/// It may be held over an `.await`, sent to another thread and ended there. It is current where it began, until it ends; ended on another thread, it
/// stays the parent of what begins there until what is around it ends.
///
/// ```
/// use xray_runtime::{Recorder, begin_subsegment};
///
/// let (recorder, captured) = Recorder::in_memory();
/// recorder.enter(|| {
///     let _segment = xray_runtime::begin_segment("request");
///     let mock_data = begin_subsegment("mock_data");
///     mock_data.put_metadata_in("namespace", "key", [1, 2, 3]);
///     mock_data.end();
/// });
/// let mock_data = captured.segment("request").subsegment("mock_data");
/// assert_eq!(mock_data.metadata("namespace", "key"), Some(vec![1, 2, 3].into()));
/// ```
#[derive(Debug)]
#[must_use = "the subsegment ends when this is dropped"]
pub struct Subsegment {
    entity: Entity,
    /// What was current before: what stands in a chunk that another thread holds by now cannot be asked for its parent.
    outer: Key,
}

/// Begins a subsegment of what is current and makes it current until the guard ends.
pub fn begin_subsegment(name: impl Into<Cow<'static, str>>) -> Subsegment {
    let outer = context::current();
    let key = context::begin_named(name.into());
    let tree = context::current_tree();
    Subsegment { entity: Entity::new(key, tree), outer }
}

/// Runs `f` in a subsegment. Inside, [`current`](crate::current) is the subsegment.
pub fn in_subsegment<R>(name: impl Into<Cow<'static, str>>, f: impl FnOnce() -> R) -> R {
    let subsegment = begin_subsegment(name);
    let value = f();
    subsegment.end();
    value
}

impl Subsegment {
    /// Ends the subsegment; what was current before it is current again.
    pub fn end(self) {}
}

impl std::ops::Deref for Subsegment {
    type Target = Entity;

    fn deref(&self) -> &Entity {
        &self.entity
    }
}

impl Drop for Subsegment {
    fn drop(&mut self) {
        let key = self.entity.key();
        if key < FIRST {
            return;
        }
        if panicking() {
            unwound(key, Certain::No);
        }
        if same_tree(key, context::current()) {
            context::end(key, 0);
            if context::current() == key {
                context::set_current(self.outer);
            }
        } else if let Some(tree) = self.entity.tree() {
            // A segment that began below this one goes back to what is still open.
            context::leave(key, self.outer);
            Arc::clone(tree).end_from_afar(key, &Clock::new(), 0);
        }
    }
}
