//! Credentials that are known by their looks.

use std::ops::Range;

/// Keys whose values are credentials of AWS: fields of every scrubber.
pub(super) const LABELS: [&str; 3] = ["secret_access_key", "aws_secret_access_key", "aws_session_token"];

/// At both sides of the first and the last line of a PEM block.
const DASHES: &str = "-----";

/// The token after `Bearer`, or the user and password after `Basic`, where the word begins at `start`.
pub(super) fn authorization(text: &str, start: usize, before: Option<u8>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let is_word = |word: &str| {
        bytes.get(start..start + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    };
    let (word, is_bearer) = match () {
        () if is_word("bearer") => ("bearer", true),
        () if is_word("basic") => ("basic", false),
        () => return None,
    };
    let end_of_word = start + word.len();
    let token = run(bytes, end_of_word, |byte| matches!(byte, b' ' | b'\t'));
    if token == end_of_word {
        return None;
    }
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let end = run(bytes, token, is_token);
    // A PEM block is a matter of its own.
    let end = text.get(token..end)?.find(DASHES).map_or(end, |length| token + length);
    // A full stop after it is the sentence's.
    let value = text.get(token..end)?.trim_end_matches('.');
    // Where the rest of it is masked, it was none before.
    if text[end..].starts_with(super::MASK) {
        return None;
    }
    let is_secret = if is_bearer { looks_random(value) } else { is_user_and_password(value) };
    let announced = || {
        let before = text[..start].trim_end_matches([' ', '"', '\'', ':', '=', '\\', '\t']).as_bytes();
        let tail = &before[before.len().saturating_sub("authorization".len())..];
        before.len() < start && tail.eq_ignore_ascii_case(b"authorization")
    };
    (!value.is_empty() && (is_secret || announced())).then(|| token..token + value.len())
}

/// Whether a word is none of a language: tokens mix letters, or have digits, or are long.
fn looks_random(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
    let inner_upper = word.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
    word.len() >= 24
        || (word.len() >= 6
            && (has(u8::is_ascii_digit)
                || word.contains('=')
                || (inner_upper && has(u8::is_ascii_lowercase))))
}

/// Whether the text is Base64 of a text with a colon.
fn is_user_and_password(text: &str) -> bool {
    let text = text.trim_end_matches('=');
    if text.len() % 4 == 1 {
        return false;
    }
    let mut decoded = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = (bits << 6 | u32::from(value)) & 0xfff;
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count) as u8);
        }
    }
    let is_plain = |text: &str| text.contains(':') && !text.chars().any(char::is_control);
    // Passwords in Latin-1 are no UTF-8; words of a language decode to neither with a colon, but for one in hundreds.
    std::str::from_utf8(&decoded).is_ok_and(is_plain)
}

/// A JSON Web Token (RFC 7519): `eyJ` is how `{"` begins in Base64. Three parts, or five where it is encrypted.
pub(super) fn json_web_token(bytes: &[u8], start: usize, before: Option<u8>) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !bytes[start..].starts_with(b"eyJ") || before.is_some_and(is_part) {
        return None;
    }
    let header = run(bytes, start, is_part);
    // `{"alg":""}` has 14.
    if header - start < 14 || bytes.get(header) != Some(&b'.') {
        return None;
    }
    let payload = run(bytes, header + 1, is_part);
    if bytes.get(payload) != Some(&b'.') {
        return None;
    }
    let mut end = run(bytes, payload + 1, is_part);
    for _ in 0..2 {
        match bytes.get(end) {
            Some(b'.') if bytes.get(end + 1).copied().is_some_and(is_part) => {
                end = run(bytes, end + 1, is_part)
            }
            _ => break,
        }
    }
    Some(start..end)
}

/// An access key id of AWS (IAM user guide, "IAM identifiers"): of a user, or temporary.
pub(super) fn aws_key_id(bytes: &[u8], start: usize, before: Option<u8>) -> Option<Range<usize>> {
    const PREFIXES: [&[u8]; 4] = [b"AKIA", b"ASIA", b"ABIA", b"ACCA"];
    const BYTES: usize = 20;
    let id = bytes.get(start..start + BYTES)?;
    let alone = |byte: Option<u8>| !byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let known = PREFIXES.iter().any(|prefix| id.starts_with(prefix))
        && id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    (known && alone(before) && alone(bytes.get(start + BYTES).copied())).then(|| start..start + BYTES)
}

/// The value after `secret_access_key` or `session_token`, however they are spelt: 40 characters or more that have no
/// looks of their own.
pub(super) fn labelled(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    const MIN_BYTES: usize = 30;
    let label = words(bytes, start, &["secret", "access", "key"])
        .or_else(|| words(bytes, start, &["session", "token"]))?;
    let space = |byte: u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'\\');
    let sign = run(bytes, label, space);
    let after = run(bytes, sign, |byte| matches!(byte, b':' | b'=' | b'>'));
    let value = run(bytes, after, space);
    let end = run(bytes, value, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'='));
    (after > sign && end - value >= MIN_BYTES).then_some(value..end)
}

/// Where the words end that begin at `start`, in any case, with or without one `_`, `-` or space between them.
fn words(bytes: &[u8], start: usize, words: &[&str]) -> Option<usize> {
    let mut at = start;
    for word in words {
        if at > start && matches!(bytes.get(at), Some(b'_' | b'-' | b' ')) {
            at += 1;
        }
        let end = at + word.len();
        if !bytes.get(at..end)?.eq_ignore_ascii_case(word.as_bytes()) {
            return None;
        }
        at = end;
    }
    Some(at)
}

/// A PEM block (RFC 7468), whatever is in it; one without an end reaches to that of the text.
pub(super) fn pem(text: &str, start: usize, before: Option<u8>) -> Option<Range<usize>> {
    const MAX_LABEL_BYTES: usize = 64;
    if before == Some(b'-') {
        return None;
    }
    let label = text.get(start..)?.strip_prefix("-----BEGIN ")?;
    let is_label = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
    let label_end = run(label.as_bytes(), 0, is_label);
    if label_end > MAX_LABEL_BYTES || !label[label_end..].starts_with(DASHES) {
        return None;
    }
    let body = text.len() - label.len() + label_end;
    let end = text[body..].find("-----END ").and_then(|end| {
        let label = body + end + "-----END ".len();
        Some(label + text[label..].find(DASHES)? + DASHES.len())
    });
    Some(start..end.unwrap_or(text.len()))
}

/// Where the bytes end that begin at `start` and are all so.
fn run(bytes: &[u8], start: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes[start..].iter().position(|&byte| !is(byte)).map_or(bytes.len(), |length| start + length)
}
