//! What the double answers, and what it tells those who watch.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Deploy, Occurrence, Wire};

/// One HTTP answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers beside `Content-Type` and `Content-Length`.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub body: Body,
    /// Why, in one word for code: `ok`, `duplicate`, or the rule that was broken (`missing:environment`).
    pub reason: Cow<'static, str>,
    /// Rules that were broken and did not make the double refuse.
    pub warnings: Vec<String>,
    /// What those who watch are shown.
    pub event: Option<Event>,
    /// What is left to who holds the socket.
    pub wire: Wire,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// JSON, as nearly all of Rollbar's answers are.
    Json(Value),
    /// Plain text: that of `ping`.
    Text(String),
    /// HTML: that of a proxy which an injected fault plays.
    Html(String),
}

impl Body {
    /// The `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Text(_) => "text/plain; charset=utf-8",
            Self::Html(_) => "text/html; charset=utf-8",
        }
    }

    /// The bytes to send.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Json(value) => value.to_string().into_bytes(),
            Self::Text(text) | Self::Html(text) => text.clone().into_bytes(),
        }
    }
}

/// What happened, for `tail` and the page.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// An item came in and was stored.
    Occurrence(Arc<Occurrence>),
    /// A deploy was told, or its state changed.
    Deploy(Deploy),
    /// Something was refused.
    Refused(Refused),
}

/// A call that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The status of the answer.
    pub status: u16,
    /// The rule that was broken.
    pub reason: Cow<'static, str>,
    /// Rollbar's words for it, with the token masked.
    pub message: String,
}

impl Answer {
    pub(super) fn new(status: u16, reason: impl Into<Cow<'static, str>>, body: Body) -> Self {
        let (reason, wire) = (reason.into(), Wire::default());
        Self { status, headers: Vec::new(), body, reason, warnings: Vec::new(), event: None, wire }
    }

    pub(super) fn ok(result: Value) -> Self {
        Self::new(200, "ok", Body::Json(json!({ "err": 0, "result": result })))
    }

    pub(super) fn refusing(refused: &Refused) -> Self {
        let body = Body::Json(json!({ "err": 1, "message": refused.message }));
        Self::new(refused.status, refused.reason.clone(), body)
    }

    /// The `message` of an answer that refuses.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match &self.body {
            Body::Json(value) => value.get("message")?.as_str(),
            _ => None,
        }
    }
}

impl Refused {
    pub(super) fn new(status: u16, reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), message: message.into() }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(404, "not-found", format!("{what} not found"))
    }
}
