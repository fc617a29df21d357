//! The families of `vectors/rollbar`: arrays of `{kind, name, input, expect, oracle}`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::family::{Failure, Outcome};

pub(crate) mod answer;
pub(crate) mod grouping;
pub(crate) mod item;
pub(crate) mod level;
pub(crate) mod request;
pub(crate) mod scrub;
pub(crate) mod truncation;

/// Runs the cases of a file: `answer` makes the value that should be the expected one, or says what is wrong with the
/// input.
pub(crate) fn check(
    document: &Value,
    answer: impl Fn(&Value) -> Result<Value, String>,
) -> Result<Vec<Outcome>, String> {
    judge_each(document, |input, expected| {
        let got = answer(input)?;
        Ok((!crate::json::same(expected, &got)).then(|| Failure::Differs { expected: expected.clone(), got }))
    })
}

/// Runs the cases of a file: `judge` is given `input` and `expect`, and tells what failed, or what is wrong with the
/// case.
pub(crate) fn judge_each(
    document: &Value,
    judge: impl Fn(&Value, &Value) -> Result<Option<Failure>, String>,
) -> Result<Vec<Outcome>, String> {
    let cases = document.as_array().ok_or("it is no array of cases")?;
    let outcome = |(index, case): (usize, &Value)| {
        let name = |key: &str| case.get(key).and_then(Value::as_str);
        let id = match (name("kind"), name("name")) {
            (Some(kind), Some(name)) => format!("{kind}: {name}"),
            (_, Some(name)) => name.to_owned(),
            _ => format!("case {index}"),
        };
        Outcome { id, failure: judge_one(case, &judge) }
    };
    Ok(cases.iter().enumerate().map(outcome).collect())
}

fn judge_one(
    case: &Value,
    judge: &impl Fn(&Value, &Value) -> Result<Option<Failure>, String>,
) -> Option<Failure> {
    let (Some(input), Some(expected)) = (case.get("input"), case.get("expect")) else {
        return Some(Failure::Broken("the case has no `input` or no `expect`".into()));
    };
    match catch_unwind(AssertUnwindSafe(|| judge(input, expected))) {
        Ok(Ok(failure)) => failure,
        Ok(Err(what)) => Some(Failure::Broken(format!("the case cannot be read: {what}"))),
        Err(_) => Some(Failure::Broken("the code panicked".into())),
    }
}

/// The value of a header by its name in any case.
fn header<'a>(headers: &'a Value, name: &str) -> Option<&'a str> {
    let named = |(key, _): &(&String, &Value)| key.eq_ignore_ascii_case(name);
    headers.as_object()?.iter().find(named)?.1.as_str()
}
