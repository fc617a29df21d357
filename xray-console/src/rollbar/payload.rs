//! The JSON of a request's body: plain, in a form, compressed.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::{Refused, Request};

/// Undoes `Content-Encoding`. What is larger than `max` bytes, compressed or not, is refused before it takes memory.
pub(super) fn decoded<'a>(request: &Request<'a>, max: usize) -> Result<Cow<'a, [u8]>, Refused> {
    if request.body.len() > max {
        return Err(too_large());
    }
    match request.header("content-encoding").map(|value| value.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "identity") => Ok(Cow::Borrowed(request.body)),
        Some("gzip" | "x-gzip") => inflate(request.body, max).map(Cow::Owned),
        Some(_) => Err(Refused::new(415, "content-encoding", "unsupported content encoding")),
    }
}

fn inflate(body: &[u8], max: usize) -> Result<Vec<u8>, Refused> {
    let mut out = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    match MultiGzDecoder::new(body).take(limit).read_to_end(&mut out) {
        Ok(_) if out.len() > max => Err(too_large()),
        Ok(_) => Ok(out),
        Err(_) => Err(Refused::new(400, "bad-gzip", "invalid gzip payload")),
    }
}

fn too_large() -> Refused {
    Refused::new(413, "too-large", "request entity too large")
}

/// Whether the body is a form.
pub(super) fn is_form(request: &Request<'_>) -> bool {
    let form = "application/x-www-form-urlencoded";
    let kind = request.header("content-type").unwrap_or_default();
    kind.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form))
}

/// The JSON text: the body, or the form's field `payload`.
pub(super) fn json_text<'a>(request: &Request<'_>, body: &'a [u8]) -> Cow<'a, [u8]> {
    if !is_form(request) {
        return Cow::Borrowed(body);
    }
    // An empty field counts as absent.
    let field = form_urlencoded::parse(body).find(|(key, value)| key == "payload" && !value.is_empty());
    field.map_or(Cow::Borrowed(&[]), |(_, value)| Cow::Owned(value.into_owned().into_bytes()))
}

/// Reads JSON. It nests at most 128 deep.
pub(super) fn parse(text: &[u8]) -> Result<Value, Refused> {
    serde_json::from_slice(text)
        .or_else(|error| match mend_surrogates(text) {
            Some(mended) => serde_json::from_slice(&mended),
            None => Err(error),
        })
        .map_err(|_| Refused::new(400, "bad-json", "invalid json payload"))
}

/// The text with `\ufffd` for each half of a surrogate pair that stands alone; none where there is none. SDKs that
/// truncate by UTF-16 units (rollbar.js) send such halves, and JSON's grammar allows them.
fn mend_surrogates(text: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'\\' {
            at += 1;
            continue;
        }
        match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                out.get_or_insert_with(|| text.to_vec())[at..at + 6].copy_from_slice(b"\\ufffd");
                at += 6;
            }
            (Some(_), _) => at += 6,
            // Another escape, `\\` among them, is two characters.
            (None, _) => at += 2,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_are_mended_and_pairs_left() {
        let text = br#"{"a":"\ud83d\ude00 \ud83d \\ud83d \ude00\ud83d"}"#;
        let value = parse(text).unwrap();
        assert_eq!(value["a"], "\u{1f600} \u{fffd} \\ud83d \u{fffd}\u{fffd}");
        assert!(mend_surrogates(br#"{"a":"\ud83d\ude00","b":"\u00e9\"#).is_none());
        assert!(mend_surrogates(br"\ud8").is_none());
    }
}
