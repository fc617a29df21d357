//! Segments: the part of a trace that one service does.

use std::borrow::Cow;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::panicking;

use crate::capture::unwound;
use crate::context;
use crate::entity::Entity;
use crate::error::Certain;
use crate::future::InSegment;
use crate::late_keep::Keeper;
use crate::record::{FIRST, Fact, NO_PARENT, Record, UNSAMPLED, flag};
use crate::recorder::{Core, current_core};
use crate::root::Root;
use crate::sampling::SamplingRequest;
use crate::scope::Scope;
use crate::trace_header::{Sampled, TraceHeader, response_header};
use crate::trace_id::TraceId;
use crate::tree::{Decision, Tree};

/// Describes a segment before it begins. Made by [`Recorder::segment`](crate::Recorder::segment) and
/// [`Recorder::request_segment`](crate::Recorder::request_segment).
///
/// ```
/// use xray_runtime::{AllSampler, Recorder, TraceHeader};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let recorder = Recorder::builder().service("orders").sampler(AllSampler).build()?;
/// let header = TraceHeader::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1");
/// let segment = recorder.segment("consumer").trace_header(header).begin();
/// assert_eq!(segment.trace_id().map(|id| id.to_string()), Some("1-5759e988-bd862e3fe1be46a994272793".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the segment begins with `begin()` or `instrument(..)`"]
pub struct SegmentBuilder<'a> {
    core: Arc<Core>,
    name: Option<Cow<'static, str>>,
    header: Option<TraceHeader>,
    request: SamplingRequest<'a>,
    skipped: bool,
}

impl<'a> SegmentBuilder<'a> {
    pub(crate) fn new(core: Arc<Core>, name: Option<Cow<'static, str>>) -> Self {
        Self { core, name, header: None, request: SamplingRequest::new(), skipped: false }
    }

    /// The header that came with the request, message or job: its trace goes on.
    pub fn trace_header(mut self, header: TraceHeader) -> Self {
        self.header = Some(header);
        self
    }

    /// What sampling rules and dynamic naming look at.
    pub fn request<'r>(self, request: SamplingRequest<'r>) -> SegmentBuilder<'r> {
        let Self { core, name, header, skipped, .. } = self;
        SegmentBuilder { core, name, header, request, skipped }
    }

    /// Makes none of it: see [`RecorderBuilder::skip_path`](crate::RecorderBuilder::skip_path).
    #[cfg(any(feature = "actix", feature = "tower"))]
    pub(crate) fn skip(mut self, skip: bool) -> Self {
        self.skipped |= skip;
        self
    }

    /// Begins the segment on this thread and makes it current.
    pub fn begin(self) -> Segment {
        let root = self.enter();
        let entity = match &root {
            Some(root) => Entity::new(context::current(), Some(Arc::clone(&root.tree))),
            None => Entity::new(crate::record::NONE, None),
        };
        Segment { entity, root, not_send: PhantomData }
    }

    /// Begins the segment, and makes it current whenever `future` is polled. It ends with the future.
    pub fn instrument<F: Future>(self, future: F) -> InSegment<F> {
        InSegment::new(future, self.scope())
    }

    pub(crate) fn scope(self) -> Scope {
        match self.open() {
            Some(root) => Scope::root(root),
            None => Scope::off(),
        }
    }

    /// Begins the segment and attaches it to this thread.
    pub(crate) fn enter(self) -> Option<Root> {
        let mut root = self.open()?;
        root.resume();
        Some(root)
    }

    /// As [`enter`](Self::enter), for a segment that began before its recorder was there.
    pub(crate) fn enter_since(self, start: u64, flags: u32) -> Option<Root> {
        let root = self.enter()?;
        context::with_chunk(root.key, |chunk| {
            if let Some(record) = chunk.record_mut(root.key) {
                record.start = start;
                record.flags |= flags;
            }
        });
        Some(root)
    }

    /// Begins the segment, on no thread yet. None where the recorder is disabled.
    pub(crate) fn open(self) -> Option<Root> {
        let Self { core, name, header, request, skipped } = self;
        if !core.is_enabled() {
            return None;
        }
        if skipped || core.settings.skips(request.url_path) {
            return Some(skip(core, header));
        }
        #[cfg(feature = "plugins")]
        if let Some(plugins) = &core.plugins {
            plugins.start();
        }
        crate::panic::forget_old();
        let name: Cow<'static, str> = name.unwrap_or_else(|| match core.naming.choose(request.host) {
            chosen if chosen == core.settings.service => core.settings.service.clone(),
            chosen => Cow::Owned(chosen.to_owned()),
        });
        #[cfg(feature = "lambda")]
        {
            if let Some(tree) = crate::facade::invocation_of(&core) {
                return Some(Root::below(tree, name));
            }
            if core.settings.in_lambda {
                core.counts.warn_once(|| {
                    format!("the segment {name:?} is not recorded: in AWS Lambda there are subsegments of invocations only")
                });
                return Some(skip(core, header));
            }
        }
        // A parent of another trace would make an orphan: without a valid root it is not adopted.
        let root_id = header.as_ref().and_then(TraceHeader::trace_id);
        let parent_id = root_id.and(header.as_ref()).and_then(TraceHeader::parent_id);
        let mut rule = None;
        let of_caller = header.as_ref().map(TraceHeader::sampled);
        let sampled = match of_caller {
            Some(Sampled::Sampled) => true,
            Some(Sampled::NotSampled) => false,
            _ => match &core.sampler {
                None => true,
                Some(sampler) => {
                    let decision = sampler.decide(&SamplingRequest {
                        service_name: request.service_name.or(Some(&name)),
                        service_type: request.service_type.or_else(|| core.origin()),
                        ..request
                    });
                    rule = decision.rule_name;
                    decision.sampled
                }
            },
        };
        core.counts.segments.fetch_add(1, Relaxed);
        let trace_id = root_id.unwrap_or_else(TraceId::generate);
        let decision = match sampled {
            true => Decision::Sampled,
            false => {
                core.counts.unsampled.fetch_add(1, Relaxed);
                match &core.late_keep {
                    None => Decision::NotSampled,
                    Some(keeper) => undecided(&core, keeper, of_caller == Some(Sampled::NotSampled)),
                }
            }
        };
        let tree = Arc::new(Tree::new(core, trace_id, parent_id, header, decision));
        let mut chunk = tree.first_chunk();
        if !tree.sampled {
            return Some(Root::new(UNSAMPLED, tree, chunk));
        }
        let (record_name, owned) = match name {
            Cow::Borrowed(name) => (name, None),
            Cow::Owned(name) => ("", Some(name)),
        };
        if !sampled {
            // That of a sampler which said no sampled nothing.
            rule = None;
        }
        let flags = if owned.is_some() || rule.is_some() { flag::FACTS } else { 0 };
        let start = chunk.clock.ticks();
        chunk.records.push(Record { name: record_name, start, end: 0, parent: NO_PARENT, flags });
        chunk.open = 1;
        let facts =
            owned.map(|name| Fact::Name(Cow::Owned(name))).into_iter().chain(rule.map(Fact::SamplingRule));
        chunk.notes.extend(facts.map(|fact| crate::record::Note { index: 0, fact }));
        let is_plain = tree.core.is_plain;
        let root = Root::new(tree.key(0), tree, chunk);
        Some(if is_plain { root } else { root.begun(start) })
    }
}

