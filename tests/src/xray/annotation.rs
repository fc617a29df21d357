//! `annotation`: keys and values.

use serde_json::{Value, json};
use xray_runtime::__conformance::{fix_annotation_key, is_valid_annotation_key, valid_annotation_value};
use xray_runtime::AnnotationValue;

use super::{check, required};
use crate::family::Outcome;

pub(crate) fn run(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let key = required(input, "key")?;
        let valid = valid_annotation_value(value(input.get("value").unwrap_or(&Value::Null)));
        let truncated = valid.as_ref().is_some_and(|(_, truncated)| *truncated);
        Ok(json!({
            "key_valid": is_valid_annotation_key(key),
            "fixed_key": fix_annotation_key(key),
            "value_valid": valid.is_some(),
            "value": valid.map(|(value, _)| to_json(value)),
            "truncated": truncated,
        }))
    })
}

/// What can be said in JSON but is no text, boolean or number is no value in Rust either.
fn value(value: &Value) -> AnnotationValue {
    match value {
        Value::String(text) => text.into(),
        Value::Bool(truth) => truth.into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (_, Some(number)) => number.into(),
            _ => number.as_f64().into(),
        },
        _ => AnnotationValue::Absent,
    }
}

fn to_json(value: AnnotationValue) -> Value {
    match value {
        AnnotationValue::String(text) => text.into(),
        AnnotationValue::Bool(truth) => truth.into(),
        AnnotationValue::Int(number) => number.into(),
        AnnotationValue::UInt(number) => number.into(),
        AnnotationValue::Float(number) => number.into(),
        other => format!("{other:?}").into(),
    }
}
