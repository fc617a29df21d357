//! One walk over a text: what begins at each byte is asked of the rules.

use std::ops::Range;

use super::key::Fields;
use super::url::Urls;
use super::{MASK, begins, card, secret};

/// The text with what is to be masked masked; `None` when that is nothing. `query` says that a parameter begins with the
/// text. Takes time linear in the text.
pub(super) fn scrub(fields: &Fields, text: &str, query: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut urls = Urls::new(fields, text);
    let mut masked = Masked { text, out: None, copied: 0 };
    let mut at = 0;
    if query && let Some(value) = urls.begin_parameter(0) {
        at = value.end;
        masked.put(value);
    }
    loop {
        // In a parameter each byte counts.
        if !urls.in_parameter() {
            at = begins::next(bytes, at);
        }
        let Some(&byte) = bytes.get(at) else { break };
        // What stands before: nothing, where that was masked.
        let before = (at > masked.copied).then(|| bytes[at - 1]);
        let found = match byte {
            b'/' => urls.password(at),
            b'?' | b'&' | b';' => urls.begin_parameter(at + 1),
            b'%' => urls.encoded_password(at),
            b'b' | b'B' => secret::authorization(text, at, before),
            b'e' => secret::json_web_token(bytes, at, before),
            b'A' => secret::aws_key_id(bytes, at, before),
            b's' | b'S' => secret::labelled(bytes, at),
            b'-' => secret::pem(text, at, before),
            b'0'..=b'9' => card::find(bytes, at, before),
            _ => {
                urls.pass(byte);
                None
            }
        };
        match found {
            Some(range) => {
                at = range.end;
                masked.put(range);
            }
            None => at += 1,
        }
    }
    masked.finish()
}

/// A copy of a text, made when the first range is masked.
struct Masked<'a> {
    text: &'a str,
    out: Option<String>,
    copied: usize,
}

impl Masked<'_> {
    /// Masks a range that starts where the last one ended, or later.
    fn put(&mut self, range: Range<usize>) {
        if &self.text[range.clone()] == MASK {
            return;
        }
        let out = self.out.get_or_insert_with(|| String::with_capacity(self.text.len()));
        out.push_str(&self.text[self.copied..range.start]);
        out.push_str(MASK);
        self.copied = range.end;
    }

    fn finish(self) -> Option<String> {
        let mut out = self.out?;
        out.push_str(&self.text[self.copied..]);
        Some(out)
    }
}
