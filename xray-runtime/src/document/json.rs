//! JSON by hand, straight into bytes: an entity costs 28 ns so, and 240 ns through serde (`bench/FIGURES.md`).

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

/// A JSON string.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text);
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

/// A number, through serde's writer of integers and floats.
pub(super) fn number(out: &mut Vec<u8>, number: impl serde::Serialize) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, &number).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// 16 hex digits, eight at a time: spreads nibbles over bytes, then adds what makes them letters.
#[inline(always)]
pub(super) fn hex16(number: u64) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&hex8((number >> 32) as u32).to_be_bytes());
    out[8..].copy_from_slice(&hex8(number as u32).to_be_bytes());
    out
}

#[inline(always)]
fn hex8(number: u32) -> u64 {
    let mut x = u64::from(number);
    x = (x | (x << 16)) & 0x0000_ffff_0000_ffff;
    x = (x | (x << 8)) & 0x00ff_00ff_00ff_00ff;
    x = (x | (x << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = ((x + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    x + 0x3030_3030_3030_3030 + letters * 0x27
}

static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// Writes unix times as `1700000000.123456`. The second's digits are kept: neighbours share them.
#[derive(Debug)]
pub(super) struct Times {
    second: u64,
    digits: [u8; 11],
}

/// Seconds of ten digits: from 2001 to 2286.
const TEN_DIGITS: std::ops::Range<u64> = 1_000_000_000..10_000_000_000;

impl Default for Times {
    fn default() -> Self {
        Self { second: u64::MAX, digits: *b"0000000000." }
    }
}

impl Times {
    /// 17 characters; times outside 2001 to 2286 are clamped (a clock that was never set).
    #[inline(always)]
    pub(super) fn write(&mut self, micros: u64) -> [u8; 17] {
        let mut second = self.second;
        let mut rest = micros.wrapping_sub(second.wrapping_mul(1_000_000));
        if rest >= 1_000_000 {
            second = (micros / 1_000_000).clamp(TEN_DIGITS.start, TEN_DIGITS.end - 1);
            rest = micros.saturating_sub(second * 1_000_000).min(999_999);
            self.keep(second);
        }
        let rest = rest as u32;
        let mut out = [0; 17];
        out[..11].copy_from_slice(&self.digits);
        out[11..13].copy_from_slice(&PAIRS[(rest / 10_000) as usize % 100]);
        out[13..15].copy_from_slice(&PAIRS[(rest / 100) as usize % 100]);
        out[15..].copy_from_slice(&PAIRS[rest as usize % 100]);
        out
    }

    #[cold]
    fn keep(&mut self, second: u64) {
        self.second = second;
        let mut left = second;
        for at in (0..5).rev() {
            self.digits[at * 2..at * 2 + 2].copy_from_slice(&PAIRS[(left % 100) as usize]);
            left /= 100;
        }
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
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn hex_is_hex(n: u64) {
            prop_assert_eq!(std::str::from_utf8(&hex16(n)).unwrap(), format!("{n:016x}"));
        }

        #[test]
        fn times_have_microseconds(seconds in 1_000_000_000_u64..9_999_999_999, micros in 0_u64..1_000_000) {
            let mut times = Times::default();
            let text = times.write(seconds * 1_000_000 + micros);
            prop_assert_eq!(std::str::from_utf8(&text).unwrap(), format!("{seconds}.{micros:06}"));
            // Again with the kept second, and just past it.
            let text = times.write(seconds * 1_000_000 + 999_999);
            prop_assert_eq!(std::str::from_utf8(&text).unwrap(), format!("{seconds}.999999"));
            let text = times.write((seconds + 1) * 1_000_000);
            prop_assert_eq!(std::str::from_utf8(&text).unwrap(), format!("{}.000000", seconds + 1));
        }
    }

    #[test]
    fn a_clock_that_was_never_set_gives_a_valid_time() {
        for micros in [0, 1, 999_999_999_999_999, u64::MAX] {
            let text = Times::default().write(micros);
            let number: f64 = std::str::from_utf8(&text).unwrap().parse().unwrap();
            assert!((1e9..1e10).contains(&number), "{number}");
        }
    }
}
