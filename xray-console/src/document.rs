//! Parsing of one segment document.
//!
//! The parser is strict about what a trace cannot be built without (JSON, `id`, `trace_id`) and forgiving about the
//! rest: a field that is missing, unknown or of another type costs that field, not the document. It never recurses:
//! nested subsegments are worked off a list, so that a hostile document cannot exhaust the stack.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::entity::{Cause, Entity, Exception, Health, Kind, Namespace, Place};
use crate::json::{Entries, compact, read};

/// The largest document that is parsed, in bytes: the limit of the X-Ray API (64 KiB); a datagram holds less (65,507).
pub const MAX_DOCUMENT_BYTES: usize = 65_536;

/// The deepest nesting of subsegments in one document.
pub const MAX_DEPTH: usize = 256;

/// The most entities (the segment and its subsegments) in one document. A document of X-Ray's size limit holds about
/// 600 of the smallest valid ones.
pub const MAX_ENTITIES: usize = 4_096;

/// The most exceptions of one cause that are kept; the SDKs send at most ten.
const MAX_EXCEPTIONS: usize = 10;

/// The last second of the year 9999. A time outside of 1970 to 9999 (milliseconds given for seconds, say) counts as
/// not given.
const MAX_TIME: f64 = 253_402_300_799.0;

/// One parsed segment document: a segment, or a subsegment sent on its own, with what is nested in it.
///
/// ```
/// let document = xray_console::Document::parse(
///     br#"{"trace_id":"1-5e2b4150-000000000000000000000001","id":"c0ffee0100000001","name":"api",
///          "start_time":1579893132.0,"end_time":1579893132.12,"subsegments":[{"id":"c0ffee0100000002","name":"db"}]}"#,
/// )?;
/// assert_eq!(document.name(), "api");
/// assert_eq!(document.entities(), 2);
/// # Ok::<(), xray_console::DocumentError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Document {
    trace_id: Box<str>,
    pub(crate) entities: Vec<Entity>,
    bytes: usize,
}

/// Why a document could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is larger than [`MAX_DOCUMENT_BYTES`].
    #[error("the document has {bytes} bytes; X-Ray takes at most {MAX_DOCUMENT_BYTES}")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// It is not UTF-8.
    #[error("the document is not UTF-8 (byte {at})")]
    NotUtf8 {
        /// Index of the first bad byte.
        at: usize,
    },
    /// It is not one JSON object.
    #[error("the document is not a JSON object: {reason}")]
    NotJson {
        /// What was found, and where.
        reason: String,
    },
    /// A field without which it cannot be placed is missing, empty or not a string.
    #[error("the document has no `{field}`, or one that is not a string with text in it")]
    Missing {
        /// The field's name.
        field: &'static str,
    },
    /// Subsegments are nested deeper than [`MAX_DEPTH`].
    #[error("subsegments are nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// It holds more than [`MAX_ENTITIES`] subsegments.
    #[error("the document holds more than {MAX_ENTITIES} subsegments")]
    TooMany,
}