/// What becomes of a segment that is not sampled, where some are kept.
#[cold]
fn undecided(core: &Core, keeper: &Keeper, by_caller: bool) -> Decision {
    if by_caller && !keeper.rules.despite_caller {
        return Decision::NotSampled;
    }
    if keeper.open() {
        return Decision::Undecided;
    }
    core.counts.late_over_limit.fetch_add(1, Relaxed);
    Decision::NotSampled
}

/// In the place of a segment: nothing is recorded, nothing is missing, and the header goes on as it came.
#[cold]
fn skip(core: Arc<Core>, header: Option<TraceHeader>) -> Root {
    let trace_id = header.as_ref().and_then(TraceHeader::trace_id).unwrap_or_else(TraceId::generate);
    let tree = Arc::new(Tree::new(core, trace_id, None, header, Decision::Skipped));
    let chunk = tree.first_chunk();
    Root::new(UNSAMPLED, tree, chunk)
}

/// A segment that is current on this thread until it is dropped or [ended](Self::end). For sync code: it cannot be
/// sent to another thread, and held over an `.await` it would stay current in other tasks of the thread.
///
/// It dereferences to its [`Entity`].
#[derive(Debug)]
#[must_use = "the segment ends when this is dropped"]
pub struct Segment {
    entity: Entity,
    root: Option<Root>,
    not_send: PhantomData<*const ()>,
}

impl Segment {
    /// Ends the segment, and hands it to the exporter once what is open below it has ended.
    pub fn end(self) {}

    /// The value of the header `X-Amzn-Trace-Id` for the response; none where nothing is recorded at all, or
    /// the path is [skipped](crate::RecorderBuilder::skip_path).
    pub fn response_header(&self) -> Option<String> {
        let tree = &self.root.as_ref()?.tree;
        if tree.decision == Decision::Skipped {
            return None;
        }
        Some(response_header(tree.trace_id, tree.incoming.as_ref(), tree.tells_sampled()))
    }
}

impl std::ops::Deref for Segment {
    type Target = Entity;

    fn deref(&self) -> &Entity {
        &self.entity
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if let Some(root) = self.root.take() {
            if panicking() && root.key >= FIRST {
                unwound(root.key, Certain::No);
            }
            root.close();
        }
    }
}

/// Begins a segment of the recorder in force on this thread and makes it current until the guard ends.
///
/// For sync code; async code uses [`FutureExt::in_segment`](crate::FutureExt::in_segment) or the attribute's
/// `segment`. Where no recorder is installed nothing is recorded.
pub fn begin_segment(name: impl Into<Cow<'static, str>>) -> Segment {
    match current_core() {
        Some(core) => SegmentBuilder::new(core, Some(name.into())).begin(),
        None => Segment { entity: Entity::new(crate::record::NONE, None), root: None, not_send: PhantomData },
    }
}

/// Runs `f` in a segment.
pub fn in_segment<R>(name: impl Into<Cow<'static, str>>, f: impl FnOnce() -> R) -> R {
    let segment = begin_segment(name);
    let value = f();
    segment.end();
    value
}
