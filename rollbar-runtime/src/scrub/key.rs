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
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    exact: HashSet<String>,
    /// Those with a `*`, cut at it.
    globs: Vec<Vec<String>>,
    /// Bytes of the longest in `exact`: most keys need not be looked up.
    longest: usize,
}

impl Fields {
    pub(super) fn add(&mut self, field: &str) {
        let name = plain(field.trim()).into_owned();
        if name.contains('*') {
            // One of nothing but stars would mask everything: that is no field.
            if name.bytes().any(|byte| byte != b'*') {
                self.globs.push(name.split('*').map(str::to_owned).collect());
            }
        } else if !name.is_empty() {
            self.longest = self.longest.max(name.len());
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
        if name.len() > MAX_NAME_BYTES {
            return false;
        }
        let name = plain(name);
        (name.len() <= self.longest && self.exact.contains(&*name))
            || self.globs.iter().any(|parts| matches(parts, &name))
    }
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
    key.len() <= "query_string".len() && plain(key) == "querystring"
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
