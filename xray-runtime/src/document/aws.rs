//! `aws`: what a document says of a call to a service of AWS.

use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use super::json;
use crate::record::{Fact, Note};

/// Levels of arrays and objects of one value: so few that an entity may have it at any depth.
const MAX_NESTING: usize = super::NESTING_ANYWHERE as usize;

/// Bytes of the JSON of one value.
const MAX_VALUE_BYTES: usize = 4096;

/// Bytes of all that one side of a call says, request or response.
const MAX_BYTES: usize = 16 * 1024;

/// Bytes of what most calls say at once.
const USUAL_BYTES: usize = 256;

/// Bytes that are allocated at once for what is kept of some calls: the exporter's thread frees them, and the allocator of this
/// thread pays for each such piece.
const BLOCK_BYTES: usize = 4096;

thread_local! {
    /// Where members are written. It grows little beyond [`MAX_BYTES`].
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// What is left of a block.
    static BLOCK: Cell<BytesMut> = Cell::new(BytesMut::new());
}

/// Members of the block `aws`, one after the other. Keys are the inside of a JSON string.
#[derive(Debug, Default)]
pub(crate) struct AwsMembers {
    json: Vec<u8>,
    /// Values that were too large or nested too deep.
    pub(crate) left_out: u64,
}

impl AwsMembers {
    /// What stands for a key that is any text.
    pub(crate) fn key(text: &str) -> Box<str> {
        let mut key = Vec::with_capacity(text.len());
        json::escaped(&mut key, text);
        String::from_utf8(key).unwrap_or_default().into()
    }

    pub(crate) fn text(&mut self, key: &str, text: &str) {
        let kept = xray_error::cut(text, MAX_VALUE_BYTES / 4);
        self.left_out += u64::from(kept.len() < text.len());
        if self.has_room(key, kept.len()) {
            self.begin(key);
            json::string(&mut self.json, kept);
        }
    }

    pub(crate) fn number(&mut self, key: &str, number: u64) {
        if self.has_room(key, 20) {
            self.begin(key);
            json::number(&mut self.json, number);
        }
    }

    /// A value that somebody else wrote, where it is valid JSON.
    pub(crate) fn valid(value: &[u8]) -> Option<&str> {
        let value = std::str::from_utf8(value).ok()?;
        let is_short = match value.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => json::is_plain(text),
            None => is_plain_number(value),
        };
        if is_short { Some(value) } else { serde_json::from_str::<&RawValue>(value).ok().map(RawValue::get) }
    }

    /// A value that is valid JSON already.
    pub(crate) fn raw(&mut self, key: &str, value: &str) {
        let is_deep = || !value.starts_with('"') && json::nesting(value) > MAX_NESTING;
        if value.len() > MAX_VALUE_BYTES || is_deep() {
            self.left_out += 1;
        } else if self.has_room(key, value.len()) {
            self.begin(key);
            self.json.extend_from_slice(value.as_bytes());
        }
    }

    pub(crate) fn texts<'t>(&mut self, key: &str, texts: impl IntoIterator<Item = &'t str>) {
        let mut array = vec![b'['];
        for text in texts {
            if array.len() + text.len() > MAX_VALUE_BYTES {
                self.left_out += 1;
                break;
            }
            if array.len() > 1 {
                array.push(b',');
            }
            json::string(&mut array, text);
        }
        array.push(b']');
        if self.has_room(key, array.len()) {
            self.begin(key);
            self.json.append(&mut array);
        }
    }

    fn has_room(&mut self, key: &str, bytes: usize) -> bool {
        let fits = self.json.len() + key.len() + bytes <= MAX_BYTES;
        self.left_out += u64::from(!fits);
        fits
    }

    fn begin(&mut self, key: &str) {
        let separator: &[u8] = if self.json.is_empty() {
            self.json = BUFFER.try_with(Cell::take).unwrap_or_default();
            self.json.reserve(USUAL_BYTES);
            b"\""
        } else {
            b",\""
        };
        self.json.extend_from_slice(separator);
        self.json.extend_from_slice(key.as_bytes());
        self.json.extend_from_slice(b"\":");
    }

    /// None where nothing was said.
    pub(crate) fn into_fact(mut self) -> Option<Fact> {
        if self.json.is_empty() {
            return None;
        }
        let fact = Fact::Aws(kept(&self.json));
        self.json.clear();
        // Where the thread is about to end it is just dropped.
        let _ = BUFFER.try_with(|buffer| buffer.set(self.json));
        Some(fact)
    }
}

