//! `grouping_pair`, `title`: what an item is grouped by, and what it is called.

use std::time::SystemTime;

use serde_json::{Value, json};
use xray_console::rollbar::{Double, Request, Settings, fingerprint, title};

use super::{check, judge_each};
use crate::family::{Failure, Outcome};

/// The documented fingerprints must agree as the pair says; where the two must make one item, the double, which takes
/// away more, must make one of them.
pub(crate) fn run_pair(document: &Value) -> Result<Vec<Outcome>, String> {
    let mut outcomes = judge_each(document, |input, expected| {
        let (a, b) = (half(input, "a")?, half(input, "b")?);
        let same = fingerprint(a) == fingerprint(b);
        let items = items(&[a, b])?;
        let same_item = same && items == 1;
        let got = json!({ "same_item": same_item });
        Ok((!crate::json::same(expected, &got)).then(|| Failure::Differs { expected: expected.clone(), got }))
    })?;
    // Beside `expect`, a case may have the fingerprints themselves.
    for (case, outcome) in document.as_array().into_iter().flatten().zip(&mut outcomes) {
        let Some(expected) = case.get("fingerprints").filter(|_| outcome.failure.is_none()) else { continue };
        let got = json!([fingerprint(&case["input"]["a"]), fingerprint(&case["input"]["b"])]);
        if *expected != got {
            outcome.failure = Some(Failure::Differs { expected: expected.clone(), got });
        }
    }
    Ok(outcomes)
}

pub(crate) fn run_title(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |data| Ok(title(data).into()))
}

fn half<'a>(input: &'a Value, key: &str) -> Result<&'a Value, String> {
    input.get(key).ok_or_else(|| format!("no `{key}`"))
}

/// How many items the double makes of these.
fn items(all: &[&Value]) -> Result<usize, String> {
    let double = Double::new(Settings::default());
    for data in all {
        let body = json!({ "access_token": "any", "data": data }).to_string();
        let request =
            Request { body: body.as_bytes(), ..Request::new("POST", "/api/1/item/", SystemTime::now()) };
        let answer = double.answer(&request);
        if answer.status != 200 {
            return Err(format!("the double refuses it: {:?}", answer.message()));
        }
    }
    Ok(double.items().len())
}
