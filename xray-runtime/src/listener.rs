//! Listeners: code of the user's that is told when segments begin and end, and subsegments where it asks for them.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Debug;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::clock::Clock;
use crate::context;
use crate::entity::Entity;
use crate::record::{Chunk, Fact, Key, Note, Record, flag, index_of};
use crate::tree::Tree;

/// Is told when segments begin and end. Given to [`RecorderBuilder::listener`](crate::RecorderBuilder::listener).
///
/// It is the `SegmentListener` of X-Ray's SDK for Java, with one method for segments and subsegments where that has two, and
/// without `onSetEntity`.
///
/// Its methods run on the thread that records, in the order in which the listeners were given; all do nothing by
/// default. They should be quick: the program waits for them, though what they take is no part of what they are told of. A
/// panic in one is caught and counted ([`Stats::listener_panics`](crate::Stats::listener_panics)). What a listener records by
/// itself is told to no listener. Of segments that are not recorded nobody is told; of those that [late keep](crate::LateKeep)
/// has recorded they are, whether these are kept or not.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
/// use xray_runtime::{Observed, Recorder, SegmentListener, begin_segment, in_subsegment};
///
/// /// Marks each segment with the release, and keeps how long the steps took.
/// #[derive(Debug, Default)]
/// struct Release(Arc<Mutex<Vec<(String, Duration)>>>);
///
/// impl SegmentListener for Release {
///     fn on_begin(&self, begun: &Observed<'_>) {
///         if begun.is_segment() {
///             begun.put_annotation("release", "2026-11");
///         }
///     }
///
///     fn after_end(&self, ended: &Observed<'_>) {
///         let name = ended.name().unwrap_or("?").to_owned();
///         self.0.lock().unwrap().push((name, ended.duration().unwrap_or_default()));
///     }
///
///     fn hears_subsegments(&self) -> bool {
///         true
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let took = Arc::default();
/// let (recorder, captured) = Recorder::builder().listener(Release(Arc::clone(&took))).in_memory()?;
/// recorder.enter(|| {
///     let _segment = begin_segment("checkout");
///     in_subsegment("charge", || ());
/// });
/// assert_eq!(captured.segment("checkout").annotation("release"), Some("2026-11".into()));
/// let names: Vec<String> = took.lock().unwrap().iter().map(|(name, _)| name.clone()).collect();
/// assert_eq!(names, ["charge", "checkout"]);
/// # Ok(())
/// # }
/// ```
pub trait SegmentListener: Send + Sync + Debug {
    /// It has begun. What is said of it here is recorded.
    fn on_begin(&self, begun: &Observed<'_>) {
        let _ = begun;
    }

    /// It is about to end: the last that can be said of it is said here.
    fn before_end(&self, ending: &Observed<'_>) {
        let _ = ending;
    }

    /// It has ended. What is said of it here is no longer recorded, and counted as
    /// [`after_end`](crate::Stats::after_end).
    fn after_end(&self, ended: &Observed<'_>) {
        let _ = ended;
    }

    /// Whether it is told of subsegments too. Asked once, when the recorder is built. Default: no. Recorders without such a
    /// listener record subsegments as fast as those without any.
    fn hears_subsegments(&self) -> bool {
        false
    }
}

/// The segment or subsegment that a listener is told of. It dereferences to its [`Entity`].
#[derive(Debug)]
pub struct Observed<'a> {
    entity: &'a Entity,
    name: Option<&'a str>,
    duration: Option<Duration>,
    flags: u32,
}

impl Observed<'_> {
    /// Its name, as it was given. None for a subsegment whose record is out of reach: one that ends on another thread than it
    /// began on, or after it was sent ahead.
    pub fn name(&self) -> Option<&str> {
        self.name
    }

    /// Whether it is a segment, and no subsegment.
    pub fn is_segment(&self) -> bool {
        index_of(self.entity.key()) == 0
    }

    /// How long it took, without the listeners; none before it has ended, or where the name is out of reach.
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// Failed for a reason of its own, as far as is known here.
    pub fn is_fault(&self) -> bool {
        self.flags & flag::FAULT != 0
    }

    /// Failed for a reason of its caller's, as far as is known here.
    pub fn is_error(&self) -> bool {
        self.flags & flag::ERROR != 0
    }

    /// Was throttled, as far as is known here.
    pub fn is_throttle(&self) -> bool {
        self.flags & flag::THROTTLE != 0
    }
}

impl Deref for Observed<'_> {
    type Target = Entity;

    fn deref(&self) -> &Entity {
        self.entity
    }
}

/// What a listener is told.
#[derive(Clone, Copy, Debug)]
enum Event {
    Begun,
    Ending,
    Ended,
}

/// The listeners of one recorder.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    all: Vec<Listening>,
    subsegments: bool,
}

#[derive(Debug)]
struct Listening {
    listener: Box<dyn SegmentListener>,
    subsegments: bool,
}

