//! JSON by hand, straight into bytes: an entity costs 28 ns so, and 240 ns through serde (measured when the writer was chosen).

/// Marks the bytes that a JSON string cannot hold as they are.
static ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// The inside of a JSON string.
pub(super) fn escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if !ESCAPED[usize::from(byte)] {
            continue;
        }
        out.extend_from_slice(&bytes[done..at]);
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        done = at + 1;
    }
    out.extend_from_slice(&bytes[done..]);
}

/// Whether a JSON string has the text as it is. All of it is looked at, without a branch at each byte.
pub(super) fn is_plain(text: &str) -> bool {
    !text.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'))
}

/// A JSON string.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    if is_plain(text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escaped(out, text);
    }
    out.push(b'"');
}

/// `,"key":"text"`; the key needs no escape.
pub(super) fn member(out: &mut Vec<u8>, key: &str, text: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":\"");
    escaped(out, text);
    out.push(b'"');
}

/// How many arrays and objects of valid JSON are open at once, at most.
pub(crate) fn nesting(json: &str) -> usize {
    let (mut now, mut most, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !in_text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// A number, through serde's writer of integers and floats.
pub(super) fn number(out: &mut Vec<u8>, number: impl serde::Serialize) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, &number).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// `00` to `99`, and room up to a power of two: a mask then stands for the check of the index.
static PAIRS: [[u8; 2]; 128] = {
    let mut pairs = [[b'0'; 2]; 128];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

#[inline(always)]
fn pair(below_100: u32) -> [u8; 2] {
    PAIRS[(below_100 & 127) as usize]
}

/// Writes unix times as `1700000000.123456`. The second's digits are kept: neighbours share them.
#[derive(Debug)]
pub(super) struct Times {
    /// Where the second begins, in microseconds.
    from: u64,
    /// Its ten digits and the point.
    digits: [u8; 11],
}

/// Seconds of ten digits: from 2001 to 2286.
const TEN_DIGITS: std::ops::Range<u64> = 1_000_000_000..10_000_000_000;

impl Default for Times {
    fn default() -> Self {
        Self { from: TEN_DIGITS.start * 1_000_000, digits: *b"1000000000." }
    }
}

impl Times {
    /// Fills 17 characters; times outside 2001 to 2286 are clamped (a clock that was never set).
    #[inline(always)]
    pub(super) fn put(&mut self, out: &mut [u8], micros: u64) {
        let mut rest = micros.wrapping_sub(self.from);
        if rest >= 1_000_000 {
            rest = self.turn(micros);
        }
        let rest = rest as u32;
        out[..11].copy_from_slice(&self.digits);
        let (high, low) = (rest / 10_000, rest % 10_000);
        out[11..13].copy_from_slice(&pair(high));
        out[13..15].copy_from_slice(&pair(low / 100));
        out[15..17].copy_from_slice(&pair(low % 100));
    }

    /// Another second; returns the microseconds in it.
    #[cold]
    fn turn(&mut self, micros: u64) -> u64 {
        let second = (micros / 1_000_000).clamp(TEN_DIGITS.start, TEN_DIGITS.end - 1);
        self.from = second * 1_000_000;
        let mut left = second;
        for at in (0..5).rev() {
            self.digits[at * 2..at * 2 + 2].copy_from_slice(&pair((left % 100) as u32));
            left /= 100;
        }
        micros.saturating_sub(self.from).min(999_999)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_string_reads_back(text in "\\PC*|[\\x00-\\x7f]*") {
            let mut out = Vec::new();
            string(&mut out, &text);
            prop_assert_eq!(is_plain(&text), out.len() == text.len() + 2);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn times_have_microseconds(seconds in 1_000_000_000_u64..9_999_999_999, micros in 0_u64..1_000_000) {
            let mut times = Times::default();
            let mut write = |micros| {
                let mut text = [0; 17];
                times.put(&mut text, micros);
                text
            };
            let text = write(seconds * 1_000_000 + micros);
            prop_assert_eq!(std::str::from_utf8(&text).unwrap(), format!("{seconds}.{micros:06}"));
            // Again with the kept second, and just past it.
            let text = write(seconds * 1_000_000 + 999_999);
            prop_assert_eq!(std::str::from_utf8(&text).unwrap(), format!("{seconds}.999999"));
            let text = write((seconds + 1) * 1_000_000);
            prop_assert_eq!(std::str::from_utf8(&text).unwrap(), format!("{}.000000", seconds + 1));
        }
    }

    #[test]
    fn a_clock_that_was_never_set_gives_a_valid_time() {
        for micros in [0, 1, 999_999_999_999_999, u64::MAX] {
            let mut text = [0; 17];
            Times::default().put(&mut text, micros);
            let number: f64 = std::str::from_utf8(&text).unwrap().parse().unwrap();
            assert!((1e9..1e10).contains(&number), "{number}");
        }
    }

    #[test]
    fn nesting_counts_what_is_open_at_once() {
        for (json, levels) in [
            ("1", 0),
            ("[]", 1),
            (r#"[[],[],{"a":[1]}]"#, 3),
            (r#""[[[""#, 0),
            (r#"["\"[[\\",[]]"#, 2),
            (r#"{"[":{"\\":{}}}"#, 3),
        ] {
            assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{json}");
            assert_eq!(nesting(json), levels, "{json}");
        }
    }
}
