//! The body of `PutTraceSegments`, written straight from a batch.

use crate::batch::Batch;

const OPEN: &[u8] = br#"{"TraceSegmentDocuments":["#;
const CLOSE: &[u8] = b"]}";

/// What invalid UTF-8 becomes: U+FFFD.
const REPLACEMENT: &str = "\u{fffd}";

/// `{"TraceSegmentDocuments":["..",..]}`, each document a JSON string. What is no UTF-8 becomes U+FFFD.
pub(super) fn of(batch: &Batch) -> Vec<u8> {
    // A document of usual names has a quote for each 8 to 10 bytes; what has more makes the vector grow.
    let expected = batch.bytes() + batch.bytes() / 4 + 3 * batch.len() + OPEN.len() + CLOSE.len();
    let mut body = Vec::with_capacity(expected);
    body.extend_from_slice(OPEN);
    for (index, document) in batch.documents().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.push(b'"');
        match std::str::from_utf8(document) {
            Ok(text) => escape(text, &mut body),
            Err(_) => {
                for chunk in document.utf8_chunks() {
                    escape(chunk.valid(), &mut body);
                    if !chunk.invalid().is_empty() {
                        body.extend_from_slice(REPLACEMENT.as_bytes());
                    }
                }
            }
        }
        body.push(b'"');
    }
    body.extend_from_slice(CLOSE);
    body
}

/// What follows the backslash; 0 where a byte stands for itself, `u` where it is written as `\u00XX`.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[0x0c] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// The bytes of the longest escape, `\u00XX`.
const LONGEST: usize = 6;

const WORD: usize = size_of::<u64>();

/// Appends a text as the inside of a JSON string. A quote comes every ten bytes or so, too often for runs between them to be
/// worth a call of memcpy: a word is copied whole, and what is written next begins at the first byte in it that must be
/// escaped.
fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    let escapes = rest.iter().filter(|byte| **byte < 0x20 || **byte == b'"' || **byte == b'\\').count();
    let mut at = out.len();
    // A word more: the last copy may be longer than what counts of it.
    out.resize(at + rest.len() + escapes * (LONGEST - 1) + WORD, 0);
    while let Some((word, after)) = rest.split_first_chunk() {
        put(out, at, *word);
        let plain = plain_bytes(u64::from_le_bytes(*word));
        at += plain;
        match word.get(plain) {
            None => rest = after,
            Some(byte) => {
                at += put_escape(out, at, *byte);
                rest = rest.get(plain + 1..).unwrap_or_default();
            }
        }
    }
    for byte in rest {
        at += if ESCAPES[usize::from(*byte)] == 0 {
            put(out, at, [*byte]);
            1
        } else {
            put_escape(out, at, *byte)
        };
    }
    out.truncate(at);
}

/// Writes where there is room, as there is: it was counted.
fn put<const N: usize>(out: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(to) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *to = bytes;
    }
}

/// Writes the escape of a byte; returns its length.
fn put_escape(out: &mut [u8], at: usize, byte: u8) -> usize {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let digit = |nibble: u8| HEX[usize::from(nibble & 0xf)];
    match ESCAPES[usize::from(byte)] {
        b'u' => {
            put(out, at, [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
            LONGEST
        }
        short => {
            put(out, at, [b'\\', short]);
            2
        }
    }
}

/// How many bytes of a word (the lowest first) come before the first that must be escaped.
fn plain_bytes(word: u64) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES << 7;
    // The high bit of a byte that is less than `n` (at most 0x80); of the bytes above such a one the bit may be wrong.
    let less = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGHS;
    let equal = |byte: u8| less(word ^ (ONES * u64::from(byte)), 1);
    let found = less(word, 0x20) | equal(b'"') | equal(b'\\');
    found.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The documents that a reader of the body gets.
    fn read_back(documents: &[Vec<u8>]) -> Vec<String> {
        let body = of(&documents.iter().cloned().collect());
        let value: Value = serde_json::from_slice(&body).unwrap();
        let object = value.as_object().unwrap();
        assert_eq!(object.len(), 1);
        let documents = object["TraceSegmentDocuments"].as_array().unwrap().iter();
        documents.map(|document| document.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn each_byte_is_escaped_as_json_asks() {
        let every: Vec<u8> = (0..=0x7f).collect();
        let body = String::from_utf8(of(&[every.clone()].into_iter().collect())).unwrap();
        let expected = serde_json::to_string(std::str::from_utf8(&every).unwrap()).unwrap();
        assert_eq!(body, format!("{{\"TraceSegmentDocuments\":[{expected}]}}"));
    }

    #[test]
    fn what_is_no_utf8_is_replaced_and_the_rest_kept() {
        let documents = [
            b"{\"a\":\"\xff\xfe\"}".to_vec(),
            b"\xe2\x98".to_vec(),
            b"\xed\xa0\x80 surrogate".to_vec(),
            "\u{2603}\u{1f600}".into(),
        ];
        let expected: Vec<_> =
            documents.iter().map(|document| String::from_utf8_lossy(document).into_owned()).collect();
        assert_eq!(read_back(&documents), expected);
    }

    #[test]
    fn the_first_byte_of_a_word_that_must_be_escaped_is_found() {
        for byte in 0..=u8::MAX {
            for others in [b'a', 0x7f, 0x80, 0xff, b'!', b'#', b'[', b']', b' '] {
                for at in 0..WORD {
                    let mut word = [others; WORD];
                    word[at] = byte;
                    let expected = if ESCAPES[usize::from(byte)] == 0 { WORD } else { at };
                    assert_eq!(plain_bytes(u64::from_le_bytes(word)), expected, "{word:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_out_as_lossy_utf8(
            documents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..8)
        ) {
            let expected: Vec<_> =
                documents.iter().map(|document| String::from_utf8_lossy(document).into_owned()).collect();
            prop_assert_eq!(read_back(&documents), expected);
        }

        #[test]
        fn any_text_comes_out_as_it_was(documents in prop::collection::vec(".*|(?s)[\\x00-\\x7f\"\\\\]*", 1..8)) {
            let bytes: Vec<_> = documents.iter().map(|document| document.clone().into_bytes()).collect();
            prop_assert_eq!(read_back(&bytes), documents);
        }
    }
}
