//! `sampling_decision_central`: scripts of what the service tells and what requests come, and what the central sampler makes of them.

use serde_json::{Value, json};
use xray_runtime::__conformance::{CentralHow, CentralRules};
use xray_runtime::SamplingRequest;

use super::{check, optional, required};
use crate::family::Outcome;

pub(crate) fn run(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let strict = input.get("strict_matching").and_then(Value::as_bool).unwrap_or(false);
        let mut rules = CentralRules::default();
        list(input, "ops")?.iter().map(|operation| step(&mut rules, strict, operation)).collect()
    })
}

fn step(rules: &mut CentralRules, strict: bool, operation: &Value) -> Result<Value, String> {
    let time = number(operation, "t")?;
    match required(operation, "op")? {
        "rules" => rules.replace(list(operation, "records")?, time),
        "targets" => rules.apply_targets(list(operation, "docs")?, time),
        "report" => return Ok(report(rules, time)),
        "decide" => return decide(rules, strict, time, operation),
        other => return Err(format!("no operation: `{other}`")),
    }
    Ok(Value::Null)
}

fn decide(rules: &CentralRules, strict: bool, time: f64, operation: &Value) -> Result<Value, String> {
    let random = number(operation, "rand")?;
    let given = operation.get("req").ok_or("no `req`")?;
    let mut request = SamplingRequest::new();
    request.host = optional(given, "host")?;
    request.http_method = optional(given, "method")?;
    request.url_path = optional(given, "path")?;
    request.service_name = optional(given, "service")?;
    request.service_type = optional(given, "service_type")?;
    let Some(decision) = rules.decide_at(&request, strict, time, || random) else {
        return Ok(json!({ "fallback": true }));
    };
    let how = match decision.how {
        CentralHow::Take => "take",
        CentralHow::Borrow => "borrow",
        CentralHow::Rate => "rate",
    };
    Ok(json!({ "sampled": decision.sampled, "rule": &*decision.rule, "how": how }))
}

fn report(rules: &mut CentralRules, time: f64) -> Value {
    let reports = rules.report(time).into_iter().map(|report| {
        json!({
            "RuleName": &*report.name,
            "RequestCount": report.statistics.requests,
            "SampledCount": report.statistics.sampled,
            "BorrowCount": report.statistics.borrowed,
        })
    });
    reports.collect()
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value.get(key).and_then(Value::as_array).ok_or_else(|| format!("no array `{key}`"))
}

fn number(value: &Value, key: &str) -> Result<f64, String> {
    value.get(key).and_then(Value::as_f64).ok_or_else(|| format!("no number `{key}`"))
}
