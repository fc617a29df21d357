//! `response_action`, `transport_error_action`: what to do after a try to send.

use rollbar_runtime::__conformance::{Decision, after_answer, after_transport_error};
use serde_json::{Map, Value, json};

use super::{header, judge_each};
use crate::family::{Failure, Outcome};
use crate::input::{optional, required};

pub(crate) fn run_response(document: &Value) -> Result<Vec<Outcome>, String> {
    judge_each(document, |input, expected| {
        let number = |key: &str| input.get(key).and_then(Value::as_u64);
        let status = number("status").and_then(|status| u16::try_from(status).ok()).ok_or("no `status`")?;
        let attempt = number("attempt").map_or(1, |attempt| u32::try_from(attempt).unwrap_or(u32::MAX));
        let compressed = input.get("compressed").and_then(Value::as_bool).unwrap_or(false);
        let body = optional(input, "body")?.unwrap_or_default();
        let headers = input.get("headers").unwrap_or(&Value::Null);
        let decision = after_answer(status, |name| header(headers, name), body, attempt, compressed);
        Ok(differs(expected, &decision))
    })
}

pub(crate) fn run_transport_error(document: &Value) -> Result<Vec<Outcome>, String> {
    judge_each(document, |input, expected| {
        let error = required(input, "error")?;
        let decision =
            after_transport_error(error).ok_or_else(|| format!("`{error}` is no error we know"))?;
        Ok(differs(expected, &decision))
    })
}

/// The words of `log` are for the reader, and so is what else a case may note: whether there is a line must agree.
fn differs(expected: &Value, decision: &Decision) -> Option<Failure> {
    let mut got = Map::new();
    got.insert("action".into(), decision.action.into());
    if let Some(pause) = decision.pause {
        got.insert("seconds".into(), pause.as_secs().into());
    }
    if decision.action == "pause" {
        got.insert("item".into(), "keep_if_room".into());
    }
    let same = ["action", "seconds", "item"].iter().all(|key| expected.get(key) == got.get(*key))
        && expected.get("log").is_some() == decision.log.is_some();
    if let Some(log) = decision.log {
        got.insert("log".into(), json!(log));
    }
    (!same).then(|| Failure::Differs { expected: expected.clone(), got: got.into() })
}
