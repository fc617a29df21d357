//! `XRayTracing`: spans of `tracing` become subsegments, events of level `ERROR` their causes. `XRayFormat`: the trace's id on
//! each line of a log.

mod entered;
mod fields;
mod format;
mod selection;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use self::entered::Named;
use self::fields::{EventVisitor, Fields, SpanVisitor};
pub use self::format::XRayFormat;
use self::selection::{Selection, is_own};
use crate::context;
use crate::entity::{Entity, current};
use crate::record::{FIRST, Key, NONE, same_tree};
use crate::tree::Tree;

/// A layer of `tracing-subscriber` that turns spans, those of libraries above all, into subsegments, and events of level `ERROR` into
/// causes.
///
/// A span is a subsegment of its parent span's; where that is none, of what is current where the span is made. It begins there, ends when the span
/// closes (with its last clone), and is current on each thread that has entered it: what captured functions and guards begin
/// there stands below it, and `.instrument(..)` carries it over awaits, tasks and threads. Where no segment is current, or it is not
/// sampled, a span costs a branch. A span with `parent: None` says that it does not belong to what is current, and is left out.
///
/// | of a span or event | becomes |
/// |---|---|
/// | fields, also those of a later `record` | metadata, in a namespace named as the target: numbers and `bool`s as they are, all else as text |
/// | fields named by [`annotate`](Self::annotate) | annotations |
/// | `otel.name`; `otel.kind = "client"` or `"producer"`; `otel.status_code = "ERROR"` | the name; the namespace `remote`; `fault` |
/// | `http.request.method`, `url.full` (without user, query and fragment), `user_agent.original`, `http.response.status_code`, or `http.method`, `http.url`, `http.user_agent`, `http.status_code`, where `annotate` does not name them | the block `http`, and the flags of the status; what is said of the request is said at once, a later `record` replaces it |
/// | `follows_from` a span of the same segment | `precursor_ids` |
/// | an event of level `ERROR` | `fault` and a cause of the subsegment that is current: the event's error with its sources where it is a value (`error = &e as &dyn Error`), the text of its field `error` or `err` (`%e`, `?e`, that of `#[instrument(err)]`), else its message; its other fields as those of a span |
/// | the fields `log.*` of an event that was a record of the crate `log` | type and place of the cause |
/// | a panic that leaves a span which was entered before it | `fault` and the panic |
///
/// An error that a captured function returns after it was an event is recorded once, and so is one that passes several spans. A text of a
/// field is cut at 4,096 characters; the limits of [`Entity`] hold. Spans and events of this crate and of `rollbar-runtime` are passed over,
/// and no segment is current where they export: what an exporter's own client says of itself is not recorded.
///
/// ```
/// use tracing_subscriber::prelude::*;
/// use xray_runtime::{Recorder, XRayTracing, in_segment};
///
/// let subscriber = tracing_subscriber::registry().with(XRayTracing::new().annotate(["http.route"]));
/// let (recorder, captured) = Recorder::in_memory();
/// tracing::subscriber::with_default(subscriber, || {
///     recorder.enter(|| in_segment("request", || {
///         let _span = tracing::info_span!(target: "shop", "cart", http.route = "/cart/{id}", items = 3).entered();
///         let error = "12,5".parse::<f64>().unwrap_err();
///         tracing::error!(error = &error as &dyn std::error::Error, "no price");
///     }));
/// });
/// let cart = captured.segment("request").subsegment("cart");
/// assert_eq!(cart.annotation("http_route"), Some("/cart/{id}".into()));
/// assert_eq!(cart.metadata("shop", "items"), Some(3.into()));
/// assert!(cart.is_fault());
/// assert_eq!(cart.exceptions(), ["invalid float literal"]);
/// ```
///
/// # Which spans
///
/// Those of level `INFO` and more severe ones; [`with_target`](Self::with_target) and [`max_level`](Self::max_level) choose others. Filters of
/// `tracing-subscriber` work as with any layer (`XRayTracing::new().with_filter(..)`), and do more: a span that no layer's filter wants is
/// switched off where it stands, while without one every span of the program is made, those of `TRACE` too, to be
/// passed over here.
///
/// To choose others while the program runs, put a filter that can be reloaded round the layer
/// (`with_filter` and `tracing_subscriber::reload`): spans that are open go on. Where the layer itself is taken out, its
/// subsegments end with their spans; but a thread that is inside a span at that moment may stay there until its segment ends.
///
/// A span that outlives its segment by far (a connection's, that of a task in the background) keeps the segment waiting for
/// 30 s, as any open subsegment does: leave its target out.
#[derive(Clone, Debug, Default)]
pub struct XRayTracing {
    selection: Selection,
    fields: Fields,
    causes: Causes,
    serial: Serial,
}

