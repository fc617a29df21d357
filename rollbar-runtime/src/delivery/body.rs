//! The bytes of an item.

use bytes::Bytes;
use serde_json::Value;

use crate::truncation::{Truncation, truncate};

/// The tree as JSON of at most `max` bytes; `None` where it cannot be cut to that.
pub(super) fn fitted(tree: &mut Value, max: usize) -> Option<Bytes> {
    let bytes = match truncate(tree, max) {
        Truncation::None { bytes } | Truncation::Cut { bytes } => bytes,
        Truncation::TooLarge => return None,
    };
    let mut json = Vec::with_capacity(bytes);
    serde_json::to_writer(&mut json, tree).ok()?;
    Some(json.into())
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