impl Document {
    /// Parses one document, without the daemon's header line.
    ///
    /// # Errors
    /// A [`DocumentError`] for what is no usable document. Never panics, whatever the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(DocumentError::TooLarge { bytes: bytes.len() });
        }
        let text =
            std::str::from_utf8(bytes).map_err(|error| DocumentError::NotUtf8 { at: error.valid_up_to() })?;
        let root = Raw::parse(text)?;
        let trace_id = required(root.trace_id, "trace_id")?;
        required(root.id, "id")?;
        let is_subsegment = text_of(root.r#type).is_some_and(|kind| &*kind == "subsegment");
        let kind = if is_subsegment { Kind::Subsegment } else { Kind::Segment };
        let entities = flatten(root, kind)?;
        let bytes = bytes.len() + entities.iter().map(Entity::overhead).sum::<usize>();
        Ok(Self { trace_id, entities, bytes })
    }

    /// The id of the trace it belongs to, as sent.
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// The name of its segment, or of the subsegment that was sent on its own.
    pub fn name(&self) -> &str {
        self.entities.first().map_or("", |entity| &entity.name)
    }

    /// How many segments and subsegments it holds; at least one.
    pub fn entities(&self) -> usize {
        self.entities.len()
    }

    /// About how much memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The fields of a document that are read, each still as JSON text, so that a wrong type costs one field only.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    trace_id: Option<&'a RawValue>,
    #[serde(borrow)]
    parent_id: Option<&'a RawValue>,
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    start_time: Option<&'a RawValue>,
    #[serde(borrow)]
    end_time: Option<&'a RawValue>,
    #[serde(borrow)]
    in_progress: Option<&'a RawValue>,
    #[serde(borrow)]
    fault: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    throttle: Option<&'a RawValue>,
    #[serde(borrow)]
    namespace: Option<&'a RawValue>,
    #[serde(borrow)]
    http: Option<&'a RawValue>,
    #[serde(borrow)]
    sql: Option<&'a RawValue>,
    #[serde(borrow)]
    aws: Option<&'a RawValue>,
    #[serde(borrow)]
    cause: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    subsegments: Option<&'a RawValue>,
}

impl<'a> Raw<'a> {
    fn parse(text: &'a str) -> Result<Self, DocumentError> {
        // serde would read an array as the fields in their order.
        if !text.trim_ascii_start().starts_with('{') {
            return Err(DocumentError::NotJson { reason: "it does not begin with `{`".to_owned() });
        }
        serde_json::from_str(text).map_err(|error| DocumentError::NotJson { reason: error.to_string() })
    }
}

/// The document's entities, each after the one that it is nested in.
fn flatten(root: Raw<'_>, kind: Kind) -> Result<Vec<Entity>, DocumentError> {
    let mut entities = Vec::new();
    let mut depths = Vec::new();
    let mut waiting = vec![(root, kind, None, 0)];
    while let Some((raw, kind, container, depth)) = waiting.pop() {
        if depth > MAX_DEPTH {
            return Err(DocumentError::TooDeep);
        }
        if entities.len() == MAX_ENTITIES {
            return Err(DocumentError::TooMany);
        }
        let nested: Vec<&RawValue> = read(raw.subsegments).unwrap_or_default();
        if nested.len() > MAX_ENTITIES {
            return Err(DocumentError::TooMany);
        }
        let index = entities.len();
        entities.push(entity(&raw, kind, container));
        depths.push(depth);
        // From the last to the first, because the list is worked off from its end.
        for text in nested.into_iter().rev() {
            if let Ok(raw) = Raw::parse(text.get()) {
                waiting.push((raw, Kind::Subsegment, Some(index), depth + 1));
            }
        }
    }
    Ok(entities)
}

fn entity(raw: &Raw<'_>, kind: Kind, container: Option<usize>) -> Entity {
    let http: Value = read(raw.http).unwrap_or_default();
    let sql: Value = read(raw.sql).unwrap_or_default();
    let aws: Value = read(raw.aws).unwrap_or_default();
    let at = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(Box::from);
    let resource = ["table_name", "bucket_name", "queue_url", "function_name", "topic_arn"]
        .iter()
        .find_map(|key| aws.get(key).and_then(Value::as_str));
    let operation = aws.get("operation").and_then(Value::as_str).map(|operation| match resource {
        Some(resource) => format!("{operation} {resource}").into(),
        None => operation.into(),
    });
    // The Python SDK writes the outermost frame first, all others the innermost.
    let innermost_last = aws
        .pointer("/xray/sdk")
        .and_then(Value::as_str)
        .map_or_else(|| looks_like_python(raw.cause), |sdk| sdk.contains("Python"));
    Entity {
        kind,
        id: text_of(raw.id).filter(|id| !id.is_empty()),
        parent_id: text_of(raw.parent_id).filter(|id| !id.is_empty()),
        container,
        name: text_of(raw.name).unwrap_or_default(),
        start: time(raw.start_time),
        end: time(raw.end_time),
        in_progress: flag(raw.in_progress),
        health: match (flag(raw.fault), flag(raw.throttle), flag(raw.error)) {
            (true, _, _) => Health::Fault,
            (_, true, _) => Health::Throttle,
            (_, _, true) => Health::Error,
            _ => Health::Ok,
        },
        namespace: match text_of(raw.namespace).as_deref() {
            Some("remote") => Namespace::Remote,
            Some("aws") => Namespace::Aws,
            _ => Namespace::Local,
        },
        method: at(&http, "/request/method"),
        url: at(&http, "/request/url"),
        status: http
            .pointer("/response/status")
            .and_then(Value::as_u64)
            .and_then(|status| status.try_into().ok()),
        query: at(&sql, "/sanitized_query"),
        is_sql: sql.is_object(),
        operation,
        cause: cause(raw.cause, innermost_last),
        user: text_of(raw.user),
        annotations: annotations(raw.annotations),
        metadata: metadata(raw.metadata),
    }
}