/// The level of the events that are causes.
#[derive(Clone, Debug)]
struct Causes(LevelFilter);

impl Default for Causes {
    fn default() -> Self {
        Self(LevelFilter::ERROR)
    }
}

/// Tells the layers of a process apart.
#[derive(Debug)]
struct Serial(u64);

impl Default for Serial {
    fn default() -> Self {
        // 0 is of none.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Relaxed))
    }
}

/// A copy of a layer is another layer.
impl Clone for Serial {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl XRayTracing {
    /// A layer for all spans of level `INFO` and more severe ones.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the spans whose target begins with `prefix`, up to this level. Of several prefixes that fit the longest counts. Once a target
    /// is named, spans of others are taken only where [`max_level`](Self::max_level) says so.
    ///
    /// ```
    /// use tracing::Level;
    /// use xray_runtime::XRayTracing;
    ///
    /// // Those of sqlx and of tonic, no others.
    /// let layer = XRayTracing::new().with_target("sqlx", Level::DEBUG).with_target("tonic", Level::INFO);
    /// // All of level INFO, but none of hyper.
    /// let layer = XRayTracing::new()
    ///     .max_level(Level::INFO)
    ///     .with_target("hyper", tracing::level_filters::LevelFilter::OFF);
    /// ```
    #[must_use]
    pub fn with_target(mut self, prefix: impl Into<String>, level: impl Into<LevelFilter>) -> Self {
        self.selection.add(prefix.into(), level.into());
        self
    }

    /// Takes the spans of the targets that are not named up to this level; else `INFO` where no target is named, `OFF` where one is.
    #[must_use]
    pub fn max_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.selection.others = Some(level.into());
        self
    }

    /// Fields of these names are annotations, which filters find, and no metadata. Characters that a key may not have become `_`:
    /// `http.route` is found as `annotation.http_route`. May be called more than once.
    #[must_use]
    pub fn annotate<N: Into<String>>(mut self, fields: impl IntoIterator<Item = N>) -> Self {
        self.fields.annotated.extend(fields.into_iter().map(|name| name.into().into_boxed_str()));
        self
    }

    /// Events of this level and of more severe ones are causes, whatever their target; else those of `ERROR`. `OFF` leaves all events alone.
    #[must_use]
    pub fn causes(mut self, level: impl Into<LevelFilter>) -> Self {
        self.causes = Causes(level.into());
        self
    }
}

/// The subsegment of a span, among the span's extensions. It stays there when it has ended, so that what other layers say of the
/// closed span still finds it.
struct Recorded {
    entity: Entity,
    ended: AtomicBool,
}

impl Recorded {
    fn new(entity: Entity) -> Self {
        Self { entity, ended: AtomicBool::new(false) }
    }
}

/// The span closed and nobody told: the layer was taken out of the subscriber meanwhile.
impl Drop for Recorded {
    fn drop(&mut self) {
        if !*self.ended.get_mut() {
            entered::close(self.entity.key(), || self.entity.tree().cloned());
        }
    }
}

/// Of the subsegment of a span. While `read` runs, the span is locked.
fn with_recorded<'a, R, T>(span: &SpanRef<'a, R>, read: impl FnOnce(&Recorded) -> T) -> Option<T>
where
    R: LookupSpan<'a>,
{
    span.extensions().get().map(read)
}

