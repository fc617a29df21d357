//! A configuration file as a flat list of its keys, each with its value and its line.
//!
//! Values are resolved as the YAML library of the AWS daemon does (YAML 1.1: `yes` and `on` are booleans), because the
//! files were written for it. No nesting is kept beyond one section, so that no document takes more memory than its text.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use thiserror::Error;

/// One key of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// `Region`, or with its section: `Logging.LogLevel`.
    pub(super) key: String,
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing, `~` or `null`: as if the key were not there.
    Null,
    /// What it means depends on what the key wants.
    Plain(String),
    /// Quoted or in a block: text, and nothing else.
    Text(String),
    List,
    /// Of a key that is no section, or a section without keys.
    Section,
}

/// Why it cannot be read.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum YamlError {
    #[error("{line}:{column}: {info}")]
    Syntax { line: usize, column: usize, info: String },
    #[error("{line}: the file must be `key: value` lines")]
    NoKeys { line: usize },
    #[error("{line}: a key must be a word")]
    Key { line: usize },
    #[error("{line}: `*` may stand for a single value only; write this one out")]
    Alias { line: usize },
}

impl From<ScanError> for YamlError {
    fn from(error: ScanError) -> Self {
        let at = error.marker();
        Self::Syntax { line: at.line(), column: at.col() + 1, info: error.info().to_owned() }
    }
}

