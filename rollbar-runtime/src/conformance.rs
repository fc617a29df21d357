//! What the conformance runner and the fuzz targets need and no user should: not part of the public interface.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use crate::response::{self, Action, Form, MAX_RETRIES, Sent, TransportError, Verdict};
use crate::scrub::Scrubber;
use crate::truncation::{self, Truncation};
use crate::{IpPolicy, Level};

/// The level of a reported message, of an error and of a panic, unless they say otherwise.
pub const DEFAULT_LEVELS: [Level; 3] = [Level::OF_MESSAGE, Level::OF_ERROR, Level::OF_PANIC];

/// The attributes (key, value) that a `baggage` header tells.
pub fn baggage_attributes(header: &str) -> Vec<(&'static str, &str)> {
    crate::baggage::attributes(header).collect()
}

/// The first text that says where a request came from.
pub fn client_text<'a>(header: impl Fn(&str) -> Option<&'a str>, remote: Option<&'a str>) -> Option<&'a str> {
    crate::ip::client_text(header, remote)
}

/// What the policy leaves of the first address of a list.
pub fn filter_ip(policy: IpPolicy, list: &str) -> Option<IpAddr> {
    policy.apply_to_first(list)
}

/// Masks fields of these names, and what looks like a credential.
pub fn scrub(fields: &[&str], tree: &mut Value) {
    Scrubber::new(fields).scrub(tree);
}

/// Makes a payload fit: whether it does now, and whether it was cut.
pub fn truncate(payload: &mut Value, max_bytes: usize) -> (bool, bool) {
    match truncation::truncate(payload, max_bytes) {
        Truncation::None { .. } => (true, false),
        Truncation::Cut { .. } => (true, true),
        Truncation::TooLarge => (false, true),
    }
}

/// What to do after a try: the action's name, with the time of a pause and whether there is a line to log.
#[derive(Debug)]
pub struct Decision {
    /// In the words of the specification.
    pub action: &'static str,
    /// How long nothing is sent.
    pub pause: Option<Duration>,
    /// What the user should know.
    pub log: Option<&'static str>,
}

impl From<Verdict> for Decision {
    fn from(verdict: Verdict) -> Self {
        let (action, pause) = match verdict.action {
            Action::Done => ("done", verdict.pause),
            Action::Drop => ("drop", None),
            Action::DropOrSpool => ("drop_or_spool", None),
            Action::Retry => ("retry", None),
            Action::RetryUncompressed => ("retry_uncompressed", None),
            Action::TruncateAndRetryOnce => ("truncate_and_retry_once", None),
            Action::FailsafeOnce => ("failsafe_once", None),
            Action::Pause(pause) => ("pause", Some(pause)),
            Action::Disable => ("disable", None),
        };
        Self { action, pause, log: verdict.log }
    }
}

/// After an answer to the `attempt`th try, from 1 on.
pub fn after_answer<'a>(
    status: u16,
    header: impl Fn(&str) -> Option<&'a str>,
    body: &str,
    attempt: u32,
    compressed: bool,
) -> Decision {
    // Tries that are too large follow each other.
    let form = match attempt {
        0 | 1 => Form::Whole,
        2 => Form::Truncated,
        _ => Form::Failsafe,
    };
    let sent = Sent { attempt, max_retries: MAX_RETRIES, form, compressed };
    response::verdict(status, header, body.as_bytes(), sent, "").into()
}

/// After the first try got no answer; `None` for an error that is not known.
pub fn after_transport_error(error: &str) -> Option<Decision> {
    let is = |parts: &[&str]| parts.iter().any(|part| error.contains(part));
    let error = match () {
        () if is(&["timeout", "timed_out"]) => TransportError::Timeout,
        () if is(&["dns"]) => TransportError::Dns,
        () if is(&["refused", "unreachable", "connect_"]) => TransportError::Connect,
        () if is(&["reset", "broken_pipe", "closed", "aborted", "eof"]) => TransportError::Broken,
        () if is(&["tls", "certificate", "ssl"]) => TransportError::Tls,
        () if is(&["scheme", "url", "endpoint"]) => TransportError::Endpoint,
        () => return None,
    };
    let sent = Sent { attempt: 1, max_retries: MAX_RETRIES, form: Form::Whole, compressed: false };
    Some(response::transport_verdict(error, sent).into())
}
