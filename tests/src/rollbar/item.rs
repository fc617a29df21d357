//! `item_validity*`, `item_duplicate`: what the double answers to an item.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};
use xray_console::rollbar::{Answer, Double, Mode, Request, Scope, Settings, Tokens};

use super::judge_each;
use crate::family::{Failure, Outcome};

pub(crate) fn run_validity(document: &Value) -> Result<Vec<Outcome>, String> {
    judge_each(document, |input, expected| {
        let payload = input.get("payload").ok_or("no `payload`")?;
        Ok(judge(&send(&double(), input, payload.to_string().as_bytes())?, expected))
    })
}

pub(crate) fn run_validity_raw(document: &Value) -> Result<Vec<Outcome>, String> {
    judge_each(document, |input, expected| Ok(judge(&send(&double(), input, &raw_body(input)?)?, expected)))
}

pub(crate) fn run_duplicate(document: &Value) -> Result<Vec<Outcome>, String> {
    super::check(document, |input| {
        let payload = input.get("payload").ok_or("no `payload`")?.to_string();
        let times = input.get("times").and_then(Value::as_u64).ok_or("no `times`")?;
        let double = double();
        let statuses: Result<Vec<u16>, String> =
            (0..times).map(|_| Ok(send(&double, input, payload.as_bytes())?.status)).collect();
        Ok(json!({ "statuses": statuses?, "stored": double.stats().occurrences }))
    })
}

/// The double that the vectors were made for: strict, with one token for each scope.
fn double() -> Double {
    let scopes = [
        ("T", vec![Scope::PostServerItem]),
        ("C", vec![Scope::PostClientItem]),
        ("R", vec![Scope::Read]),
        ("D", vec![]),
    ];
    let mut settings = Settings::default();
    settings.mode = Mode::Strict;
    settings.tokens =
        Tokens::Listed(scopes.into_iter().map(|(letter, scopes)| (letter.repeat(32), scopes)).collect());
    Double::new(settings)
}

fn send(double: &Double, input: &Value, body: &[u8]) -> Result<Answer, String> {
    let headers: BTreeMap<String, String> = match input.get("headers") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(headers) => serde_json::from_value(headers.clone()).map_err(|error| error.to_string())?,
    };
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let request =
        Request { headers: &headers, body, ..Request::new("POST", "/api/1/item/", SystemTime::now()) };
    Ok(double.answer(&request))
}

/// Compares what is expected: a reason or a message that is null or absent is not.
fn judge(answer: &Answer, expected: &Value) -> Option<Failure> {
    let got = json!({ "status": answer.status, "reason": answer.reason, "message": answer.message() });
    let same = |key: &str| match expected.get(key) {
        None | Some(Value::Null) => true,
        Some(value) => crate::json::same(value, &got[key]),
    };
    let all = expected.get("status").is_some() && ["status", "reason", "message"].into_iter().all(same);
    (!all).then(|| Failure::Differs { expected: expected.clone(), got })
}

/// The body: its bytes, or in words how to make it.
fn raw_body(input: &Value) -> Result<Vec<u8>, String> {
    match (input.get("raw_utf8"), input.get("raw_generator")) {
        (Some(Value::String(text)), _) => Ok(bytes_of(text)),
        (_, Some(Value::String(words))) => generate(words),
        _ => Err("neither `raw_utf8` nor `raw_generator`".to_owned()),
    }
}

/// JSON cannot hold bytes: each character stands for the byte of its number (`\u00ff` for a byte that is no UTF-8).
/// Where a character is more than a byte, the text is meant.
fn bytes_of(text: &str) -> Vec<u8> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    bytes.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// `minimal message item, compact JSON, message body padded with 'x' to exactly 524288 bytes`.
fn generate(words: &str) -> Result<Vec<u8>, String> {
    let size = words
        .strip_prefix("minimal message item, compact JSON, message body padded with 'x' to exactly ")
        .and_then(|rest| rest.strip_suffix(" bytes")?.parse().ok());
    let size: usize = size.ok_or_else(|| format!("not a body that is known: {words}"))?;
    let item = |text: &str| {
        let data = json!({ "environment": "production", "body": { "message": { "body": text } } });
        json!({ "access_token": "T".repeat(32), "data": data }).to_string()
    };
    let padding = size.checked_sub(item("").len()).ok_or("smaller than the smallest item")?;
    Ok(item(&"x".repeat(padding)).into_bytes())
}
