//! `#[xray_capture(..)]`: what X-Ray accepts as a name and as the key of an annotation (AWS's segment document schema).

use syn::{Token, token};

use super::name::too_long;
use super::{Attribute, Pair, Word, pairs};

/// Characters of a name, more are cut off when a document is made.
const MAX_NAME_CHARS: usize = 200;
const NAME_SIGNS: &str = "_.:/%&#=+\\-@";
/// Characters of an annotation's key.
const MAX_KEY_CHARS: usize = 500;

/// What `#[xray_capture]` takes.
#[derive(Default)]
pub(crate) struct XrayCapture {
    pub(crate) namespace: Option<Namespace>,
    pub(crate) annotations: Vec<Pair>,
    pub(crate) metadata: Vec<Pair>,
    pub(crate) segment: bool,
    pub(crate) error: ErrorClass,
}

/// The namespaces that X-Ray knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Namespace {
    Remote,
    Aws,
}

/// What an `Err` marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum ErrorClass {
    #[default]
    Fault,
    Error,
    Throttle,
    Ignore,
}

impl Attribute for XrayCapture {
    const NAME: &'static str = "xray_capture";
    const RUNTIME: &'static str = "xray_runtime";
    const WORDS: &'static [Word<Self>] = &[
        Word::NAME,
        Word {
            name: "namespace",
            write: "namespace = \"remote\"",
            read: |args, word, _| {
                let choices = [("remote", Namespace::Remote), ("aws", Namespace::Aws)];
                args.own.namespace = Some(word.one_of(&choices)?);
                Ok(())
            },
        },
        Word {
            name: "annotations",
            write: "annotations(key = expr)",
            read: |args, word, diag| {
                args.own.annotations = pairs::read(&word, key_fault, diag)?;
                Ok(())
            },
        },
        Word {
            name: "metadata",
            write: "metadata(key = expr)",
            read: |args, word, diag| {
                args.own.metadata = pairs::read(&word, |_| None, diag)?;
                Ok(())
            },
        },
        Word {
            name: "segment",
            write: "segment",
            read: |args, word, _| {
                if word.input.peek(Token![=]) || word.input.peek(token::Paren) {
                    return Err(word.input.error("`segment` takes no value: write `segment`"));
                }
                args.own.segment = true;
                Ok(())
            },
        },
        Word {
            name: "error",
            write: "error = \"fault\"",
            read: |args, word, _| {
                args.own.error = word.one_of(&[
                    ("fault", ErrorClass::Fault),
                    ("error", ErrorClass::Error),
                    ("throttle", ErrorClass::Throttle),
                    ("ignore", ErrorClass::Ignore),
                ])?;
                Ok(())
            },
        },
        Word::CRATE,
    ];

    fn name_fault(name: &str) -> Option<String> {
        let bad = name.chars().find(|c| !(c.is_alphanumeric() || *c == ' ' || NAME_SIGNS.contains(*c)));
        match bad {
            Some(bad) => {
                Some(format!("a name cannot hold {bad:?}; write letters, digits, spaces and `{NAME_SIGNS}`"))
            }
            None => too_long("name", name, "X-Ray", MAX_NAME_CHARS),
        }
    }
}

/// An annotation's key is ASCII, as X-Ray demands; metadata may have any.
fn key_fault(key: &str) -> Option<String> {
    match key.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '_')) {
        Some(bad) => {
            Some(format!("an annotation's key cannot hold {bad:?}; write ASCII letters, digits and `_`"))
        }
        None => (key.len() > MAX_KEY_CHARS)
            .then(|| format!("an annotation's key has at most {MAX_KEY_CHARS} characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_schema_allows() {
        for name in
            ["a", "notifications-activities", "GET /api/activities", "größe 幅", "a_b.c:d/e%f&g#h=i+j\\k-l@m"]
        {
            assert_eq!(XrayCapture::name_fault(name), None, "{name}");
        }
        assert_eq!(XrayCapture::name_fault(&"é".repeat(200)), None);
    }

    #[test]
    fn the_first_bad_character_is_named() {
        for (name, fault) in [
            ("who? me!", "a name cannot hold '?'"),
            ("tab\there", "a name cannot hold '\\t'"),
            (&"é".repeat(201), "the name has 201 characters"),
        ] {
            assert!(XrayCapture::name_fault(name).is_some_and(|text| text.starts_with(fault)), "{name}");
        }
    }

    #[test]
    fn keys_that_can_be_indexed() {
        assert_eq!(key_fault("user_id_2"), None);
        assert_eq!(key_fault(&"k".repeat(500)), None);
        assert!(key_fault("größe").is_some_and(|text| text.contains("cannot hold 'ö'")));
        assert!(key_fault(&"k".repeat(501)).is_some_and(|text| text.contains("at most 500")));
    }
}
