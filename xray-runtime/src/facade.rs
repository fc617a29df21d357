//! The facade: in a function of AWS Lambda the segment is Lambda's, and the program may add subsegments to it only.
//!
//! A tree whose segment is a facade is recorded as any other. Its segment has the id of Lambda's and is never sent, what stands below
//! it are documents of their own, each sent as it ends.

#[cfg(feature = "lambda")]
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
#[cfg(feature = "lambda")]
use std::time::{SystemTime, UNIX_EPOCH};

use crate::clock::Anchor;
use crate::record::Index;

/// What a tree knows of itself beyond others where its segment is a facade.
#[derive(Debug)]
#[cfg_attr(not(feature = "lambda"), allow(dead_code, reason = "without the layer there are none"))]
pub(crate) struct Facade {
    /// The begin of the invocation, by both clocks. Between two invocations one of them may stand still.
    ticks: u64,
    unix_micros: u64,
    /// The subsegment of the handler; 0: there is none.
    handler: AtomicU32,
}

impl Facade {
    /// What takes the place of the segment for those who ask for it.
    pub(crate) fn stand_in(&self) -> Index {
        self.handler.load(Relaxed)
    }

    /// Times of this invocation are its begin and what the ticks say since: a clock that jumped before it or after it does not move them.
    pub(crate) fn anchor(&self, now: &Anchor) -> Anchor {
        now.at(self.ticks, self.unix_micros)
    }
}

#[cfg(feature = "lambda")]
mod open {
    use super::*;
    use crate::clock::Clock;
    use crate::context;
    use crate::record::{NO_PARENT, Record, UNSAMPLED, index_of};
    use crate::recorder::Core;
    use crate::root::Root;
    use crate::trace_header::{Sampled, TraceHeader};
    use crate::trace_id::TraceId;
    use crate::tree::{Decision, Tree};

    impl Facade {
        fn new() -> Self {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let unix_micros = u64::try_from(unix.as_micros()).unwrap_or(u64::MAX);
            Self { ticks: Clock::new().ticks(), unix_micros, handler: AtomicU32::new(0) }
        }

        /// The subsegment of the handler is current.
        pub(crate) fn handler_begun(&self) {
            self.handler.store(index_of(context::current()), Relaxed);
        }
    }

    /// Begins the facade of an invocation, on no thread yet.
    ///
    /// With a root, a parent and a decision there is a segment of Lambda's to add to. With less nothing is recorded, and what came goes on.
    pub(crate) fn open(core: Arc<Core>, header: TraceHeader) -> Root {
        let decision = match (header.trace_id(), header.parent_id(), header.sampled()) {
            (Some(_), Some(_), Sampled::Sampled) => Decision::Sampled,
            (Some(_), Some(_), Sampled::NotSampled) => Decision::NotSampled,
            _ => Decision::Skipped,
        };
        crate::panic::forget_old();
        if decision != Decision::Skipped {
            core.counts.segments.fetch_add(1, Relaxed);
        }
        if decision == Decision::NotSampled {
            core.counts.unsampled.fetch_add(1, Relaxed);
        }
        let trace_id = header.trace_id().unwrap_or_else(TraceId::generate);
        let parent_id = header.parent_id().filter(|_| decision != Decision::Skipped);
        let facade = Facade::new();
        let start = facade.ticks;
        let tree = Arc::new(Tree::new(core, trace_id, parent_id, Some(header), decision).with_facade(facade));
        let mut chunk = tree.first_chunk();
        if !tree.sampled {
            return Root::new(UNSAMPLED, tree, chunk);
        }
        chunk.records.push(Record { name: "facade", start, end: 0, parent: NO_PARENT, flags: 0 });
        chunk.open = 1;
        if tree.is_heard() {
            context::leave_no_room(&mut chunk);
        }
        Root::new(tree.key(0), tree, chunk)
    }

    /// The invocation that is current here, where it is of this recorder: what would be a segment in it is a subsegment.
    pub(crate) fn invocation_of(core: &Arc<Core>) -> Option<Arc<Tree>> {
        if context::current() < UNSAMPLED {
            return None;
        }
        context::current_tree().filter(|tree| tree.facade().is_some() && Arc::ptr_eq(&tree.core, core))
    }
}

#[cfg(feature = "lambda")]
pub(crate) use open::{invocation_of, open};
