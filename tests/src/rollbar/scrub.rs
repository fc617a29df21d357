//! `scrub_object`, `scrub_string`: what is masked, and that all else stays.

use rollbar_runtime::__conformance::scrub;
use serde_json::Value;

use super::check;
use crate::family::Outcome;
use crate::input::text;

pub(crate) fn run_object(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| scrubbed(input, "object"))
}

pub(crate) fn run_string(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| scrubbed(input, "string"))
}

fn scrubbed(input: &Value, key: &str) -> Result<Value, String> {
    let fields = input.get("scrub_fields").and_then(Value::as_array).ok_or("no `scrub_fields`")?;
    let fields = fields.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let mut tree = input.get(key).ok_or_else(|| format!("no `{key}`"))?.clone();
    scrub(&fields, &mut tree);
    Ok(tree)
}
