//! Fields of spans and events as metadata, annotations and causes.

use std::error::Error;
use std::fmt::{self, Debug, Write as _};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};
use xray_error::StackFrame;

use super::selection::is_own;
use crate::annotation::AnnotationValue;
use crate::entity::{Entity, Namespace};
use crate::error::{self, ErrorClass};
use crate::exception::Cause;
use crate::http::{HttpRequest, HttpResponse, StatusFlags, url_without_secrets};
use crate::record::Fact;

/// Characters of a text.
const MAX_TEXT_CHARS: usize = 4096;

/// The name of a span that is made at run time, by the convention of `tracing-opentelemetry`.
const NAME_FIELD: &str = "otel.name";

/// The type of an error that is known by its text alone: an error of any type with this text is the same one.
const UNTYPED: &str = "dyn core::error::Error";

/// What becomes of fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) annotated: Vec<Box<str>>,
}

fn has_name_field(metadata: &Metadata<'_>) -> bool {
    metadata.fields().iter().any(|field| field.name() == NAME_FIELD)
}

/// The name of a span's record: empty where a fact has it.
pub(super) fn literal_name(metadata: &'static Metadata<'static>) -> &'static str {
    if has_name_field(metadata) { "" } else { metadata.name() }
}

/// A field's name as it was meant: `r#type` says `type`.
fn name_of(field: &Field) -> &'static str {
    let name = field.name();
    name.strip_prefix("r#").unwrap_or(name)
}

/// What OpenTelemetry's conventions say of an HTTP exchange, in their stable names and in those before.
#[derive(Clone, Copy)]
enum Http {
    Method,
    Url,
    UserAgent,
    Status,
}

impl Http {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "http.request.method" | "http.method" => Self::Method,
            "url.full" | "http.url" => Self::Url,
            "user_agent.original" | "http.user_agent" => Self::UserAgent,
            "http.response.status_code" | "http.status_code" => Self::Status,
            _ => return None,
        })
    }
}

impl Fields {
    fn is_annotated(&self, name: &str) -> bool {
        self.annotated.iter().any(|annotated| **annotated == *name)
    }

    /// Says the name where the record does not.
    pub(super) fn begin(&self, entity: &Entity, metadata: &'static Metadata<'static>) {
        if has_name_field(metadata) {
            entity.note(Fact::Name(metadata.name().into()));
        }
    }

    fn put(
        &self,
        entity: &Entity,
        target: &'static str,
        name: &'static str,
        value: impl Serialize + Into<AnnotationValue>,
    ) {
        if self.is_annotated(name) {
            entity.put_annotation(name, value);
        } else {
            entity.put_metadata_in(target, name, value);
        }
    }

    /// A number that JSON does not know is a text.
    fn put_float(&self, entity: &Entity, target: &'static str, name: &'static str, value: f64) {
        if value.is_finite() {
            self.put(entity, target, name, value);
        } else {
            self.put(entity, target, name, value.to_string());
        }
    }
}

fn text(arguments: fmt::Arguments<'_>) -> String {
    xray_error::text_of(MAX_TEXT_CHARS, |out| out.write_fmt(arguments))
}

/// Puts the fields of a span.
pub(super) struct SpanVisitor<'a> {
    fields: &'a Fields,
    entity: &'a Entity,
    target: &'static str,
    /// What was said of a request; one block has it all.
    request: Option<HttpRequest>,
}

impl<'a> SpanVisitor<'a> {
    /// The values' code is the user's: its panics are caught, and its texts are cut.
    pub(super) fn visit(
        fields: &'a Fields,
        entity: &'a Entity,
        metadata: &'static Metadata<'static>,
        values: impl FnOnce(&mut Self),
    ) {
        let mut visitor = Self { fields, entity, target: metadata.target(), request: None };
        let _ = xray_error::caught(|| values(&mut visitor));
        if let Some(request) = visitor.request {
            entity.set_http_request(request);
        }
    }

    fn put(&self, field: &Field, value: impl Serialize + Into<AnnotationValue>) {
        self.fields.put(self.entity, self.target, name_of(field), value);
    }

    fn put_number(&self, field: &Field, value: impl Serialize + Into<AnnotationValue> + TryInto<u16> + Copy) {
        match (self.http(field), value.try_into()) {
            (Some(Http::Status), Ok(status)) => self.put_status(status),
            _ => self.put(field, value),
        }
    }

    fn put_status(&self, status: u16) {
        self.entity.set_http_response(HttpResponse::new().with_status(status));
    }

    /// None where the field is to be an annotation.
    fn http(&self, field: &Field) -> Option<Http> {
        Http::of(field.name()).filter(|_| !self.fields.is_annotated(field.name()))
    }

