//! JSON text that is read leniently and shown as it was sent.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The value as a `T`; none where it is absent or of another type.
pub(crate) fn read<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

/// The entries of an object in the order they were sent in. (The order of `serde_json::Map` depends on a feature that
/// any crate of the build may switch on.)
#[derive(Default)]
pub(crate) struct Entries<'a>(pub(crate) Vec<(Box<str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// Valid JSON without the white space between its tokens.
pub(crate) fn compact(json: &str) -> Box<str> {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            out.push(c);
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
        } else if !c.is_ascii_whitespace() {
            out.push(c);
            in_string = c == '"';
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacting_keeps_strings_as_they_are() {
        assert_eq!(&*compact("{ \"a b\" :\n[1, \"x \\\" , y\"] }"), r#"{"a b":[1,"x \" , y"]}"#);
    }

    #[test]
    fn entries_keep_their_order() {
        let Entries(entries) = serde_json::from_str(r#"{"z":1,"a":{"deep":[[[]]]},"m":null}"#).unwrap();
        let keys: Vec<&str> = entries.iter().map(|(key, _)| &**key).collect();
        assert_eq!(keys, ["z", "a", "m"]);
    }
}
