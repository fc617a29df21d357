//! A line of a log: an item, or telemetry. What the layer for `tracing` and the bridge of `log` share.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Debug, Write as _};

use serde_json::{Map, Value};
use xray_error::Chain;

use crate::Level;
use crate::crossing;
use crate::current::{self, REPORTING, flags};
use crate::item::{Telemetry, TelemetryBody};
use crate::occurrence::{Extras, Place, What};
use crate::report::{LIMITS, submit, taker};

/// Fields of a line that are kept, and of a span.
const MAX_FIELDS: usize = 64;
/// Characters of a field, and of the message of an event of the telemetry.
const MAX_FIELD_CHARS: usize = 1024;

/// Whether a line is to be passed over: it is our own, or comes of sending a report. Each would make another.
pub(crate) fn is_own(target: &str) -> bool {
    let root = target.split("::").next().unwrap_or_default();
    root == env!("CARGO_CRATE_NAME") || flags() & REPORTING != 0
}

/// Whether anybody would take a line.
pub(crate) fn is_wanted() -> bool {
    current::client().is_some_and(|client| client.is_enabled())
}

/// The fields of a line or of a span. The values are the user's: their texts are cut, and their panics caught.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) message: Option<String>,
    pub(crate) error: Option<Chain>,
    pub(crate) values: Map<String, Value>,
}

impl Fields {
    pub(crate) fn put(&mut self, name: &str, value: impl Into<Value>) {
        if self.values.len() < MAX_FIELDS || self.values.contains_key(name) {
            self.values.insert(xray_error::cut(name, MAX_FIELD_CHARS).to_owned(), value.into());
        }
    }

    pub(crate) fn put_text(&mut self, name: &str, text: &str) {
        if name == "message" {
            self.message = Some(xray_error::cut(text, LIMITS.message_chars).to_owned());
        } else {
            self.put(name, xray_error::cut(text, MAX_FIELD_CHARS));
        }
    }

    pub(crate) fn put_debug(&mut self, name: &str, value: &dyn Debug) {
        let chars = if name == "message" { LIMITS.message_chars } else { MAX_FIELD_CHARS };
        self.put_text(name, &text(chars, format_args!("{value:?}")));
    }

    /// A number that JSON does not know is a text.
    pub(crate) fn put_float(&mut self, name: &str, value: f64) {
        match serde_json::Number::from_f64(value) {
            Some(number) => self.put(name, number),
            None => self.put(name, value.to_string()),
        }
    }

    /// The first error is the item's; any other is its text.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) fn put_error(&mut self, name: &str, error: &(dyn Error + 'static)) {
        if self.error.is_none() {
            self.error = Some(Chain::from_error(error, "dyn core::error::Error", LIMITS));
        }
        self.put_text(name, &text(MAX_FIELD_CHARS, format_args!("{error}")));
    }
}

fn text(max_chars: usize, arguments: fmt::Arguments<'_>) -> String {
    xray_error::text_of(max_chars, |out| out.write_fmt(arguments))
}

/// A line of a log.
#[derive(Debug)]
pub(crate) struct LogEvent<'a> {
    pub(crate) level: Level,
    pub(crate) target: &'a str,
    pub(crate) place: Option<Place>,
    pub(crate) fields: Fields,
}

impl LogEvent<'_> {
    /// The line's text; where it has none, that of its error, else where it is.
    fn message(&mut self) -> String {
        let told = self.fields.message.take().or_else(|| {
            let of_error = |name| self.fields.values.get(name).and_then(Value::as_str).map(str::to_owned);
            of_error("error").or_else(|| of_error("err"))
        });
        told.unwrap_or_else(|| match &self.place {
            Some(place) => format!("{} at {}:{}", self.target, place.file, place.line),
            None => self.target.to_owned(),
        })
    }

    /// Notes it in the scope in force.
    pub(crate) fn note(mut self) {
        let Some(scope) = current::scope() else { return };
        let message = self.message();
        let message = xray_error::cut(&message, MAX_FIELD_CHARS).to_owned();
        let mut fields = self.fields.values;
        fields.insert("target".to_owned(), self.target.into());
        scope.record_telemetry(Telemetry::new(self.level, TelemetryBody::Log { message, fields }));
    }

    /// Reports it: its error with the causes where it has one, else a message. `spans` are the names and the fields of the spans
    /// that it is in, outermost first.
    pub(crate) fn report(mut self, spans: Option<(String, Map<String, Value>)>) {
        let Some(client) = taker(self.level) else { return };
        let mut extras = Extras::default();
        let error = self.fields.error.take();
        if let Some(error) = &error {
            if crossing::is_known(error) {
                return;
            }
            crossing::remember_inside(error);
        }
        let (what, backtrace) = match error {
            Some(chain) => {
                if let Some(message) = self.fields.message.take() {
                    extras.custom.insert("message".to_owned(), message.into());
                }
                (What::Error(chain), client.settings().backtraces)
            }
            None => {
                let mut fields = Map::new();
                fields.insert("target".to_owned(), self.target.into());
                if let Some(Place { file, line, .. }) = &self.place {
                    fields.insert("place".to_owned(), format!("{file}:{line}").into());
                }
                (What::Message { text: self.message(), fields }, false)
            }
        };
        extras.custom.extend(self.fields.values);
        if let Some((names, fields)) = spans {
            if !current::scope().is_some_and(|scope| scope.snapshot().has_context()) {
                extras.context = Some(Cow::Owned(names.clone()));
            }
            let mut span = Map::new();
            span.insert("name".to_owned(), names.into());
            if !fields.is_empty() {
                span.insert("fields".to_owned(), fields.into());
            }
            extras.custom.insert("span".to_owned(), span.into());
        }
        submit(&client, self.level, what, self.place, extras, backtrace);
    }
}
