//! Reading the input of a case.

use serde_json::Value;

/// A text.
pub(crate) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("not a text: {value}"))
}

/// The text of a field; `None` when it is absent or null.
pub(crate) fn optional<'a>(input: &'a Value, key: &str) -> Result<Option<&'a str>, String> {
    match input.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => text(value).map(Some),
    }
}

/// The text of a field that must be there.
pub(crate) fn required<'a>(input: &'a Value, key: &str) -> Result<&'a str, String> {
    optional(input, key)?.ok_or_else(|| format!("no `{key}`"))
}
