//! What an occurrence is grouped by, and what its item is called.
//!
//! [`fingerprint`] is the basic algorithm that Rollbar documents (`guides/grouping-algorithm.md`): a given fingerprint,
//! else the SHA-1 of all files, methods and classes without what changes from release to release, else that of the
//! message without what looks like data. [`rust_fingerprint`] is the same once a Rust item is rid of what a compiler or
//! a path of the build adds, so that a new toolchain does not split items.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;
use sha1::{Digest, Sha1};

use super::rust_names;

/// A date in a path, with or without a time.
const DATE: &str = r"\d{4}[-_/.]?\d{2}[-_/.]?\d{2}(?:[T_-]?\d{6})?";
/// A commit in a path.
const SHA: &str = r"\b[0-9a-f]{7,40}\b";
/// Digits that are more than part of a name.
const NUMBER: &str = r"\d{2,}";
/// The hash that the compiler adds to a symbol.
const SYMBOL_HASH: &str = r"::h[0-9a-f]{16}(\n?)$";
/// What in a message looks like data, in the order in which it is taken out.
const MESSAGE: [&str; 5] = [
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?",
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",
    r"\d+\.\d+",
    r"\b(?:0x)?(?<hex>[0-9a-fA-F]{4,})\b",
    NUMBER,
];

/// Compiles constant patterns. (That none is lost is tested.)
pub(super) fn compile(patterns: &[&str]) -> Vec<Regex> {
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
}

static IN_FILES: LazyLock<Vec<Regex>> = LazyLock::new(|| compile(&[DATE, SHA]));
static IN_METHODS: LazyLock<Vec<Regex>> = LazyLock::new(|| compile(&[SYMBOL_HASH, NUMBER]));
static IN_MESSAGES: LazyLock<Vec<Regex>> = LazyLock::new(|| compile(&MESSAGE));

/// The longest fingerprint that is taken as it is, in characters; of a longer one the SHA-1 is.
const MAX_FINGERPRINT: usize = 40;

/// The longest title, in characters.
const MAX_TITLE: usize = 255;

/// The fingerprint of an item's `data`, by Rollbar's documented algorithm.
///
/// ```
/// use serde_json::json;
/// use xray_console::rollbar::fingerprint;
///
/// let of = |text: &str| fingerprint(&json!({"body": {"message": {"body": text}}}));
/// assert_eq!(of("took 12 ms"), of("took 97 ms"));
/// ```
#[must_use]
pub fn fingerprint(data: &Value) -> String {
    grouped(data, false)
}

/// The fingerprint by which the double groups: that of [`fingerprint`], but for items of Rust without closures, generic
/// arguments, the folders of the toolchain and of the registry, frames of the runtime, and places in messages.
#[must_use]
pub fn rust_fingerprint(data: &Value) -> String {
    grouped(data, true)
}

fn grouped(data: &Value, rust: bool) -> String {
    if let Some(own) = data["fingerprint"].as_str().filter(|own| !own.is_empty()) {
        return if own.chars().count() <= MAX_FINGERPRINT { own.to_owned() } else { sha1(own) };
    }
    let language = data["language"].as_str();
    let rust = rust && language.is_none_or(|language| language.starts_with("rust"));
    let is_rust = |frame: &Value| rust && (language.is_some() || rust_names::is_rust(frame));
    let body = &data["body"];
    if let Some(text) = message_of(body) {
        let text = if rust { rust_names::without_places(text) } else { Cow::Borrowed(text) };
        return sha1(&without(&text, &IN_MESSAGES));
    }
    let root = data["server"]["root"].as_str().unwrap_or_default();
    let mut all = String::new();
    for trace in traces(body) {
        let frames = trace["frames"].as_array().map_or(&[][..], Vec::as_slice);
        let own: Vec<&Value> =
            frames.iter().filter(|frame| !(is_rust(frame) && rust_names::is_runtime(frame))).collect();
        // A stack of nothing else is told apart by it.
        let kept = if own.is_empty() { frames.iter().collect() } else { own };
        for frame in kept {
            let (file, method) = (text_of(&frame["filename"]), text_of(&frame["method"]));
            if is_rust(frame) {
                all.push_str(&file_name(&rust_names::file(file), root));
                all.push_str(&method_name(&rust_names::method(method)));
            } else {
                all.push_str(&file_name(file, root));
                all.push_str(&method_name(method));
            }
        }
        all.push_str(text_of(&trace["exception"]["class"]));
    }
    sha1(&all)
}

