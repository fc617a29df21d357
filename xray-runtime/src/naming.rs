//! The name of a segment: which one it gets, and which characters it may have.

use std::borrow::Cow;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::wildcard::wildcard_match;

/// Unicode scalar values of a name; the schema of segment documents (v1.0.0) allows no more.
pub const MAX_NAME_CHARS: usize = 200;

/// What a segment is called when all that it could be called has no character that a name may have.
const UNNAMED: &str = "unknown";

/// How a segment that a request opens gets its name.
///
/// ```
/// use xray_runtime::SegmentNaming;
///
/// let naming = SegmentNaming::dynamic("*.cruddur.com", "Cruddur");
/// assert_eq!(naming.name(Some("api.cruddur.com:8080")), "api.cruddur.com");
/// assert_eq!(naming.name(Some("stranger.example")), "Cruddur");
/// assert_eq!(naming.name(None), "Cruddur");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentNaming {
    /// Always the name of the service.
    Fixed(String),
    /// The Host header when it matches the pattern, else a fallback.
    #[non_exhaustive]
    Dynamic {
        /// `*` stands for any run of characters, `?` for one; letter case does not count.
        pattern: String,
        /// The name where the host matches not, or is absent.
        fallback: String,
    },
}

impl SegmentNaming {
    /// Always `name`.
    pub fn fixed(name: impl Into<String>) -> Self {
        Self::Fixed(name.into())
    }

    /// The host where it matches `pattern`, else `fallback`.
    ///
    /// The host is tried as received, with its port, and then without it.
    pub fn dynamic(pattern: impl Into<String>, fallback: impl Into<String>) -> Self {
        Self::Dynamic { pattern: pattern.into(), fallback: fallback.into() }
    }

    /// The same with another fixed name or fallback; an empty one changes nothing.
    ///
    /// This is what `AWS_XRAY_TRACING_NAME` does.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        if !name.is_empty() {
            let (Self::Fixed(current) | Self::Dynamic { fallback: current, .. }) = &mut self;
            name.clone_into(current);
        }
        self
    }

    /// The name of the segment for a request to `host`, fit for a document.
    pub fn name<'a>(&'a self, host: Option<&'a str>) -> Cow<'a, str> {
        sanitise_name(self.choose(host), self.service())
    }

    /// The fixed name or the fallback.
    pub(crate) fn service(&self) -> &str {
        let (Self::Fixed(name) | Self::Dynamic { fallback: name, .. }) = self;
        name
    }

    /// The name before [`sanitise_name`].
    #[doc(hidden)]
    pub fn choose<'a>(&'a self, host: Option<&'a str>) -> &'a str {
        let (pattern, host) = match (self, host) {
            (Self::Dynamic { pattern, .. }, Some(host)) if !host.is_empty() => (pattern, host),
            _ => return self.service(),
        };
        [host, without_port(host)]
            .into_iter()
            .find(|name| wildcard_match(pattern, name, true))
            .unwrap_or_else(|| self.service())
    }
}

/// `host:port` without the port; `[::1]:80` keeps its brackets, `::1` is not split.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!name.contains(':') || (name.starts_with('[') && name.ends_with(']'))) =>
        {
            name
        }
        _ => host,
    }
}

/// The name as a document may have it, else `fallback` so treated, else `unknown`.
///
/// White space becomes a space; kept are letters and numbers of any script, spaces and `_ . : / % & # = + \ - @`, at
/// most [`MAX_NAME_CHARS`]. A name that is so already is borrowed.
pub(crate) fn sanitise_name<'a>(name: &'a str, fallback: &'a str) -> Cow<'a, str> {
    [name, fallback]
        .into_iter()
        .map(allowed_part)
        .find(|name| name.bytes().any(|byte| byte != b' '))
        .unwrap_or(Cow::Borrowed(UNNAMED))
}

