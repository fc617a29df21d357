//! The framing of one datagram: a header line, then the document.

use serde_json::Value;
use thiserror::Error;

/// A datagram with a valid header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// All after the first line's end, as it came: this is the segment document, and nothing has looked at it yet.
    pub body: &'a [u8],
}

/// Why a datagram is rejected. The AWS daemon rejects the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reject {
    /// There is no line's end, so that header and document cannot be told apart.
    #[error(
        "no header line: a datagram is `{{\"format\":\"json\",\"version\":1}}`, a line feed and a document"
    )]
    MissingHeader,
    /// There is nothing after the header line.
    #[error("a header line without a document after it")]
    MissingDocument,
    /// The header is not JSON with the format `json` (in any case) and the version 1.
    #[error("the header line is not `{{\"format\":\"json\",\"version\":1}}`")]
    InvalidHeader,
}

/// The header that nearly every SDK sends; one of the others writes a space after each colon.
const USUAL_HEADER: &[u8] = br#"{"format":"json","version":1}"#;

/// Splits a datagram into header and document, and checks the header. Further keys of the header are fine.
///
/// # Errors
/// A [`Reject`]. Never panics, whatever the bytes.
///
/// ```
/// use xray_daemon::{Reject, parse_datagram};
///
/// let datagram = parse_datagram(b"{\"format\":\"json\",\"version\":1}\n{\"id\":\"1\"}")?;
/// assert_eq!(datagram.body, b"{\"id\":\"1\"}");
/// assert_eq!(parse_datagram(b"{\"id\":\"1\"}"), Err(Reject::MissingHeader));
/// # Ok::<(), Reject>(())
/// ```
pub fn parse_datagram(datagram: &[u8]) -> Result<Datagram<'_>, Reject> {
    let end = datagram.iter().position(|byte| *byte == b'\n').ok_or(Reject::MissingHeader)?;
    let (header, body) = (&datagram[..end], &datagram[end + 1..]);
    if body.is_empty() {
        return Err(Reject::MissingDocument);
    }
    if header != USUAL_HEADER && !is_valid(header) {
        return Err(Reject::InvalidHeader);
    }
    Ok(Datagram { body })
}

fn is_valid(header: &[u8]) -> bool {
    let Ok(header) = serde_json::from_slice::<Value>(header) else { return false };
    let format = header.get("format").and_then(Value::as_str);
    // An integer: Go, which the AWS daemon is written in, does not read 1.0 into one.
    let version = header.get("version").and_then(Value::as_u64);
    format.is_some_and(|format| format.eq_ignore_ascii_case("json")) && version == Some(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_headers_that_pass_and_those_that_do_not() {
        let passes = [
            r#"{"format":"json","version":1}"#,
            r#"{"format": "json", "version": 1}"#,
            r#"{"version":1,"format":"JSON","extra":[{}]}"#,
            " {\"format\":\"Json\",\"version\":1} \r",
        ];
        for header in passes {
            let datagram = format!("{header}\nbody\nwith a line");
            assert_eq!(
                parse_datagram(datagram.as_bytes()),
                Ok(Datagram { body: b"body\nwith a line" }),
                "{header}"
            );
        }
        let fails = [
            "",
            "null",
            "[]",
            "{}",
            "{format:json}",
            r#"{"format":"json"}"#,
            r#"{"version":1}"#,
            r#"{"format":"xml","version":1}"#,
            r#"{"format":"json","version":2}"#,
            r#"{"format":"json","version":1.0}"#,
            r#"{"format":"json","version":"1"}"#,
            r#"{"format":["json"],"version":1}"#,
            r#"{"format":"json","version":1"#,
        ];
        for header in fails {
            let datagram = format!("{header}\nbody");
            assert_eq!(parse_datagram(datagram.as_bytes()), Err(Reject::InvalidHeader), "{header}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(parse_datagram(b""), Err(Reject::MissingHeader));
        assert_eq!(parse_datagram(USUAL_HEADER), Err(Reject::MissingHeader));
        assert_eq!(parse_datagram(b"{\"format\":\"json\",\"version\":1}\n"), Err(Reject::MissingDocument));
        assert_eq!(parse_datagram(b"\n"), Err(Reject::MissingDocument));
    }

    #[test]
    fn bodies_are_not_looked_at() {
        let mut datagram = [USUAL_HEADER, b"\n"].concat();
        datagram.extend([0xff; 65_000]);
        assert_eq!(parse_datagram(&datagram).unwrap().body.len(), 65_000);
        let nested = format!("{}\n{{}}", "[".repeat(60_000));
        assert_eq!(parse_datagram(nested.as_bytes()), Err(Reject::InvalidHeader));
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(datagram) = parse_datagram(&bytes) {
                prop_assert!(bytes.ends_with(datagram.body));
            }
        }
    }
}