thread_local! {
    /// A listener runs on this thread: what it records is told to nobody, or it would be told of itself without an end.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

impl Listeners {
    pub(crate) fn new(listeners: Vec<Box<dyn SegmentListener>>) -> Self {
        let all: Vec<Listening> = listeners
            .into_iter()
            .map(|listener| {
                let asked = catch_unwind(AssertUnwindSafe(|| listener.hears_subsegments()));
                Listening { subsegments: asked.unwrap_or_default(), listener }
            })
            .collect();
        Self { subsegments: all.iter().any(|one| one.subsegments), all }
    }

    /// Whether segments are told to nobody.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one of them hears of subsegments.
    pub(crate) fn hear_subsegments(&self) -> bool {
        self.subsegments
    }
}

/// What is known of an entity beside its handle.
#[derive(Debug, Default)]
pub(crate) struct Known {
    record: Option<Record>,
    pub(crate) name: Option<Cow<'static, str>>,
}

/// Tells the listeners of the tree. What is current on the thread is the same after it.
fn tell(tree: &Arc<Tree>, key: Key, event: Event, known: &Known, end: Option<u64>) {
    if TELLING.try_with(|telling| telling.replace(true)) != Ok(false) {
        return;
    }
    let entity = Entity::new(key, Some(Arc::clone(tree)));
    let current = context::current();
    let took = |end| known.record.as_ref().map(|record| Clock::new().between(record.start, end));
    let observed = Observed {
        entity: &entity,
        name: known.name.as_deref(),
        duration: end.and_then(took),
        flags: known.record.as_ref().map_or(0, |record| record.flags),
    };
    let core = &tree.core;
    for Listening { listener, subsegments } in &core.listeners.all {
        if !subsegments && !observed.is_segment() {
            continue;
        }
        let told = catch_unwind(AssertUnwindSafe(|| match event {
            Event::Begun => listener.on_begin(&observed),
            Event::Ending => listener.before_end(&observed),
            Event::Ended => listener.after_end(&observed),
        }));
        if told.is_err() {
            core.counts.listener_panics.fetch_add(1, Relaxed);
            core.counts.warn_once(|| "a listener panicked".into());
        }
    }
    // A guard that a listener forgot must not become the parent of what follows.
    if context::with_chunk(current, |_| ()).is_some() {
        context::set_current(current);
    }
    let _ = TELLING.try_with(|telling| telling.set(false));
}

/// An entity has begun; it is current on this thread.
#[cold]
#[inline(never)]
pub(crate) fn begun(tree: &Arc<Tree>, key: Key) {
    tell(tree, key, Event::Begun, &context::known(key), None);
}

/// Ends a segment by `end`, and tells of it before and after.
#[cold]
#[inline(never)]
pub(crate) fn end_segment(tree: &Arc<Tree>, key: Key, end: impl FnOnce()) {
    let ticks = Clock::new().ticks();
    tell(tree, key, Event::Ending, &context::known(key), None);
    end();
    // What the listeners took is not the segment's.
    context::with_chunk(key, |chunk| {
        if let Some(record) = chunk.record_mut(key)
            && record.end != 0
        {
            record.end = ticks;
        }
    });
    tell(tree, key, Event::Ended, &context::known(key), Some(ticks));
}

/// Ends a subsegment of the tree that is current on this thread, and tells of it before and after.
///
/// Where it has `ended_now`, its record has ended a moment ago, with its flags: it is opened again for the time of the listeners.
#[cold]
#[inline(never)]
pub(crate) fn end_subsegment(tree: &Arc<Tree>, key: Key, flags: u32, ended_now: bool) {
    let Some(ticks) = context::reopen(key, ended_now) else {
        // It has ended long ago, or is of another tree: what happens then is nobody's news.
        return context::end_at(key, flags, None);
    };
    tell(tree, key, Event::Ending, &context::known(key), None);
    let mut known = context::known(key);
    if let Some(record) = &mut known.record {
        record.flags |= flags;
    }
    context::end_at(key, flags, Some(ticks));
    tell(tree, key, Event::Ended, &known, Some(ticks));
}

/// Ends a subsegment by `end` whose tree is not current on this thread, and tells of it before and after.
#[cold]
#[inline(never)]
pub(crate) fn end_from_afar(tree: &Arc<Tree>, key: Key, ticks: u64, end: impl FnOnce()) {
    tell(tree, key, Event::Ending, &tree.known(key), None);
    let known = tree.known(key);
    end();
    tell(tree, key, Event::Ended, &known, Some(ticks));
}

impl Chunk {
    /// What is known of an entity of this chunk.
    pub(crate) fn known(&self, key: Key) -> Known {
        let Some(record) = self.record(key).copied() else { return Known::default() };
        let given = |note: &Note| match &note.fact {
            Fact::Name(name) if note.index == index_of(key) => Some(name.clone()),
            _ => None,
        };
        let name = match record.name {
            "" => self.notes.iter().rev().find_map(given),
            name => Some(Cow::Borrowed(name)),
        };
        Known { record: Some(record), name }
    }
}