/// The title of an item's `data`: its own, else class and message, else the message; at most 255 characters.
#[must_use]
pub fn title(data: &Value) -> String {
    if let Some(own) = data["title"].as_str().filter(|own| !own.is_empty()) {
        return first(own, MAX_TITLE);
    }
    let body = &data["body"];
    if let Some(text) = message_of(body) {
        return first(text, MAX_TITLE);
    }
    let exception = traces(body).first().map_or(&Value::Null, |trace| &trace["exception"]);
    let class = text_of(&exception["class"]);
    match said(exception) {
        "" => first(class, MAX_TITLE),
        said => first(&format!("{class}: {said}"), MAX_TITLE),
    }
}

/// What an exception says: its description, which is for people, or else its message.
pub(super) fn said(exception: &Value) -> &str {
    match text_of(&exception["description"]) {
        "" => text_of(&exception["message"]),
        description => description,
    }
}

/// The text of a message, or the first line of a crash report; none of traces.
pub(super) fn message_of(body: &Value) -> Option<&str> {
    if let Some(message) = body.get("message") {
        return Some(text_of(&message["body"]));
    }
    let report = body.get("crash_report")?;
    text_of(&report["raw"]).split('\n').next()
}

/// The traces of a body, the outermost first.
pub(super) fn traces(body: &Value) -> &[Value] {
    match body.get("trace_chain").and_then(Value::as_array) {
        Some(chain) => chain,
        None => body.get("trace").map_or(&[], std::slice::from_ref),
    }
}

pub(super) fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The first `count` characters.
pub(super) fn first(text: &str, count: usize) -> String {
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end]).to_owned()
}

fn file_name(file: &str, root: &str) -> String {
    match file.strip_prefix(root) {
        Some(rest) if !root.is_empty() => without(&format!("<root>{rest}"), &IN_FILES).into_owned(),
        _ => without(file, &IN_FILES).into_owned(),
    }
}

fn method_name(method: &str) -> Cow<'_, str> {
    without(method, &IN_METHODS)
}

/// The text without what the patterns find, one after the other.
fn without<'a>(text: &'a str, patterns: &[Regex]) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for pattern in patterns {
        let found = pattern.replace_all(&text, |found: &Captures<'_>| match found.name("hex") {
            // A word of letters only is a word.
            Some(hex) if !hex.as_str().bytes().any(|byte| byte.is_ascii_digit()) => found[0].to_owned(),
            // The end of the line that follows a symbol's hash.
            None if found.len() > 1 => found[1].to_owned(),
            _ => String::new(),
        });
        if let Cow::Owned(changed) = found {
            text = Cow::Owned(changed);
        }
    }
    text
}

fn sha1(text: &str) -> String {
    Sha1::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!((IN_FILES.len(), IN_METHODS.len(), IN_MESSAGES.len()), (2, 2, MESSAGE.len()));
    }

    #[test]
    fn what_looks_like_data_is_taken_out() {
        let cases = [
            ("at 2026-01-02T03:04:05.678+01:00 x", "at  x"),
            ("id f81d4fae-7dec-11d0-a765-00a0c91e6bf6.", "id ."),
            ("took 1.5s of 7", "took s of 7"),
            ("0xdead1 0xdead dead beef1 face", " 0xdead dead  face"),
            ("user 12 of 345678", "user  of "),
            ("v1 x22y", "v1 xy"),
        ];
        for (text, expected) in cases {
            assert_eq!(without(text, &IN_MESSAGES), expected, "{text}");
        }
        assert_eq!(file_name("/srv/3da541e/2026-01-02_030405/a.rs", "/srv"), "<root>///a.rs");
        assert_eq!(method_name("a::f12::h0123456789abcdef"), "a::f");
        assert_eq!(method_name("a::f::h0123456789abcdef\n"), "a::f\n");
    }
}