/// A streamed subsegment does not tell its SDK; a stack of Python files does.
fn looks_like_python(cause: Option<&RawValue>) -> bool {
    cause.is_some_and(|cause| cause.get().contains(".py\""))
}

fn annotations(raw: Option<&RawValue>) -> Vec<(Box<str>, Box<str>)> {
    let Entries(entries) = read(raw).unwrap_or_default();
    entries.into_iter().map(|(key, value)| (key, compact(value.get()))).collect()
}

fn metadata(raw: Option<&RawValue>) -> Vec<(Arc<str>, Box<str>, Box<str>)> {
    let Entries(namespaces) = read(raw).unwrap_or_default();
    let mut all = Vec::new();
    for (namespace, value) in namespaces {
        // Shared: a long name over many short entries would be many times the document.
        let namespace: Arc<str> = namespace.into();
        match read::<Entries<'_>>(Some(value)) {
            Some(Entries(entries)) => {
                let entry =
                    |(key, value): (Box<str>, &RawValue)| (namespace.clone(), key, compact(value.get()));
                all.extend(entries.into_iter().map(entry));
            }
            // Not X-Ray's shape, but it is what the user wrote.
            None => all.push((namespace, "".into(), compact(value.get()))),
        }
    }
    all
}

fn cause(raw: Option<&RawValue>, innermost_last: bool) -> Cause {
    let text = |value: &Value, key: &str| -> Box<str> {
        value.get(key).and_then(Value::as_str).unwrap_or_default().into()
    };
    match read(raw) {
        Some(Value::String(id)) if !id.is_empty() => Cause::Reference(id.into()),
        Some(Value::Object(cause)) => {
            let exceptions = cause.get("exceptions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let exceptions = exceptions.iter().filter(|exception| exception.is_object()).map(|exception| {
                let stack = exception.get("stack").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let frame = if innermost_last { stack.last() } else { stack.first() };
                Exception {
                    id: exception.get("id").and_then(Value::as_str).map(Box::from),
                    kind: text(exception, "type"),
                    message: text(exception, "message"),
                    place: frame.map(|frame| Place {
                        path: text(frame, "path"),
                        line: frame.get("line").and_then(Value::as_u64),
                        label: text(frame, "label"),
                    }),
                }
            });
            let exceptions: Vec<Exception> = exceptions.take(MAX_EXCEPTIONS).collect();
            if exceptions.is_empty() { Cause::None } else { Cause::Exceptions(exceptions) }
        }
        _ => Cause::None,
    }
}

fn text_of(raw: Option<&RawValue>) -> Option<Box<str>> {
    read::<Cow<'_, str>>(raw).map(Box::from)
}

fn required(raw: Option<&RawValue>, field: &'static str) -> Result<Box<str>, DocumentError> {
    text_of(raw).filter(|text| !text.trim().is_empty()).ok_or(DocumentError::Missing { field })
}

fn flag(raw: Option<&RawValue>) -> bool {
    read(raw).unwrap_or(false)
}

fn time(raw: Option<&RawValue>) -> Option<f64> {
    read::<f64>(raw).filter(|time| (0.0..=MAX_TIME).contains(time))
}
