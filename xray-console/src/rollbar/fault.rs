//! Answers that a test asks for: what Rollbar, or a proxy before it, does on a bad day.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// Whether to reset the connection in the middle of the answer.
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
