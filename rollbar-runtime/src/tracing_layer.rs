//! `RollbarTracing`: events of `tracing` become items and telemetry.

use std::error::Error;
use std::fmt::Debug;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::Level;
use crate::log_event::{Fields, LogEvent, is_own, is_wanted};
use crate::occurrence::Place;
use crate::report::guarded;

/// Spans round an event that an item tells of: the innermost.
const MAX_SPANS: usize = 32;

/// A layer of `tracing-subscriber` that reports events of level `ERROR` to the client in force, and notes those of `WARN` and
/// `INFO` as telemetry: what happened before the next item of the scope. `DEBUG` and `TRACE` are passed over.
///
/// An event with a field that is an error (`error = &e as &dyn Error`) is reported as that error with its causes; an annotated
/// function that returns the error afterwards does not report it again. Any other is a message. Its fields are the item's custom
/// values; names and fields of its spans are the custom value `span`, and the names are the context where the scope has none. The
/// place is that of the event.
///
/// Events of this crate, and those that come of sending items, are passed over. Where the program has the panic hook of
/// [`install`](crate::RollbarBuilder::install), do not let another hook turn panics into events: each would be two items.
///
/// ```
/// use rollbar_runtime::{Rollbar, RollbarTracing};
/// use tracing_subscriber::prelude::*;
///
/// let (rollbar, captured) = Rollbar::in_memory();
/// let subscriber = tracing_subscriber::registry().with(RollbarTracing::new());
/// tracing::subscriber::with_default(subscriber, || {
///     rollbar.enter(|| {
///         tracing::info!(cart = 7, "paying");
///         let error = "12,5".parse::<f64>().unwrap_err();
///         tracing::error!(error = &error as &dyn std::error::Error, cart = 7, "cannot pay");
///     });
/// });
/// let item = captured.only();
/// assert_eq!(item.message(), Some("invalid float literal"));
/// assert_eq!(item.json()["custom"]["cart"], 7);
/// assert_eq!(item.json()["body"]["telemetry"][0]["body"]["message"], "paying");
/// ```
#[derive(Clone, Debug)]
pub struct RollbarTracing {
    report: LevelFilter,
    telemetry: LevelFilter,
}

impl Default for RollbarTracing {
    fn default() -> Self {
        Self::new()
    }
}

impl RollbarTracing {
    /// A layer with the usual levels.
    pub fn new() -> Self {
        Self { report: LevelFilter::ERROR, telemetry: LevelFilter::INFO }
    }

    /// Events of this level and of more severe ones are items; else those of `ERROR`.
    ///
    /// ```
    /// use tracing::level_filters::LevelFilter;
    ///
    /// let layer = rollbar_runtime::RollbarTracing::new().report(LevelFilter::WARN);
    /// ```
    #[must_use]
    pub fn report(mut self, level: impl Into<LevelFilter>) -> Self {
        self.report = level.into();
        self
    }

    /// Events of this level and of more severe ones that are no items are telemetry; else those of `INFO`.
    #[must_use]
    pub fn telemetry(mut self, level: impl Into<LevelFilter>) -> Self {
        self.telemetry = level.into();
        self
    }
}

/// The fields of a span, where it has any.
struct SpanFields(Fields);

impl<S> Layer<S> for RollbarTracing
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.is_empty() || is_own(attributes.metadata().target()) || !is_wanted() {
            return;
        }
        let mut fields = Fields::default();
        guarded(|| attributes.record(&mut Visitor::new(&mut fields)));
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if is_own(span.metadata().target()) || !is_wanted() {
            return;
        }
        // The values' code runs while nothing is locked.
        let mut new = Fields::default();
        guarded(|| values.record(&mut Visitor::new(&mut new)));
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<SpanFields>() {
            Some(SpanFields(fields)) => {
                for (name, value) in new.values {
                    fields.put(&name, value);
                }
            }
            None => extensions.insert(SpanFields(new)),
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let is_item = *metadata.level() <= self.report;
        if !is_item && *metadata.level() > self.telemetry || is_own(metadata.target()) || !is_wanted() {
            return;
        }
        let mut fields = Fields::default();
        let mut visitor = Visitor::new(&mut fields);
        guarded(|| event.record(&mut visitor));
        let Origin { target, file, line } = visitor.origin;
        if target.as_deref().is_some_and(is_own) {
            return;
        }
        let place = match (file, metadata.file()) {
            (Some(file), _) => Some(Place { file: file.into(), line: line.unwrap_or(0), method: None }),
            (None, Some(file)) => {
                Some(Place { file: file.into(), line: metadata.line().unwrap_or(0), method: None })
            }
            (None, None) => None,
        };
        let target = target.as_deref().unwrap_or(metadata.target());
        let event_of = LogEvent { level: Level::from(metadata.level()), target, place, fields };
        if is_item {
            event_of.report(spans(event, &context));
        } else {
            event_of.note();
        }
    }
}

/// The names of the spans that the event is in, outermost first, and their fields; an inner span's stands before an outer's.
fn spans<S>(event: &Event<'_>, context: &Context<'_, S>) -> Option<(String, Map<String, Value>)>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut names = Vec::new();
    let mut fields = Map::new();
    for span in context.event_span(event)?.scope().take(MAX_SPANS) {
        names.push(span.name());
        if let Some(SpanFields(known)) = span.extensions().get() {
            for (name, value) in &known.values {
                if !fields.contains_key(name) {
                    fields.insert(name.clone(), value.clone());
                }
            }
        }
    }
    names.reverse();
    Some((names.join(":"), fields))
}

/// Where a record of the crate `log` is from, which `tracing-log` made an event of.
#[derive(Default)]
struct Origin {
    target: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

struct Visitor<'a> {
    fields: &'a mut Fields,
    origin: Origin,
}

impl<'a> Visitor<'a> {
    fn new(fields: &'a mut Fields) -> Self {
        Self { fields, origin: Origin::default() }
    }
}

impl Visit for Visitor<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.put_float(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            self.origin.line = u32::try_from(value).ok();
        } else {
            self.fields.put(field.name(), value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => self.origin.target = Some(value.to_owned()),
            "log.file" => self.origin.file = Some(value.to_owned()),
            "log.module_path" => {}
            name => self.fields.put_text(name, value),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.fields.put_error(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.put_debug(field.name(), value);
    }
}
