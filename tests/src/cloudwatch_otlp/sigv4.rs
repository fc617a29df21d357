//! `sigv4`: the headers of a signed request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use chrono::NaiveDateTime;
use serde_json::{Map, Value};
use xray_daemon::upstream::aws::signing::{Credentials, Signable, sign};

use crate::family::{Failure, Outcome};
use crate::input::{optional, required};

/// Signs each request of the file.
pub(crate) fn run(document: &Value) -> Result<Vec<Outcome>, String> {
    let cases = document.as_array().ok_or("it is no array")?;
    Ok(cases.iter().enumerate().map(outcome).collect())
}

fn outcome((index, case): (usize, &Value)) -> Outcome {
    let service = case.get("service").and_then(Value::as_str).unwrap_or("?");
    let id = format!("sigv4 {index} ({service})");
    let failure = match catch_unwind(AssertUnwindSafe(|| headers(case))) {
        Ok(Ok(got)) => match case.get("expect_headers") {
            None => Some(Failure::Broken("the case has no `expect_headers`".into())),
            Some(expected) if *expected == got => None,
            Some(expected) => Some(Failure::Differs { expected: expected.clone(), got }),
        },
        Ok(Err(what)) => Some(Failure::Broken(format!("the input cannot be read: {what}"))),
        Err(_) => Some(Failure::Broken("the code panicked".into())),
    };
    Outcome { id, failure }
}

/// The headers that are given, and those that the signature adds; names in lower case.
fn headers(case: &Value) -> Result<Value, String> {
    let given = case.get("headers").and_then(Value::as_object).ok_or("no `headers`")?;
    let mut headers: Vec<(String, &str)> = Vec::new();
    for (name, value) in given {
        headers.push((name.to_ascii_lowercase(), value.as_str().ok_or("a header that is no text")?));
    }
    let body = hex::decode(required(case, "body_hex")?).map_err(|error| error.to_string())?;
    let to_sign: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, *value)).collect();
    let request = Signable {
        method: optional(case, "method")?.unwrap_or("POST"),
        url: required(case, "url")?,
        headers: &to_sign,
        body: &body,
    };
    let token = optional(case, "session_token")?.map(str::to_owned);
    let credentials = Credentials::new(
        required(case, "access_key")?,
        required(case, "secret_key")?,
        token,
        None,
        "vectors",
    );
    let time = time(required(case, "amz_date")?)?;
    let added = sign(request, &credentials, required(case, "service")?, required(case, "region")?, time)
        .map_err(|error| error.to_string())?;
    let mut all = Map::new();
    for (name, value) in headers {
        all.insert(name, value.into());
    }
    for (name, value) in added {
        all.insert(name.to_owned(), value.into());
    }
    Ok(Value::Object(all))
}

/// Such as `20260105T030709Z`.
fn time(text: &str) -> Result<SystemTime, String> {
    let time = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").map_err(|error| error.to_string())?;
    let seconds = u64::try_from(time.and_utc().timestamp()).map_err(|error| error.to_string())?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