/// The subsegment of a span.
fn recorded<'a, R>(span: &SpanRef<'a, R>) -> Option<Entity>
where
    R: LookupSpan<'a>,
{
    with_recorded(span, |recorded| recorded.entity.clone())
}

/// The subsegment of a span, and its tree where that is not current on this thread.
fn key_and_tree(recorded: &Recorded) -> (Key, Option<Arc<Tree>>) {
    let key = recorded.entity.key();
    let tree = recorded.entity.tree().filter(|_| !same_tree(key, context::current()));
    (key, tree.cloned())
}

/// The subsegment of a span, or of the nearest one round it that has one.
fn nearest<'a, R>(span: SpanRef<'a, R>) -> Option<Entity>
where
    R: LookupSpan<'a>,
{
    span.scope().find_map(|span| recorded(&span))
}

impl XRayTracing {
    fn named(&self, id: &Id) -> Named {
        Named { layer: self.serial.0, id: id.into_u64() }
    }
}

impl<S> Layer<S> for XRayTracing
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let key = self.begin(attributes, id, &context);
        entered::made(self.named(id), key.unwrap_or(NONE));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(entity) = recorded(&span) {
            SpanVisitor::visit(&self.fields, &entity, span.metadata(), |visitor| values.record(visitor));
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        let (Some(span), Some(before)) = (context.span(id), context.span(follows)) else { return };
        if let (Some(entity), Some(before)) = (recorded(&span), recorded(&before))
            && same_tree(entity.key(), before.key())
            && let Some(id) = before.id()
        {
            entity.add_precursor_id(id);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > self.causes.0 || event.is_root() || is_own(metadata.target()) {
            return;
        }
        let parent = event.parent().and_then(|id| nearest(context.span(id)?));
        let entity = parent.unwrap_or_else(current);
        if entity.is_recorded() {
            EventVisitor::visit(&self.fields, &entity, event);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let span = self.named(id);
        match entered::latest(span) {
            Some(NONE) => {}
            Some(key) if same_tree(key, context::current()) => entered::enter(span, key, None),
            _ => {
                let found = context.span(id).and_then(|span| with_recorded(&span, key_and_tree));
                if let Some((key, tree)) = found {
                    entered::enter(span, key, tree);
                }
            }
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let span = self.named(id);
        entered::exit(span, || match context.span(id) {
            Some(span) => with_recorded(&span, |recorded| recorded.entity.key()),
            None => entered::key_of(span),
        });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if entered::latest(self.named(&id)) == Some(NONE) {
            return;
        }
        let Some(span) = context.span(&id) else { return };
        let open = with_recorded(&span, |recorded| {
            (!recorded.ended.swap(true, Relaxed)).then(|| recorded.entity.key())
        });
        if let Some(key) = open.flatten() {
            entered::close(key, || recorded(&span)?.tree().cloned());
        }
    }
}

impl XRayTracing {
    /// Begins the subsegment of a new span, where it has one.
    fn begin<S>(&self, attributes: &Attributes<'_>, id: &Id, context: &Context<'_, S>) -> Option<Key>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let explicit = attributes.parent();
        if explicit.is_none() && (context::current() < FIRST || attributes.is_root()) {
            return None;
        }
        let metadata = attributes.metadata();
        if !self.selection.takes(metadata) {
            return None;
        }
        let parent = explicit.and_then(|id| nearest(context.span(id)?));
        let span = context.span(id)?;
        // Another layer of this type has it.
        if with_recorded(&span, |_| ()).is_some() {
            return None;
        }
        let entity = entered::begin(fields::literal_name(metadata), parent.as_ref())?;
        let key = entity.key();
        self.fields.begin(&entity, metadata);
        if !attributes.is_empty() {
            SpanVisitor::visit(&self.fields, &entity, metadata, |visitor| attributes.record(visitor));
        }
        span.extensions_mut().replace(Recorded::new(entity));
        Some(key)
    }
}
