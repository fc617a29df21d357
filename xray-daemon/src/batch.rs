//! Documents that travel together.

use bytes::Bytes;
use tokio::time::Instant;

/// The most documents of a batch: what AWS X-Ray takes in a call, and its daemon sends.
pub const BATCH_DOCUMENTS: usize = 50;

/// The bytes of documents from which a batch is closed: 256 KiB. Within the least bound of memory, 3 MiB, one of large documents
/// then leaves room for others.
pub const BATCH_BYTES: usize = 256 << 10;

/// Documents as they came, in the order in which they came. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Batch {
    /// One after the other, nothing between them.
    documents: Bytes,
    /// Where each ends.
    ends: Box<[u32]>,
    received_at: Instant,
    /// Whether a call with it has failed.
    pub(crate) failed: bool,
}

impl Batch {
    /// How many documents.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none. No upstream is given such a batch.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of all documents.
    pub fn bytes(&self) -> usize {
        self.documents.len()
    }

    /// When the first of them came.
    pub fn received_at(&self) -> Instant {
        self.received_at
    }

    /// Each document: the bytes that came, which nothing has looked at. They may be no JSON, and no UTF-8.
    pub fn documents(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.ends.iter().enumerate().map(|(index, end)| {
            let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end);
            self.documents.get(start as usize..*end as usize).unwrap_or_default()
        })
    }

    /// The two halves, for an upstream that finds it too large; none of a single document.
    pub fn split(&self) -> Option<(Self, Self)> {
        let middle = self.ends.len() / 2;
        let (first, second) = self.ends.split_at_checked(middle)?;
        let cut = *first.last()?;
        let part = |documents: Bytes, ends: Box<[u32]>| Self { documents, ends, ..self.clone() };
        Some((
            part(self.documents.slice(..cut as usize), first.into()),
            part(self.documents.slice(cut as usize..), second.iter().map(|end| end - cut).collect()),
        ))
    }
}

/// A batch that is being filled.
#[derive(Debug, Default)]
pub struct OpenBatch {
    documents: Vec<u8>,
    ends: Vec<u32>,
    received_at: Option<Instant>,
}

impl OpenBatch {
    /// One without documents; it holds no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a document that came at this time.
    pub fn push(&mut self, document: &[u8], at: Instant) {
        self.documents.extend_from_slice(document);
        // Fits: a batch is closed at 256 KiB, and a document is no larger than a datagram.
        self.ends.push(u32::try_from(self.documents.len()).unwrap_or(u32::MAX));
        self.received_at.get_or_insert(at);
    }

    /// Whether nothing more should be added.
    pub fn is_full(&self) -> bool {
        self.ends.len() >= BATCH_DOCUMENTS || self.documents.len() >= BATCH_BYTES
    }

    /// Whether it has no documents.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// When its first document came.
    pub fn received_at(&self) -> Option<Instant> {
        self.received_at
    }

    /// What it holds, if anything; it is empty then.
    pub fn close(&mut self) -> Option<Batch> {
        let received_at = self.received_at.take()?;
        // Of its own size: what waits for an outage to end is worth the copy, and the buffer is used again.
        let documents = Bytes::copy_from_slice(&self.documents);
        self.documents.clear();
        let ends = std::mem::take(&mut self.ends).into_boxed_slice();
        Some(Batch { documents, ends, received_at, failed: false })
    }
}

impl FromIterator<Vec<u8>> for Batch {
    /// A batch that came now.
    fn from_iter<I: IntoIterator<Item = Vec<u8>>>(documents: I) -> Self {
        let now = Instant::now();
        let mut open = OpenBatch::new();
        for document in documents {
            open.push(&document, now);
        }
        let none = || Self { documents: Bytes::new(), ends: Box::default(), received_at: now, failed: false };
        open.close().unwrap_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(documents: &[&str]) -> Batch {
        documents.iter().map(|document| document.as_bytes().to_vec()).collect()
    }

    #[test]
    fn documents_come_out_as_they_went_in() {
        let documents = ["{\"a\":1}", "", "no json \u{1f600}", "{}"];
        let batch = batch(&documents);
        assert_eq!(batch.len(), 4);
        assert_eq!(batch.bytes(), documents.concat().len());
        assert!(batch.documents().eq(documents.map(str::as_bytes)));
    }

    #[test]
    fn halves_hold_what_the_whole_held() {
        for count in 2..=9 {
            let documents: Vec<String> = (0..count).map(|number| "x".repeat(number)).collect();
            let whole: Batch = documents.iter().map(|document| document.clone().into_bytes()).collect();
            let (first, second) = whole.split().unwrap();
            assert!(!first.is_empty() && !second.is_empty());
            assert!(first.documents().chain(second.documents()).eq(whole.documents()));
        }
        assert!(batch(&["one"]).split().is_none());
    }

    #[test]
    fn a_batch_is_full_by_count_or_by_bytes() {
        let mut open = OpenBatch::new();
        assert!(open.close().is_none());
        for _ in 0..BATCH_DOCUMENTS {
            assert!(!open.is_full());
            open.push(b"{}", Instant::now());
        }
        assert!(open.is_full());
        assert_eq!(open.close().unwrap().len(), BATCH_DOCUMENTS);
        assert!(open.is_empty());
        let mut large = 0;
        while !open.is_full() {
            open.push(&[b'x'; 65_000], Instant::now());
            large += 1;
        }
        assert_eq!(large, BATCH_BYTES.div_ceil(65_000));
    }
}