/// A copy in a block of this thread; what is large has its own.
fn kept(json: &[u8]) -> Bytes {
    if json.len() > BLOCK_BYTES / 4 {
        return Bytes::copy_from_slice(json);
    }
    let in_block = BLOCK.try_with(|block| {
        let mut left = block.take();
        if left.capacity() < json.len() {
            left = BytesMut::with_capacity(BLOCK_BYTES);
        }
        left.extend_from_slice(json);
        let kept = left.split().freeze();
        block.set(left);
        kept
    });
    in_block.unwrap_or_else(|_| Bytes::copy_from_slice(json))
}

/// An integer, as JSON writes it, without a sign.
fn is_plain_number(value: &str) -> bool {
    !value.is_empty()
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && (value.len() == 1 || !value.starts_with('0'))
}

/// All that was said of the call, which adds up: the request's part, then the response's.
pub(super) fn aws(out: &mut Vec<u8>, notes: &[Note]) {
    let mut separator: &[u8] = b",\"aws\":{";
    for note in notes {
        if let Fact::Aws(members) = &note.fact {
            out.extend_from_slice(separator);
            out.extend_from_slice(members);
            separator = b",";
        }
    }
    if separator.len() == 1 {
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(members: impl IntoIterator<Item = AwsMembers>) -> String {
        let facts = members.into_iter().filter_map(AwsMembers::into_fact);
        let notes: Vec<_> = facts.map(|fact| Note { index: 0, fact }).collect();
        let mut out = Vec::new();
        aws(&mut out, &notes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_said_adds_up_to_one_block() {
        let (mut request, mut response) = (AwsMembers::default(), AwsMembers::default());
        request.text("operation", "Pu\"t");
        request.raw("consistent_read", "true");
        request.texts("table_names", ["a", "\n"]);
        response.number("retries", 2);
        assert_eq!(
            written([request, AwsMembers::default(), response]),
            r#","aws":{"operation":"Pu\"t","consistent_read":true,"table_names":["a","\n"],"retries":2}"#
        );
        assert_eq!(written([]), "");
    }

    #[test]
    fn what_is_too_large_is_left_out_and_counted() {
        let mut members = AwsMembers::default();
        members.raw("large", &format!("\"{}\"", "x".repeat(MAX_VALUE_BYTES)));
        members.raw("deep", &format!("{}{}", "[".repeat(MAX_NESTING + 1), "]".repeat(MAX_NESTING + 1)));
        members.texts("many", std::iter::repeat_n("0123456789", 1000));
        members.text("long", &"é".repeat(5000));
        assert_eq!(members.left_out, 4);
        for n in 0..100 {
            members.raw(&n.to_string(), &format!("\"{}\"", "x".repeat(1000)));
        }
        assert!(members.left_out > 80);
        let json = written([members]);
        assert!(json.len() < MAX_BYTES + 100, "{}", json.len());
        serde_json::from_str::<serde_json::Value>(&format!("{{{}}}", &json[1..])).unwrap();
    }

    #[test]
    fn what_is_kept_stands_in_blocks() {
        let texts: Vec<_> = (0..50)
            .flat_map(|n| [40, BLOCK_BYTES / 4, BLOCK_BYTES / 4 + 1].map(|len| vec![n; len]))
            .collect();
        let kept: Vec<_> = texts.iter().map(|text| kept(text)).collect();
        assert!(kept.iter().zip(&texts).all(|(kept, text)| kept == text));
        let follows = |of: &[Bytes]| of[0].as_ptr_range().end == of[1].as_ptr();
        assert!(kept.windows(2).filter(|of| follows(of)).count() >= 30, "most stand behind the one before");
        // It does not make other facts larger.
        assert!(size_of::<Fact>() <= 2 * size_of::<Bytes>(), "{}", size_of::<Fact>());
    }
}