/// The keys of the first document in `text`, in their order.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, YamlError> {
    let mut reader =
        Reader { events: Parser::new_from_str(text), anchors: HashMap::new(), entries: Vec::new() };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
            (Event::MappingStart(..), _) => {
                reader.mapping(None)?;
                return Ok(reader.entries);
            }
            (Event::Scalar(text, ScalarStyle::Plain, ..), _) if is_null(&text) => return Ok(reader.entries),
            (Event::StreamEnd | Event::DocumentEnd, _) => return Ok(reader.entries),
            (_, at) => return Err(YamlError::NoKeys { line: at.start.line() }),
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// Single values only: what they stand for is copied, and copies of copies are how a small file fills the memory.
    anchors: HashMap<usize, Value>,
    entries: Vec<Entry>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        self.events.next_event().unwrap_or(Ok((Event::StreamEnd, Span::default()))).map_err(YamlError::from)
    }

    /// From behind the start of a mapping to its end.
    fn mapping(&mut self, section: Option<&str>) -> Result<(), YamlError> {
        loop {
            let (event, at) = self.next()?;
            let line = at.start.line();
            let key = match event {
                Event::MappingEnd | Event::StreamEnd => return Ok(()),
                Event::Scalar(text, ..) => match section {
                    Some(section) => format!("{section}.{text}"),
                    None => text.into_owned(),
                },
                _ => return Err(YamlError::Key { line }),
            };
            let (event, at) = self.next()?;
            let value = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let is_text = style != ScalarStyle::Plain
                        || tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                    let value = value(text, is_text);
                    if anchor != 0 {
                        self.anchors.insert(anchor, value.clone());
                    }
                    value
                }
                Event::Alias(anchor) => match self.anchors.get(&anchor) {
                    Some(value) => value.clone(),
                    None => return Err(YamlError::Alias { line: at.start.line() }),
                },
                Event::MappingStart(..) if section.is_none() => {
                    let before = self.entries.len();
                    self.mapping(Some(&key))?;
                    if self.entries.len() > before {
                        continue;
                    }
                    Value::Section
                }
                Event::MappingStart(..) => {
                    self.skip()?;
                    Value::Section
                }
                Event::SequenceStart(..) => {
                    self.skip()?;
                    Value::List
                }
                _ => return Err(YamlError::Key { line }),
            };
            self.entries.push(Entry { key, line, value });
        }
    }

    /// From behind the start of a list or a mapping to its end.
    fn skip(&mut self) -> Result<(), YamlError> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next()?.0 {
                Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
                Event::MappingEnd | Event::SequenceEnd => depth -= 1,
                Event::StreamEnd => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn value(text: Cow<'_, str>, is_text: bool) -> Value {
    if is_text {
        Value::Text(text.into_owned())
    } else if is_null(&text) {
        Value::Null
    } else {
        Value::Plain(text.into_owned())
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// A plain value as a boolean of YAML 1.1.
pub(super) fn boolean(plain: &str) -> Option<bool> {
    let lower = plain.to_ascii_lowercase();
    // `True` and `TRUE`, but not `tRUE`.
    let is_cased = plain == lower || plain == plain.to_ascii_uppercase() || plain.get(1..) == lower.get(1..);
    match lower.as_str() {
        _ if !is_cased => None,
        "y" | "yes" | "on" | "true" => Some(true),
        "n" | "no" | "off" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, usize, Value)> {
        entries(text).unwrap().into_iter().map(|entry| (entry.key, entry.line, entry.value)).collect()
    }

    fn plain(text: &str) -> Value {
        Value::Plain(text.to_owned())
    }

    #[test]
    fn keys_come_with_their_section_and_line() {
        let text = "# comment\n---\nTotalBufferSizeMB: 24 # more\nSocket:\n  UDPAddress: \"127.0.0.1:2000\"\n  TCPAddress: 'a b'\n\
                    Logging: {LogPath: /x, LogLevel: ~}\nRegion:\nVersion: 2\nLocalMode: &on yes\nNoVerifySSL: *on\n";
        assert_eq!(
            read(text),
            [
                ("TotalBufferSizeMB".to_owned(), 3, plain("24")),
                ("Socket.UDPAddress".to_owned(), 5, Value::Text("127.0.0.1:2000".to_owned())),
                ("Socket.TCPAddress".to_owned(), 6, Value::Text("a b".to_owned())),
                ("Logging.LogPath".to_owned(), 7, plain("/x")),
                ("Logging.LogLevel".to_owned(), 7, Value::Null),
                ("Region".to_owned(), 8, Value::Null),
                ("Version".to_owned(), 9, plain("2")),
                ("LocalMode".to_owned(), 10, plain("yes")),
                ("NoVerifySSL".to_owned(), 11, plain("yes")),
            ]
        );
    }

    #[test]
    fn what_is_deeper_is_not_kept() {
        assert_eq!(
            read("A: [1, {b: [c]}]\nB: {c: {d: {e: f}}, g: h}\nC: {}\nD: !!str 8\n"),
            [
                ("A".to_owned(), 1, Value::List),
                ("B.c".to_owned(), 2, Value::Section),
                ("B.g".to_owned(), 2, plain("h")),
                ("C".to_owned(), 3, Value::Section),
                ("D".to_owned(), 4, Value::Text("8".to_owned())),
            ]
        );
    }

    #[test]
    fn an_empty_file_has_no_keys_and_the_first_document_counts() {
        for text in ["", "\n\n", "# only a comment\n", "---\n", "~\n", "---\n...\n"] {
            assert_eq!(read(text), [], "{text:?}");
        }
        assert_eq!(read("A: 1\n---\nB: 2\n"), [("A".to_owned(), 1, plain("1"))]);
    }

    #[test]
    fn what_is_no_list_of_keys_is_refused_with_its_line() {
        let cases = [
            ("just words\n", "1: the file must be `key: value` lines"),
            ("- a\n- b\n", "1: the file must be"),
            ("A: 1\n[a, b]: 2\n", "2: a key must be a word"),
            ("A: &a {b: c}\nB: *a\n", "2: `*` may stand"),
            ("A: &a [b]\n<<: *a\n", "2: `*` may stand"),
            ("A: &a [*a, *a]\nB: *a\n", "2: `*` may stand"),
            ("A: 1\nB: \"open\n", "2:4: while scanning a quoted scalar"),
            ("A: 1\n B: 2\n", "2:"),
            ("A:\n\t- b: [\n", "2:"),
            ("A: *nobody\n", "1:"),
        ];
        for (text, begins) in cases {
            let error = entries(text).unwrap_err().to_string();
            assert!(error.starts_with(begins), "{text:?}: {error}");
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        // A billion laughs: nine levels of nine references.
        let mut laughs = "a0: &a0 [lol, lol]\n".to_owned();
        for level in 1..=9 {
            let before = format!("*a{}", level - 1);
            laughs.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 9].join(", ")));
        }
        assert_eq!(read(&laughs).len(), 10);
        assert!(entries(&format!("{laughs}Region: *a9\n")).is_err());
        for deep in ["[", "{a: ", "- ", "? ", "a:\n ", "&a ", "!t "] {
            // Refused or not: no stack overflows, no memory fills.
            let _ = entries(&deep.repeat(1 << 14));
            let _ = entries(&format!("A: {}", deep.repeat(1 << 14)));
        }
    }

    #[test]
    fn booleans_are_those_of_yaml_1_1() {
        for text in ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"] {
            assert_eq!(boolean(text), Some(true), "{text}");
        }
        for text in ["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"] {
            assert_eq!(boolean(text), Some(false), "{text}");
        }
        for text in ["", "1", "tRUE", "yEs", "maybe", "ÿ", "éAb", "t"] {
            assert_eq!(boolean(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-a:&*!?|>{}\\[\\]'\"#,% \t\r\n~é]{0,120}") {
            let _ = entries(&text);
        }
    }
}
