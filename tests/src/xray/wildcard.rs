//! `wildcard_match`.

use serde_json::Value;
use xray_runtime::__conformance::wildcard_match;

use super::{check, optional};
use crate::family::Outcome;

pub(crate) fn run(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let case_insensitive = input.get("case_insensitive").and_then(Value::as_bool).unwrap_or(true);
        let matched = match (optional(input, "pattern")?, optional(input, "text")?) {
            (Some(pattern), Some(text)) => wildcard_match(pattern, text, case_insensitive),
            // Rust has no null text to ask about.
            _ => false,
        };
        Ok(matched.into())
    })
}
