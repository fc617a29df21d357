//! What happened: an error with its causes, a message, or a crash report.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Frame, Telemetry};
use crate::Level;

/// The value of `data.body`: one of the kinds that the API knows, and what led to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Body {
    #[serde(flatten)]
    kind: Kind,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    telemetry: Vec<Telemetry>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Trace(Trace),
    TraceChain(TraceChain),
    Message(Message),
    CrashReport(CrashReport),
}

impl Body {
    fn of(kind: Kind) -> Self {
        Self { kind, telemetry: Vec::new() }
    }

    pub(crate) fn default_level(&self) -> Level {
        match self.kind {
            Kind::Message(_) => Level::OF_MESSAGE,
            _ => Level::OF_ERROR,
        }
    }

    /// The message, where it is one.
    pub fn message(&self) -> Option<&Message> {
        match &self.kind {
            Kind::Message(message) => Some(message),
            _ => None,
        }
    }

    /// The error and its causes, outermost first; empty for what is no error.
    pub fn traces(&self) -> &[Trace] {
        match &self.kind {
            Kind::Trace(trace) => std::slice::from_ref(trace),
            Kind::TraceChain(chain) => &chain.0,
            _ => &[],
        }
    }

    /// The error and its causes, to be changed.
    pub fn traces_mut(&mut self) -> &mut [Trace] {
        match &mut self.kind {
            Kind::Trace(trace) => std::slice::from_mut(trace),
            Kind::TraceChain(chain) => &mut chain.0,
            _ => &mut [],
        }
    }

    /// What happened before, oldest first.
    pub fn telemetry_mut(&mut self) -> &mut Vec<Telemetry> {
        &mut self.telemetry
    }
}

impl From<Message> for Body {
    fn from(message: Message) -> Self {
        Self::of(Kind::Message(message))
    }
}

impl From<Trace> for Body {
    fn from(trace: Trace) -> Self {
        Self::of(Kind::Trace(trace))
    }
}

impl From<TraceChain> for Body {
    /// A chain of one is a trace.
    fn from(mut chain: TraceChain) -> Self {
        match chain.0.pop() {
            Some(only) if chain.0.is_empty() => only.into(),
            last => {
                chain.0.extend(last);
                Self::of(Kind::TraceChain(chain))
            }
        }
    }
}

impl From<CrashReport> for Body {
    fn from(report: CrashReport) -> Self {
        Self::of(Kind::CrashReport(report))
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    body: String,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl Message {
    /// A message of this text.
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), extra: Map::new() }
    }

    /// The text.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Adds a value beside the text. The name `body` is taken by the text itself: it becomes `body_`.
    pub fn put(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let mut key = key.into();
        if key == "body" {
            key.push('_');
        }
        self.extra.insert(key, value.into());
    }
}

/// An error: its class, its text, and the calls that led to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trace {
    frames: Vec<Frame>,
    exception: Exception,
}

impl Trace {
    /// An error with the calls that led to it, the oldest first: the last frame is where it happened. They may be none.
    pub fn new(exception: Exception, frames: Vec<Frame>) -> Self {
        Self { frames, exception }
    }

    /// The calls, the oldest first.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// The calls, to be changed.
    pub fn frames_mut(&mut self) -> &mut Vec<Frame> {
        &mut self.frames
    }

    /// The error's class and text.
    pub fn exception(&self) -> &Exception {
        &self.exception
    }

    /// The error's class and text, to be changed.
    pub fn exception_mut(&mut self) -> &mut Exception {
        &mut self.exception
    }
}

/// An error and its causes, outermost first. Never empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TraceChain(Vec<Trace>);

impl TraceChain {
    /// A chain of one.
    pub fn new(outermost: Trace) -> Self {
        Self(vec![outermost])
    }

    /// Adds the cause of the last one.
    pub fn caused_by(&mut self, cause: Trace) {
        self.0.push(cause);
    }
}

/// What an error is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exception {
    class: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Exception {
    /// A class, such as `std::io::Error`.
    pub fn new(class: impl Into<String>) -> Self {
        Self { class: class.into(), message: None, description: None }
    }

    /// With the error's text.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// With a text for people, which Rollbar shows in the place of the error's own.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The class.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The error's text.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Sets the class.
    pub fn set_class(&mut self, class: impl Into<String>) {
        self.class = class.into();
    }

    /// Sets the error's text.
    pub fn set_message(&mut self, message: Option<&str>) {
        self.message = message.map(ToOwned::to_owned);
    }
}

/// The text of a crash, as another program wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrashReport {
    raw: String,
}

impl CrashReport {
    /// A report with this text.
    pub fn new(raw: impl Into<String>) -> Self {
        Self { raw: raw.into() }
    }
}
