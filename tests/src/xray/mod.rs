//! The families of `vectors/xray`: files `{name, description, cases: [{id, input, expected}]}`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::family::{Failure, Outcome};
use crate::input::{optional, required, text};

pub(crate) mod annotation;
pub(crate) mod client_ip;
pub(crate) mod daemon_address;
pub(crate) mod naming;
pub(crate) mod sampling;
pub(crate) mod sampling_central;
pub(crate) mod sql;
pub(crate) mod status;
pub(crate) mod trace_header;
pub(crate) mod wildcard;

/// Runs the cases of a file: `answer` makes the value that should be the expected one, or says what is wrong with the
/// input.
fn check(document: &Value, answer: impl Fn(&Value) -> Result<Value, String>) -> Result<Vec<Outcome>, String> {
    check_by(document, answer, crate::json::same)
}

/// The same, where `same` tells whether the expected value (first) and the answer agree.
fn check_by(
    document: &Value,
    answer: impl Fn(&Value) -> Result<Value, String>,
    same: impl Fn(&Value, &Value) -> bool,
) -> Result<Vec<Outcome>, String> {
    let cases = document.get("cases").and_then(Value::as_array).ok_or("it has no array `cases`")?;
    let outcome = |(index, case): (usize, &Value)| {
        let id =
            case.get("id").and_then(Value::as_str).map_or_else(|| format!("case {index}"), str::to_owned);
        Outcome { id, failure: judge(case, &answer, &same) }
    };
    Ok(cases.iter().enumerate().map(outcome).collect())
}

fn judge(
    case: &Value,
    answer: &impl Fn(&Value) -> Result<Value, String>,
    same: &impl Fn(&Value, &Value) -> bool,
) -> Option<Failure> {
    let (Some(input), Some(expected)) = (case.get("input"), case.get("expected")) else {
        return Some(Failure::Broken("the case has no `input` or no `expected`".into()));
    };
    match catch_unwind(AssertUnwindSafe(|| answer(input))) {
        Ok(Ok(got)) if same(expected, &got) => None,
        Ok(Ok(got)) => Some(Failure::Differs { expected: expected.clone(), got }),
        Ok(Err(what)) => Some(Failure::Broken(format!("the input cannot be read: {what}"))),
        Err(_) => Some(Failure::Broken("the code panicked".into())),
    }
}
