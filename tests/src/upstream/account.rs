//! What came to the double.

use std::collections::HashMap;
use std::fmt;
use std::time::Instant;

use serde_json::Value;

/// A request whose body came whole, or whose connection was reset before that.
#[derive(Clone)]
pub struct Call {
    /// When it had come.
    pub at: Instant,
    /// In upper case.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Every header as it came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How many documents it held.
    pub documents: usize,
    /// What it was or will be answered; `None` when it is not.
    pub status: Option<u16>,
    /// Which connection it came on, counted from 0.
    pub connection: u64,
}

impl fmt::Debug for Call {
    /// Without headers and body, which are long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, target, documents, status, connection, .. } = self;
        write!(f, "{target} at {at:?} on connection {connection}: {documents} documents, {status:?}")
    }
}

impl Call {
    /// Without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A document of `PutTraceSegments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its `id`, where it is JSON with one.
    pub id: Option<String>,
    /// Its text.
    pub text: String,
    /// Which of the calls brought it.
    pub call: usize,
}

/// All that came.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Every call, in the order in which they came.
    pub calls: Vec<Call>,
    /// The documents that X-Ray would have, or may have: of calls that were answered 200 or not at all.
    pub kept: Vec<Document>,
    /// The documents refused by way of `UnprocessedTraceSegments`.
    pub unprocessed: Vec<Document>,
    /// Documents of calls that were answered with an error: X-Ray would not have them.
    pub refused: usize,
    /// Calls that were not signed as they should.
    pub unsigned: usize,
    /// Telemetry records that were taken.
    pub telemetry: Vec<Value>,
}

impl Account {
    /// The calls of a path.
    pub fn calls_to<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Call> {
        self.calls.iter().filter(move |call| call.path() == path)
    }

    /// How many of the documents that were kept came before already; by id, or by text where there is none.
    pub fn duplicates(&self) -> usize {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for document in &self.kept {
            *seen.entry(document.id.as_deref().unwrap_or(&document.text)).or_default() += 1;
        }
        seen.values().map(|times| times - 1).sum()
    }

    /// The documents of each call of `PutTraceSegments`, in the order of the calls.
    pub fn batch_sizes(&self) -> Vec<usize> {
        self.calls_to(super::TRACE_SEGMENTS).map(|call| call.documents).collect()
    }

    pub(super) fn telemetry_records(body: &[u8]) -> Vec<Value> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        body.get("TelemetryRecords").and_then(Value::as_array).cloned().unwrap_or_default()
    }
}

/// The documents of a body of `PutTraceSegments`; `None` where it is no such body.
pub(super) fn documents(body: &[u8]) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let documents = body.get("TraceSegmentDocuments")?.as_array()?;
    documents.iter().map(|document| document.as_str().map(str::to_owned)).collect()
}

pub(super) fn id(document: &str) -> Option<String> {
    let document: Value = serde_json::from_str(document).ok()?;
    document.get("id")?.as_str().map(str::to_owned)
}
