//! Reads the members of a JSON object within their limits, and says of one that is not as it must be which, and what to
//! write.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use thiserror::Error;

/// The most characters of a wrong value that are shown.
const SHOWN: usize = 64;

/// A member of a request, or of a file, is missing or not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path} must be {wanted}, but {found}")]
pub struct InvalidMember {
    path: String,
    wanted: Cow<'static, str>,
    found: String,
}

impl InvalidMember {
    pub(super) fn new(
        path: impl Into<String>,
        wanted: impl Into<Cow<'static, str>>,
        value: Option<&Value>,
    ) -> Self {
        Self { path: path.into(), wanted: wanted.into(), found: found(value) }
    }

    /// Where it stands, such as `SamplingRuleRecords[2].SamplingRule.FixedRate`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// A value as the end of a sentence.
fn found(value: Option<&Value>) -> String {
    match value {
        None => "it is missing".into(),
        Some(Value::Array(_)) => "it is an array".into(),
        Some(Value::Object(_)) => "it is an object".into(),
        Some(Value::String(text)) if text.chars().count() > SHOWN => {
            format!("it has {} characters", text.chars().count())
        }
        // Escaped as Rust does: JSON leaves the control characters above 127.
        Some(Value::String(text)) => format!("it is {text:?}"),
        Some(plain) => format!("it is {plain}"),
    }
}

/// An object whose members are read. A member that is `null` is as one that is absent.
#[derive(Debug, Clone)]
pub(super) struct Members<'a> {
    fields: &'a Map<String, Value>,
    /// Where the object stands; empty for the outermost.
    path: Cow<'a, str>,
}

impl<'a> Members<'a> {
    pub(super) fn of(value: &'a Value, path: impl Into<Cow<'a, str>>) -> Result<Self, InvalidMember> {
        let path = path.into();
        match value {
            Value::Object(fields) => Ok(Self { fields, path }),
            other => Err(InvalidMember::new(path, "an object", Some(other))),
        }
    }

    pub(super) fn outermost(fields: &'a Map<String, Value>) -> Self {
        Self { fields, path: "".into() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The error that `name` is not what is wanted.
    pub(super) fn invalid(&self, name: &str, wanted: impl Into<Cow<'static, str>>) -> InvalidMember {
        InvalidMember::new(self.path_of(name), wanted, self.get(name))
    }

    /// Text of so many characters (Unicode scalar values).
    pub(super) fn text(&self, name: &str, length: RangeInclusive<usize>) -> Result<&'a str, InvalidMember> {
        match self.get(name) {
            Some(Value::String(text)) if length.contains(&text.chars().count()) => Ok(text),
            _ => {
                let wanted = match length.into_inner() {
                    (0, most) => format!("text of at most {most} characters"),
                    (least, most) => format!("text of {least} to {most} characters"),
                };
                Err(self.invalid(name, wanted))
            }
        }
    }

    /// A wildcard pattern. An empty one matches nothing that a request has.
    pub(super) fn pattern(&self, name: &str, most: usize) -> Result<&'a str, InvalidMember> {
        self.text(name, 1..=most).map_err(|_| {
            self.invalid(name, format!("a pattern of 1 to {most} characters, `*` to match everything"))
        })
    }

    /// A whole number.
    pub(super) fn whole(&self, name: &str, range: RangeInclusive<u64>) -> Result<u64, InvalidMember> {
        self.get(name).and_then(Value::as_u64).filter(|number| range.contains(number)).ok_or_else(|| {
            let wanted = match range.into_inner() {
                (least, most) if least == most => least.to_string(),
                (least, u64::MAX) => format!("a whole number from {least}"),
                (least, most) => format!("a whole number from {least} to {most}"),
            };
            self.invalid(name, wanted)
        })
    }

    /// A share: a number from 0 to 1.
    pub(super) fn share(&self, name: &str) -> Result<f64, InvalidMember> {
        self.get(name)
            .and_then(Value::as_f64)
            .filter(|share| (0.0..=1.0).contains(share))
            // A negative zero is a zero.
            .map(f64::abs)
            .ok_or_else(|| self.invalid(name, "a number from 0 to 1"))
    }

    /// An array of at most so many; none where it is absent.
    pub(super) fn list(&self, name: &str, most: usize) -> Result<Option<&'a [Value]>, InvalidMember> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(list)) if list.len() <= most => Ok(Some(list)),
            Some(Value::Array(list)) => {
                let wanted = format!("an array of at most {most}");
                let found = format!("it has {}", list.len());
                Err(InvalidMember { found, ..self.invalid(name, wanted) })
            }
            Some(_) => Err(self.invalid(name, format!("an array of at most {most}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_says_where_what_is_wanted_and_what_was_found() {
        let object = json!({
            "Long": "x".repeat(65), "Short": "", "Number": 1.5, "Object": {}, "List": [1, 2, 3], "Null": null, "Control": "\u{9b}1m",
        });
        let members = Members::of(&object, "Rules[2]").unwrap();
        let told = |error: InvalidMember| error.to_string();
        let cases = [
            (
                told(members.text("Long", 1..=64).unwrap_err()),
                "Rules[2].Long must be text of 1 to 64 characters, but it has 65 characters",
            ),
            (
                told(members.pattern("Short", 64).unwrap_err()),
                "Rules[2].Short must be a pattern of 1 to 64 characters, `*` to match everything, but it is \"\"",
            ),
            (
                told(members.share("Number").unwrap_err()),
                "Rules[2].Number must be a number from 0 to 1, but it is 1.5",
            ),
            (
                told(members.whole("Object", 1..=9).unwrap_err()),
                "Rules[2].Object must be a whole number from 1 to 9, but it is an object",
            ),
            (told(members.whole("Number", 1..=1).unwrap_err()), "Rules[2].Number must be 1, but it is 1.5"),
            (
                told(members.list("List", 2).unwrap_err()),
                "Rules[2].List must be an array of at most 2, but it has 3",
            ),
            (
                told(members.text("Null", 0..=5).unwrap_err()),
                "Rules[2].Null must be text of at most 5 characters, but it is missing",
            ),
        ];
        assert!(told(members.share("Control").unwrap_err()).ends_with(r#"it is "\u{9b}1m""#));
        for (told, expected) in cases {
            assert_eq!(told, expected);
        }
        let error = Members::of(&json!([]), "Rules[2]").unwrap_err();
        assert_eq!(
            (error.path(), &*told(error.clone())),
            ("Rules[2]", "Rules[2] must be an object, but it is an array")
        );
    }

    #[test]
    fn limits_are_inclusive_and_count_characters() {
        let object =
            json!({ "Text": "héllo", "Zero": 0, "Minus": -1, "One": 1, "Float": 1.0, "MinusZero": -0.0 });
        let members = Members::of(&object, "").unwrap();
        assert_eq!(members.text("Text", 5..=5), Ok("héllo"));
        assert!(members.text("Text", 1..=4).is_err());
        assert_eq!(members.whole("Zero", 0..=u64::MAX), Ok(0));
        for name in ["Minus", "Float", "Text"] {
            assert!(members.whole(name, 0..=u64::MAX).is_err(), "{name}");
        }
        assert_eq!(
            (members.share("Zero"), members.share("One"), members.share("Float")),
            (Ok(0.0), Ok(1.0), Ok(1.0))
        );
        assert!(members.share("MinusZero").unwrap().is_sign_positive());
        assert!(members.share("Minus").is_err());
    }
}