    /// Whether the text says something of an HTTP exchange.
    fn put_http(&mut self, http: Http, value: &str) -> bool {
        let request = match http {
            // Its reason may follow: `404 Not Found`.
            Http::Status => {
                let digits = value.split(' ').next().unwrap_or_default();
                return digits.parse().map(|status| self.put_status(status)).is_ok();
            }
            Http::Method | Http::Url | Http::UserAgent => self.request.take().unwrap_or_default(),
        };
        self.request = Some(match http {
            Http::Url => request.with_url(url_without_secrets(value)),
            Http::UserAgent => request.with_user_agent(value),
            Http::Method | Http::Status => request.with_method(value.to_owned()),
        });
        true
    }

    fn put_text(&mut self, field: &Field, value: &str) {
        let value = xray_error::cut(value, MAX_TEXT_CHARS);
        match field.name() {
            NAME_FIELD => self.entity.note(Fact::Name(value.to_owned().into())),
            "otel.kind" => {
                if ["client", "producer"].iter().any(|remote| value.eq_ignore_ascii_case(remote)) {
                    self.entity.set_namespace(Namespace::Remote);
                }
            }
            "otel.status_code" => {
                if value.eq_ignore_ascii_case("error") {
                    self.entity.set_flags(StatusFlags::FAULT);
                }
            }
            _ => {
                let http = self.http(field);
                if !http.is_some_and(|http| self.put_http(http, value)) {
                    self.put(field, value);
                }
            }
        }
    }
}

impl Visit for SpanVisitor<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.put_float(self.entity, self.target, name_of(field), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put_number(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put_number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put_text(field, &text(format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put_text(field, &text(format_args!("{value:?}")));
    }
}

/// What an event says: why the entity failed, and fields beside it.
#[derive(Default)]
pub(super) struct EventVisitor {
    cause: Option<Cause>,
    /// The text of a field `error` or `err` that is no value.
    error: Option<String>,
    message: Option<String>,
    /// Where a record of the crate `log` is from, which `tracing-log` made an event of.
    log_target: Option<String>,
    log_file: Option<String>,
    log_line: Option<u32>,
    others: Vec<(&'static str, Value)>,
}

/// A field's value, kept until it is known that the event counts.
enum Value {
    Int(i64),
    UInt(u64),
    Float(f64),
    Bool(bool),
    Text(String),
}

impl EventVisitor {
    pub(super) fn visit(fields: &Fields, entity: &Entity, event: &Event<'_>) {
        let mut visitor = Self::default();
        let _ = xray_error::caught(|| event.record(&mut visitor));
        visitor.record(fields, entity, event.metadata());
    }

    fn record(mut self, fields: &Fields, entity: &Entity, metadata: &'static Metadata<'static>) {
        if self.log_target.as_deref().is_some_and(is_own) {
            return;
        }
        let known = self.cause.take().or_else(|| Some(Cause::from_message(UNTYPED, &self.error.take()?)));
        let mut cause = match known {
            Some(cause) => {
                if let Some(message) = self.message {
                    fields.put(entity, metadata.target(), "message", message);
                }
                cause
            }
            None => {
                let target = self.log_target.as_deref().unwrap_or(metadata.target());
                Cause::from_message(target, self.message.as_deref().unwrap_or(metadata.name()))
            }
        };
        for (name, value) in self.others {
            match value {
                Value::Int(value) => fields.put(entity, metadata.target(), name, value),
                Value::UInt(value) => fields.put(entity, metadata.target(), name, value),
                Value::Float(value) => fields.put_float(entity, metadata.target(), name, value),
                Value::Bool(value) => fields.put(entity, metadata.target(), name, value),
                Value::Text(value) => fields.put(entity, metadata.target(), name, value),
            }
        }
        let place = match (&self.log_file, metadata.file()) {
            (Some(file), _) => Some((file.as_str(), self.log_line)),
            (None, Some(file)) => Some((file, metadata.line())),
            (None, None) => None,
        };
        if let (Some(first), Some((file, line))) = (cause.exceptions.first_mut(), place)
            && first.stack.is_empty()
        {
            first.stack.push(StackFrame {
                path: file.to_owned().into(),
                line: line.unwrap_or(0),
                label: "".into(),
            });
        }
        error::record(entity, cause, ErrorClass::Fault.bits(), None);
    }

    fn put_text(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = Some(text),
            "error" | "err" if self.error.is_none() => self.error = Some(text),
            "log.target" => self.log_target = Some(text),
            "log.file" => self.log_file = Some(text),
            "log.module_path" => {}
            _ => self.others.push((name_of(field), Value::Text(text))),
        }
    }
}

impl Visit for EventVisitor {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.others.push((name_of(field), Value::Float(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.others.push((name_of(field), Value::Int(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            self.log_line = u32::try_from(value).ok();
        } else {
            self.others.push((name_of(field), Value::UInt(value)));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.push((name_of(field), Value::Bool(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, xray_error::cut(value, MAX_TEXT_CHARS).to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if self.cause.is_none() {
            self.cause = Some(error::cause_of(value));
        } else {
            self.others.push((name_of(field), Value::Text(text(format_args!("{value}")))));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put_text(field, text(format_args!("{value:?}")));
    }
}
