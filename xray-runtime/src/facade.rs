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
        open_as(core, header, Facade::new())
    }

    fn open_as(core: Arc<Core>, header: TraceHeader, facade: Facade) -> Root {
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

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::{Recorder, begin_subsegment, in_subsegment};

        const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

        fn micros(document: &serde_json::Value, key: &str) -> u64 {
            (document[key].as_f64().unwrap() * 1e6).round() as u64
        }

        /// A paused machine's counter stands still while the time of day goes on: what the exporter's thread knows of both is old then.
        #[test]
        fn times_begin_with_the_invocation_whatever_the_clocks_did_before() {
            const HOUR: u64 = 3_600_000_000;
            let (recorder, captured) = Recorder::in_memory();
            // The exporter's thread takes its readings.
            recorder.begin_segment("before").end();
            captured.clear();
            let mut facade = Facade::new();
            facade.unix_micros += HOUR;
            let begun = facade.unix_micros;
            let mut root = open_as(Arc::clone(&recorder.core), TraceHeader::parse(HEADER), facade);
            root.resume();
            let outer = begin_subsegment("outer");
            in_subsegment("inner", || std::thread::sleep(std::time::Duration::from_millis(2)));
            outer.end();
            root.close();
            let documents = captured.documents();
            assert_eq!(documents.len(), 2);
            for document in &documents {
                let (start, end) = (micros(document, "start_time"), micros(document, "end_time"));
                assert!(begun <= start && start + 2_000 <= end && end < begun + HOUR, "{begun} {document}");
            }
            // Others go on by the clocks of now.
            recorder.begin_segment("after").end();
            assert!(micros(captured.segment("after").json(), "start_time") < begun);
        }

        /// Invocation after invocation leaves something running.
        #[test]
        fn nothing_is_kept_of_invocations_whose_background_has_ended() {
            let (recorder, captured) = Recorder::in_memory();
            for left in [false, true] {
                captured.clear();
                let mut root = open(Arc::clone(&recorder.core), TraceHeader::parse(HEADER));
                root.resume();
                let background = in_subsegment("handler", || begin_subsegment("background"));
                if !left {
                    drop(background);
                    root.close();
                    continue;
                }
                root.close();
                assert!(captured.entity("background").is_in_progress());
                captured.clear();
                // On a thread where nothing is current.
                std::thread::spawn(move || drop(background)).join().unwrap();
                assert!(!captured.entity("background").is_in_progress());
            }
            assert_eq!(recorder.core.wake.pending_trees(), 0);
            let stats = recorder.stats();
            assert_eq!((stats.pending, stats.dropped(), stats.late_facts), (0, 0, 0), "{stats:?}");
        }

        /// The same where it goes on with subsegments of its own.
        #[test]
        fn nor_where_it_has_begun_more() {
            use crate::FutureExt;
            let (recorder, captured) = Recorder::in_memory();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut root = open(Arc::clone(&recorder.core), TraceHeader::parse(HEADER));
            root.resume();
            let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
            let work = async move {
                let _ = wait.await;
                in_subsegment("late", || ());
                in_subsegment("later", || ());
            };
            let mut work = Box::pin(work.in_current_segment());
            // It waits, attached to no thread.
            let _ = runtime.block_on(async { futures_util::poll!(work.as_mut()) });
            root.close();
            captured.documents();
            go_on.send(()).unwrap();
            runtime.block_on(work);
            assert_eq!(captured.documents().len(), 2);
            assert_eq!(recorder.core.wake.pending_trees(), 0);
        }
    }
}

#[cfg(feature = "lambda")]
pub(crate) use open::{invocation_of, open};
