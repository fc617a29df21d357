//! Which keys hold what should not leave the process.

use std::borrow::Cow;
use std::collections::HashSet;

/// The fields that are masked unless the user says otherwise.
pub(crate) const DEFAULT_FIELDS: [&str; 19] = [
    "pw",
    "passwd",
    "password",
    "secret",
    "confirm_password",
    "password_confirmation",
    "access_token",
    "auth",
    "authentication",
    "authorization",
    "api_key",
    "token",
    "cookie",
    "set-cookie",
    "x-api-key",
    "proxy-authorization",
    "x-rollbar-access-token",
    "jwt",
    "session",
];

/// A set of fields.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    exact: HashSet<String>,
    /// Those with a `*`, cut at it.
    globs: Vec<Vec<String>>,
    /// The lengths, as bits, of those in `exact` that begin with each byte: most keys need not be looked up.
    lengths: [u64; 256],
}

impl Default for Fields {
    fn default() -> Self {
        Self { exact: HashSet::new(), globs: Vec::new(), lengths: [0; 256] }
    }
}

impl Fields {
    pub(super) fn add(&mut self, field: &str) {
        let name = plain(field.trim()).into_owned();
        if name.contains('*') {
            // One of nothing but stars would mask everything: that is no field.
            if name.bytes().any(|byte| byte != b'*') {
                self.globs.push(name.split('*').map(str::to_owned).collect());
            }
        } else if let Some(first) = name.bytes().next() {
            self.lengths[usize::from(first)] |= bit_of(name.len());
            self.exact.insert(name);
        }
    }

    /// Whether a key is one of the fields: the whole of it, or the last name in its brackets.
    pub(super) fn has(&self, key: &str) -> bool {
        self.has_name(key) || last_in_brackets(key).is_some_and(|name| self.has_name(name))
    }

    fn has_name(&self, name: &str) -> bool {
        // The plain form may be shorter by its dashes only; names that long are no fields.
        const MAX_NAME_BYTES: usize = 1024;
        if name.len() > MAX_NAME_BYTES || (self.globs.is_empty() && !self.may_have(name)) {
            return false;
        }
        let name = plain(name);
        self.exact.contains(&*name) || self.globs.iter().any(|parts| matches(parts, &name))
    }

    /// Whether one in `exact` begins as the name does and is as long; no plain form is made for that.
    fn may_have(&self, name: &str) -> bool {
        let mut first = None;
        let mut length = 0;
        for byte in name.bytes() {
            match byte {
                b'-' | b'_' => {}
                // Its lower case may have any length.
                0x80.. => return true,
                _ => {
                    first = first.or(Some(byte.to_ascii_lowercase()));
                    length += 1;
                }
            }
        }
        first.is_some_and(|first| self.lengths[usize::from(first)] & bit_of(length) != 0)
    }
}

/// The bit of a length; all long ones have one.
fn bit_of(length: usize) -> u64 {
    1 << length.min(63)
}

/// A key in lower case without `-` and `_`.
pub(super) fn plain(key: &str) -> Cow<'_, str> {
    if key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase() && !matches!(byte, b'-' | b'_')) {
        return Cow::Borrowed(key);
    }
    key.chars().filter(|char| !matches!(char, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// Whether the value of a key is the query of a URL, without its `?`.
pub(super) fn is_query(key: &str) -> bool {
    matches!(key.len(), 11 | 12) && plain(key) == "querystring"
}

/// `password` of `user[password]`, `user[password][]` and `password[]`.
fn last_in_brackets(key: &str) -> Option<&str> {
    key.strip_suffix(']')?.rsplit(['[', ']']).find(|name| !name.is_empty())
}

/// Whether the parts between the stars of a pattern follow each other in the name, the first and the last at its ends.
fn matches(parts: &[String], name: &str) -> bool {
    let Some(([first, middle @ ..], last)) = parts.split_last().map(|(last, rest)| (rest, last)) else {
        return false;
    };
    let Some(mut rest) = name.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
        rest = after;
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(names: &[&str]) -> Fields {
        let mut fields = Fields::default();
        names.iter().for_each(|name| fields.add(name));
        fields
    }

    #[test]
    fn equal_but_for_case_and_dashes() {
        let fields = fields(&["api_key", "Set-Cookie", " pass word ", ""]);
        for key in [
            "api_key",
            "API-KEY",
            "apiKey",
            "_api_key_",
            "setcookie",
            "x[api_key]",
            "api_key[]",
            "a[b][apiKey][]",
        ] {
            assert!(fields.has(key), "{key}");
        }
        for key in ["", "my_api_key", "api_keys", "api_key[x]", "[]", "[", "]", "api_key]x", "x[api_key]y"] {
            assert!(!fields.has(key), "{key}");
        }
        assert!(fields.has("pass word"));
    }

    #[test]
    fn globs_match_at_both_ends() {
        let fields = fields(&["x-amz-*", "*_secret", "a*b*c", "**"]);
        for key in ["X-Amz-Signature", "xamz", "clientSecret", "secret", "f[my_secret]", "abc", "a1b2b3c"] {
            assert!(fields.has(key), "{key}");
        }
        for key in ["amz", "secrets", "ab", "acb", "bc", "x"] {
            assert!(!fields.has(key), "{key}");
        }
        assert!(!fields.has(&"a".repeat(1 << 20)));
    }

    #[test]
    fn each_default_is_distinct_but_for_its_spelling() {
        let mut fields = Fields::default();
        DEFAULT_FIELDS.iter().for_each(|field| fields.add(field));
        assert!(DEFAULT_FIELDS.iter().all(|field| fields.has(&field.to_uppercase())));
        assert!(!fields.has("passwords") && !fields.has("user"));
    }
}
