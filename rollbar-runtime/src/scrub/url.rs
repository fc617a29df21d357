//! Passwords of URLs and the values of parameters, wherever they stand in a text.

use std::borrow::Cow;
use std::ops::Range;

use super::key::Fields;

/// Bytes of a parameter's name that is looked at, percent-encoded.
const MAX_NAME_BYTES: usize = 1024;

/// Where the walk over a text is, as to URLs.
pub(super) struct Urls<'a> {
    fields: &'a Fields,
    text: &'a str,
    /// Where the value of the parameter begins that the walk is in, or in whose name.
    value: Option<usize>,
}

impl<'a> Urls<'a> {
    pub(super) fn new(fields: &'a Fields, text: &'a str) -> Self {
        Self { fields, text, value: None }
    }

    /// Whether the walk is in a parameter.
    pub(super) fn in_parameter(&self) -> bool {
        self.value.is_some()
    }

    /// The walk passes a byte that starts no rule.
    pub(super) fn pass(&mut self, byte: u8) {
        if ends_value(byte) {
            self.value = None;
        }
    }

    /// A parameter may begin here: its value when that is to be masked.
    pub(super) fn begin_parameter(&mut self, start: usize) -> Option<Range<usize>> {
        let bytes = self.text.as_bytes();
        self.value = None;
        let name_end = (start..bytes.len().min(start + MAX_NAME_BYTES))
            .find(|&at| bytes[at] == b'=' || bytes[at] == b'?' || ends_parameter(bytes[at]))?;
        if bytes[name_end] != b'=' || name_end == start {
            return None;
        }
        let value = name_end + 1;
        self.value = Some(value);
        if !self.fields.has(&decode(&self.text[start..name_end])) {
            return None;
        }
        let end = (value..bytes.len())
            .find(|&at| ends_parameter(bytes[at]) || bytes[at..].starts_with(b"\\\""))
            .unwrap_or(bytes.len());
        (end > value).then_some(value..end)
    }

    /// The password of `//user:password@`, where `at` is the first slash.
    pub(super) fn password(&self, at: usize) -> Option<Range<usize>> {
        let bytes = self.text.as_bytes();
        if bytes.get(at + 1) != Some(&b'/') {
            return None;
        }
        let mut colon = None;
        let mut password = None;
        for (at, &byte) in bytes.iter().enumerate().skip(at + 2) {
            match byte {
                b'/' | b'?' | b'\\' => break,
                b'&' | b';' if self.in_parameter() => break,
                byte if ends_value(byte) => break,
                b':' if colon.is_none() => colon = Some(at + 1),
                // The last one: passwords may hold some themselves.
                b'@' => password = colon.map(|colon| colon..at),
                _ => {}
            }
        }
        password.filter(|password| !password.is_empty())
    }

    /// The same where the URL is percent-encoded in the value of a parameter, and `at` is the first `%`.
    pub(super) fn encoded_password(&self, at: usize) -> Option<Range<usize>> {
        if self.value.is_none_or(|value| at < value) {
            return None;
        }
        let bytes = self.text.as_bytes();
        let is_slash = |at| encoded(bytes, at) == Some(b'/');
        if !is_slash(at) || !is_slash(at + 3) {
            return None;
        }
        let mut colon = None;
        let mut password = None;
        let mut at = at + 6;
        while let Some(&raw) = bytes.get(at) {
            if matches!(raw, b'&' | b';') || ends_value(raw) {
                break;
            }
            let (byte, next) = encoded(bytes, at).map_or((raw, at + 1), |byte| (byte, at + 3));
            match byte {
                b'/' | b'?' | b'\\' => break,
                byte if ends_value(byte) => break,
                b':' if colon.is_none() => colon = Some(next),
                b'@' => password = colon.map(|colon| colon..at),
                _ => {}
            }
            at = next;
        }
        password.filter(|password| !password.is_empty())
    }
}

/// What no URL has in a query, or what ends one.
const fn ends_value(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'#' | b'"' | b'<' | b'>' | 0x7f)
}

pub(super) const fn ends_parameter(byte: u8) -> bool {
    matches!(byte, b'&' | b';') || ends_value(byte)
}

/// The byte that `%XX` stands for.
fn encoded(bytes: &[u8], at: usize) -> Option<u8> {
    let &[b'%', high, low] = bytes.get(at..at + 3)? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? * 16 + digit(low)?)
}

/// A name with its `%XX` read.
fn decode(name: &str) -> Cow<'_, str> {
    if !name.contains('%') {
        return Cow::Borrowed(name);
    }
    let bytes = name.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (byte, next) = encoded(bytes, at).map_or((bytes[at], at + 1), |byte| (byte, at + 3));
        decoded.push(byte);
        at = next;
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}
