//! `level_from_str`, `level_from_rust`, `level_threshold`: names and the order of levels.

use rollbar_runtime::__conformance::DEFAULT_LEVELS;
use rollbar_runtime::Level;
use serde_json::Value;

use super::check;
use crate::family::Outcome;
use crate::input::{required, text};

pub(crate) fn run_from_str(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| Ok(text(input)?.parse::<Level>().map_or(Value::Null, name)))
}

/// What an event of `tracing` or `log`, an error, a panic and a message are unless they say otherwise.
pub(crate) fn run_from_rust(document: &Value) -> Result<Vec<Outcome>, String> {
    let [of_message, of_error, of_panic] = DEFAULT_LEVELS;
    check(document, |input| {
        Ok(name(match text(input)? {
            "Err" => of_error,
            "panic" => of_panic,
            "message" => of_message,
            event => Level::from(&event.parse().map_err(|error| format!("{event}: {error}"))?),
        }))
    })
}

pub(crate) fn run_threshold(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let level = |key| required(input, key)?.parse::<Level>().map_err(|error| error.to_string());
        Ok(level("level")?.reaches(level("report_level")?).into())
    })
}

fn name(level: Level) -> Value {
    level.as_str().into()
}
