//! `sampling_rule_file` and `sampling_decision_local`: which rules are valid, and what they decide.

use serde_json::{Value, json};
use xray_runtime::__conformance::How;
use xray_runtime::{LocalSampler, SamplingRequest};

use super::{check, check_by, optional, text};
use crate::family::Outcome;

/// The reason is for the reader: only whether the document is valid must agree.
pub(crate) fn run_rule_file(document: &Value) -> Result<Vec<Outcome>, String> {
    let answer = |input: &Value| {
        let read = LocalSampler::from_json(text(input)?);
        Ok(json!({ "valid": read.is_ok(), "reason": read.err().map(|error| error.reason()) }))
    };
    check_by(document, answer, |expected, got| expected.get("valid") == got.get("valid"))
}

pub(crate) fn run_decision(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let rules = input.get("rules").ok_or("no `rules`")?;
        let strict = input.get("strict_matching").and_then(Value::as_bool).unwrap_or(false);
        let sampler = LocalSampler::from_json(&rules.to_string())
            .map_err(|error| error.to_string())?
            .strict_matching(strict);
        let steps = input.get("steps").and_then(Value::as_array).ok_or("no `steps`")?;
        steps.iter().map(|step| decide(&sampler, step)).collect()
    })
}

fn decide(sampler: &LocalSampler, step: &Value) -> Result<Value, String> {
    let number = |key: &str| step.get(key).and_then(Value::as_f64).ok_or_else(|| format!("no `{key}`"));
    let (time, random) = (number("t")?, number("rand")?);
    let given = step.get("req").ok_or("no `req`")?;
    let mut request = SamplingRequest::new();
    request.host = optional(given, "host")?;
    request.http_method = optional(given, "method")?;
    request.url_path = optional(given, "path")?;
    let decision = sampler.decide_at(&request, time, || random);
    let how = match decision.how {
        How::Reservoir => "reservoir",
        How::Rate => "rate",
    };
    let rule = decision.rule.map_or_else(|| json!("default"), |index| json!(index));
    Ok(json!({ "sampled": decision.sampled, "rule": rule, "how": how }))
}
