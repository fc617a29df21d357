//! Answers that a test asks for: what Rollbar, or a proxy before it, does on a bad day.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Body;
use super::{Answer, Request};

/// One fault, as code or as JSON: `{"status": 503, "times": 2}`. A field that is not given changes nothing.
///
/// ```
/// use xray_console::rollbar::Fault;
///
/// let fault: Fault = serde_json::from_str(r#"{"status":429,"headers":{"X-Rate-Limit-Remaining-Seconds":"2"}}"#)?;
/// assert_eq!(fault.times, 1);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Only calls whose path starts so; every call where it is empty.
    pub path: String,
    /// How many calls meet it; 0: every one, until the faults are cleared.
    pub times: u32,
    /// The status, instead of the call's own.
    pub status: Option<u16>,
    /// Headers of the answer, added to its own.
    pub headers: BTreeMap<String, String>,
    /// The answer's `message`; where only the status is given, the text that Rollbar has for it.
    pub message: Option<String>,
    /// The whole body, as JSON.
    pub body: Option<Value>,
    /// The whole body, as HTML: what a proxy says.
    pub html: Option<String>,
    /// Whether the call is done all the same and only its answer is lost: a retry is then a duplicate.
    pub accept: bool,
    /// Milliseconds to wait before the request's body is read.
    pub slow_read_ms: u64,
    /// Milliseconds to wait with the connection open after the answer is sent.
    pub slow_close_ms: u64,
    /// Whether to reset the connection in the middle of the answer. The call itself is done, if nothing else is asked for.
    pub reset_mid_body: bool,
    /// Bodies of more bytes are answered 413; the others are no call that meets this fault.
    pub too_large_at: Option<usize>,
    /// What the request's token is taken for.
    pub token_state: Option<TokenState>,
    /// Compressed bodies are answered 415, or `status`; the others are no call that meets this fault.
    pub refuse_gzip: bool,
    /// A redirect to this address, with 307 or `status`.
    pub redirect_to: Option<String>,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            path: String::new(),
            times: 1,
            status: None,
            headers: BTreeMap::new(),
            message: None,
            body: None,
            html: None,
            accept: false,
            slow_read_ms: 0,
            slow_close_ms: 0,
            reset_mid_body: false,
            too_large_at: None,
            token_state: None,
            refuse_gzip: false,
            redirect_to: None,
        }
    }
}

/// What an access token is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It is known and may do the call.
    Ok,
    /// No project has it.
    Unknown,
    /// It may not do this call.
    WrongScope,
    /// It was switched off.
    Disabled,
}

/// What only who holds the socket can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wire {
    /// Wait so long before the request's body is read.
    pub slow_read: Duration,
    /// Wait so long, the connection open, after the answer is sent.
    pub slow_close: Duration,
    /// Send the head and half of the body, then reset the connection.
    pub reset_mid_body: bool,
}

impl Fault {
    /// Whether a call meets it.
    pub(super) fn meets(&self, request: &Request<'_>) -> bool {
        let is_gzip = || request.header("content-encoding").is_some_and(|encoding| encoding != "identity");
        request.path.starts_with(&*self.path)
            && self.too_large_at.is_none_or(|limit| request.body.len() > limit)
            && (!self.refuse_gzip || is_gzip())
    }

    /// The answer that takes the place of the call's own; none where the call answers for itself.
    pub(super) fn replaced(&self, token: Option<&Value>) -> Option<Answer> {
        let implied = [
            (self.refuse_gzip, 415),
            (self.too_large_at.is_some(), 413),
            (self.redirect_to.is_some(), 307),
            (self.body.is_some() || self.html.is_some() || self.message.is_some(), 200),
        ];
        let implied = || implied.into_iter().find(|(asked, _)| *asked).map(|(_, status)| status);
        let status = self.status.or_else(implied)?;
        let message = || self.message.clone().unwrap_or_else(|| message_of(status, token));
        let body = match (&self.html, &self.body) {
            (Some(html), _) => Body::Html(html.clone()),
            (None, Some(body)) => Body::Json(body.clone()),
            (None, None) if status == 200 && self.message.is_none() => {
                Body::Json(json!({ "err": 0, "result": { "id": null, "uuid": null } }))
            }
            (None, None) => Body::Json(json!({ "err": 1, "message": message() })),
        };
        Some(Answer::new(status, "injected", body))
    }

    /// The answer with the fault's headers, and what is left to who holds the socket.
    pub(super) fn dress(&self, mut answer: Answer) -> Answer {
        let headers = self.headers.iter().map(|(name, value)| (name.clone().into(), value.clone()));
        answer.headers.extend(headers);
        if let Some(address) = &self.redirect_to {
            answer.headers.push(("Location".into(), address.clone()));
        }
        answer.wire = Wire {
            slow_read: Duration::from_millis(self.slow_read_ms),
            slow_close: Duration::from_millis(self.slow_close_ms),
            reset_mid_body: self.reset_mid_body,
        };
        answer
    }
}

/// What Rollbar says with a status.
fn message_of(status: u16, token: Option<&Value>) -> String {
    match status {
        400 => "invalid json payload",
        401 => "access token required",
        403 => {
            return format!("access token not found: {}", token.and_then(Value::as_str).unwrap_or_default());
        }
        404 => "not found",
        405 => "method not allowed",
        408 => "request timeout",
        413 => "request entity too large",
        415 => "unsupported content encoding",
        422 => "Invalid format. data should be object.",
        429 => "over rate limit: too many requests for this access token",
        500 => "internal server error",
        502 => "bad gateway",
        503 => "service unavailable",
        504 => "gateway timeout",
        _ => "injected fault",
    }
    .to_owned()
}

/// The most faults that wait.
const MAX_FAULTS: usize = 1_000;

/// The faults that wait for their calls.
#[derive(Debug, Default)]
pub(super) struct Faults(VecDeque<Fault>);

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        if self.0.len() >= MAX_FAULTS {
            self.0.pop_front();
        }
        self.0.push_back(fault);
    }

    pub(super) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.0).len()
    }

    /// Takes the first that is met, once.
    pub(super) fn next(&mut self, meets: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let index = self.0.iter().position(meets)?;
        let fault = self.0.get_mut(index)?;
        match fault.times {
            0 => Some(fault.clone()),
            1 => self.0.remove(index),
            _ => {
                fault.times -= 1;
                Some(fault.clone())
            }
        }
    }
}
