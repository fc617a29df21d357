//! Where a rule may begin: most bytes of a text are passed with one look at two of them.

use super::url::ends_parameter;

/// A rule may begin where its bit is set of a byte and of the one after it.
struct Pairs {
    first: [u8; 256],
    second: [u8; 256],
}

static PAIRS: Pairs = Pairs::new();

impl Pairs {
    const fn new() -> Self {
        let mut pairs = Self { first: [0; 256], second: [0; 256] };
        pairs.add(0, b"/", b"/");
        pairs.add(1, b"bB", b"eEaA");
        pairs.add(2, b"e", b"y");
        pairs.add(3, b"A", b"KSBC");
        pairs.add(4, b"sS", b"eE");
        pairs.add(5, b"-", b"-");
        pairs.add(6, b"23456", b"0123456789");
        pairs.add(7, b"?&;", b"");
        // A parameter has a name.
        let mut byte = 0;
        while byte < 256 {
            if !ends_parameter(byte as u8) && !matches!(byte as u8, b'=' | b'?') {
                pairs.second[byte] |= 1 << 7;
            }
            byte += 1;
        }
        pairs
    }

    const fn add(&mut self, rule: u8, first: &[u8], second: &[u8]) {
        let mut at = 0;
        while at < first.len() {
            self.first[first[at] as usize] |= 1 << rule;
            at += 1;
        }
        at = 0;
        while at < second.len() {
            self.second[second[at] as usize] |= 1 << rule;
            at += 1;
        }
    }
}

/// The first place from `start` where a rule may begin, outside a parameter; the end where there is none.
pub(super) fn next(bytes: &[u8], start: usize) -> usize {
    let may_begin =
        |&[byte, next]: &[u8; 2]| PAIRS.first[usize::from(byte)] & PAIRS.second[usize::from(next)] != 0;
    // Each rule asks for more than one byte.
    let rest = bytes.get(start..).unwrap_or_default();
    rest.array_windows().position(may_begin).map_or(bytes.len(), |length| start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_rule_may_begin_and_where_none_does() {
        for text in
            ["//", "be", "Ba", "ey", "AK", "AC", "se", "SE", "--", "20", "69", "?a", "&%", ";é", "?\u{80}"]
        {
            assert_eq!(next(text.as_bytes(), 0), 0, "{text}");
            assert_eq!(next(format!("é {text}").as_bytes(), 1), 3, "{text}");
        }
        for text in [
            "", "/", "/a", "b", "bb", "e", "eY", "aK", "s", "-a", "10", "71", "?", "?=", "??", "& ", ";\n",
            "; ", "%2",
        ] {
            assert_eq!(next(text.as_bytes(), 0), text.len(), "{text}");
            assert_eq!(next(text.as_bytes(), text.len()), text.len(), "{text}");
        }
    }
}
