//! The bytes of an item.

use std::io::{self, Write};

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

use crate::truncation::{MAX_DEPTH, Truncation, truncate};

/// The tree as JSON of at most `max` bytes; `None` where it cannot be cut to that.
pub(super) fn fitted(tree: &mut Value, max: usize) -> Option<Bytes> {
    // Nearly all fit as they are: to write them costs less than to measure them first.
    if let Some(json) = written(tree, max) {
        return Some(json);
    }
    let bytes = match truncate(tree, max) {
        Truncation::None { bytes } | Truncation::Cut { bytes } => bytes,
        Truncation::TooLarge => return None,
    };
    let mut json = Vec::with_capacity(bytes);
    serde_json::to_writer(&mut json, tree).ok()?;
    Some(json.into())
}

/// The tree as it is, where that is neither too long nor too deep; stops as soon as it is.
fn written(tree: &Value, max: usize) -> Option<Bytes> {
    let mut json = Bounded { json: Vec::with_capacity(max.min(4096)), max };
    tree.serialize(&mut Serializer::with_formatter(&mut json, Shallow::default())).ok()?;
    Some(json.json.into())
}

/// Takes so many bytes and no more.
struct Bounded {
    json: Vec<u8>,
    max: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > self.max - self.json.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.json.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compact JSON that ends with an error below [`MAX_DEPTH`]: the stack has an end as well.
#[derive(Default)]
struct Shallow {
    depth: usize,
}

impl Shallow {
    fn descend(&mut self) -> io::Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) }
    }
}

impl Formatter for Shallow {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.descend()?;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.descend()?;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }
}

/// The plain body, and the compressed one once it was asked for.
pub(super) struct Bodies {
    plain: Bytes,
    #[cfg(feature = "gzip")]
    compressed: Option<Bytes>,
}

/// Below this, compression gains nothing that a packet would feel.
#[cfg(feature = "gzip")]
const MIN_COMPRESSED: usize = 1024;

impl Bodies {
    pub(super) fn new(plain: Bytes) -> Self {
        Self {
            plain,
            #[cfg(feature = "gzip")]
            compressed: None,
        }
    }

    pub(super) fn plain(&self) -> Bytes {
        self.plain.clone()
    }

    /// The body to send, and whether it is compressed.
    #[cfg(feature = "gzip")]
    pub(super) fn body(&mut self, gzip: bool) -> (Bytes, bool) {
        if !gzip || self.plain.len() < MIN_COMPRESSED {
            return (self.plain(), false);
        }
        if self.compressed.is_none() {
            self.compressed = compress(&self.plain).ok();
        }
        match &self.compressed {
            Some(body) => (body.clone(), true),
            None => (self.plain(), false),
        }
    }

    /// The body to send, and whether it is compressed.
    #[cfg(not(feature = "gzip"))]
    pub(super) fn body(&mut self, _: bool) -> (Bytes, bool) {
        (self.plain(), false)
    }
}

#[cfg(feature = "gzip")]
fn compress(plain: &[u8]) -> std::io::Result<Bytes> {
    use std::io::Read;

    let mut compressed = Vec::with_capacity(plain.len() / 4);
    flate2::bufread::GzEncoder::new(plain, flate2::Compression::default()).read_to_end(&mut compressed)?;
    Ok(compressed.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_is_written_as_serde_json_does_and_nothing_else() {
        let tree = json!({"a": [1, -2.5, null, {"b": []}, {}], "c": "\"\\\n\u{1}é"});
        let json = serde_json::to_vec(&tree).unwrap();
        assert_eq!(written(&tree, json.len()).as_deref(), Some(&*json));
        assert_eq!(written(&tree, usize::MAX).as_deref(), Some(&*json));
        for max in 0..json.len() {
            assert_eq!(written(&tree, max), None);
        }
    }

    #[test]
    fn what_is_too_deep_is_cut() {
        let nested = |depth| (0..depth).fold(json!(1), |tree, _| Value::Array(vec![tree]));
        let depth = |json: &[u8]| 1 + json.windows(2).filter(|pair| pair == b"[[").count();
        for levels in [1, MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 500, 100_000] {
            let mut tree = json!({"data": {"body": {"message": {"body": "m"}}, "custom": null}});
            tree["data"]["custom"] = nested(levels);
            let json = fitted(&mut tree, 1 << 20).unwrap();
            assert_eq!(depth(&json), levels.min(MAX_DEPTH - 2), "{levels}");
        }
    }
}