fn allowed_part(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX_NAME_CHARS && name.bytes().all(is_allowed_ascii) {
        return Cow::Borrowed(name);
    }
    let as_it_is =
        name.char_indices().enumerate().find(|&(n, (_, c))| n == MAX_NAME_CHARS || allowed(c) != Some(c));
    let Some((kept_chars, (kept_bytes, _))) = as_it_is else { return Cow::Borrowed(name) };
    let (kept, rest) = name.split_at(kept_bytes);
    let mut rest = rest.chars().filter_map(allowed).take(MAX_NAME_CHARS - kept_chars).peekable();
    if rest.peek().is_none() {
        return Cow::Borrowed(kept);
    }
    let mut out = String::from(kept);
    out.extend(rest);
    Cow::Owned(out)
}

/// What becomes of a character.
fn allowed(c: char) -> Option<char> {
    if let Ok(byte) = u8::try_from(c)
        && byte.is_ascii()
        && is_allowed_ascii(byte)
    {
        return Some(c);
    }
    if c.is_whitespace() {
        return Some(' ');
    }
    let letter_or_number =
        matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number);
    (!c.is_ascii() && letter_or_number).then_some(c)
}

fn is_allowed_ascii(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" _.:/%&#=+\\-@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sane_name_stays_and_any_name_becomes_one(name in any::<String>(), long in "[a-zé;\\s٣]{190,260}") {
            for name in [name, long] {
                let sane = sanitise_name(&name, "");
                prop_assert!(!sane.trim().is_empty());
                prop_assert!(sane.chars().count() <= MAX_NAME_CHARS);
                prop_assert!(sane.chars().all(|c| allowed(c) == Some(c)), "{sane:?}");
                let again = sanitise_name(&sane, "");
                prop_assert_eq!(&again, &sane);
                prop_assert!(matches!(again, Cow::Borrowed(_)));
            }
        }
    }

    #[test]
    fn letters_and_numbers_by_category_not_by_property() {
        // The vowel sign U+0940 is alphabetic but a mark (Mc); the circled letter U+24B6 is a symbol (So).
        assert_eq!(sanitise_name("ह\u{940}Ⓐ٣Ⅷ½", ""), "ह٣Ⅷ½");
    }

    #[test]
    fn what_is_dropped_at_the_end_needs_no_copy() {
        assert!(matches!(sanitise_name("name!?", ""), Cow::Borrowed("name")));
        assert!(matches!(sanitise_name("日本語", ""), Cow::Borrowed("日本語")));
        assert_eq!(sanitise_name(&"é".repeat(300), "").chars().count(), 200);
    }

    #[test]
    fn a_blank_name_falls_back_to_the_service() {
        assert_eq!(sanitise_name("\t!", "my*service"), "myservice");
        assert_eq!(sanitise_name("", "  "), "unknown");
    }

    #[test]
    fn the_port_is_tried_off() {
        let naming = SegmentNaming::dynamic("*.example.com", "app");
        assert_eq!(naming.name(Some("api.example.com:8080")), "api.example.com");
        assert_eq!(naming.name(Some("")), "app");
        assert_eq!(SegmentNaming::dynamic("::*", "app").choose(Some("::1")), "::1");
        assert_eq!(SegmentNaming::dynamic("[::1]", "app").choose(Some("[::1]:80")), "[::1]");
        assert_eq!(SegmentNaming::dynamic("::", "app").choose(Some("::1")), "app");
    }

    #[test]
    fn the_environment_replaces_the_fallback_not_the_host() {
        let naming = SegmentNaming::dynamic("*.com", "app").with_name("env");
        assert_eq!(naming.name(Some("a.org")), "env");
        assert_eq!(naming.name(Some("a.com")), "a.com");
        assert_eq!(SegmentNaming::fixed("app").with_name("env").name(Some("a.com")), "env");
        assert_eq!(SegmentNaming::fixed("app").with_name("").name(None), "app");
    }
}
