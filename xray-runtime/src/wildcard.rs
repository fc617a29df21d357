//! The wildcard match of sampling rules and of dynamic naming.

/// Whether all of `text` matches `pattern`: `*` stands for any run of characters, also none, `?` for exactly one.
///
/// There is no escape and there are no classes. A character is a Unicode scalar value. Without regard to case, two
/// characters are equal when their lower-case mappings are. Takes at most `pattern.len() * text.len()` steps and
/// allocates nothing, so patterns and texts may come from strangers.
pub fn wildcard_match(pattern: &str, text: &str, case_insensitive: bool) -> bool {
    let mut pattern = pattern.chars();
    let mut text = text.chars();
    // What follows the last `*`, and the text that it has not swallowed yet.
    let mut retry = None;
    loop {
        let mut pattern_rest = pattern.clone();
        let wanted = pattern_rest.next();
        // Before equality: a star in the pattern is a wildcard also where the text has a star.
        if wanted == Some('*') {
            pattern = pattern_rest;
            retry = Some((pattern.clone(), text.clone()));
            continue;
        }
        let mut text_rest = text.clone();
        match (wanted, text_rest.next()) {
            (None, None) => return true,
            // The text is used up: a longer run for the star could only leave less of it.
            (Some(_), None) => return false,
            (Some(wanted), Some(found)) if wanted == '?' || equal(wanted, found, case_insensitive) => {
                pattern = pattern_rest;
                text = text_rest;
            }
            _ => {
                let Some((after_star, swallowed_to)) = &mut retry else { return false };
                swallowed_to.next();
                pattern = after_star.clone();
                text = swallowed_to.clone();
            }
        }
    }
}

fn equal(a: char, b: char, case_insensitive: bool) -> bool {
    if a == b || !case_insensitive {
        return a == b;
    }
    if a.is_ascii() && b.is_ascii() {
        return a.eq_ignore_ascii_case(&b);
    }
    a.to_lowercase().eq(b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word for word; exponential, for short inputs only.
    fn oracle(pattern: &[char], text: &[char], case_insensitive: bool) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|n| oracle(rest, &text[n..], case_insensitive)),
            [first, rest @ ..] => {
                !text.is_empty()
                    && (*first == '?' || equal(*first, text[0], case_insensitive))
                    && oracle(rest, &text[1..], case_insensitive)
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn agrees_with_the_definition(pattern in "[aAbéÉ*?]{0,8}", text in "[aAbBéÉ*?😀]{0,10}", ignore in any::<bool>()) {
            let (p, t): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(wildcard_match(&pattern, &text, ignore), oracle(&p, &t, ignore));
        }
    }

    #[test]
    fn scalars_not_bytes_nor_utf16_units() {
        assert!(wildcard_match("?", "é", true));
        assert!(wildcard_match("?", "😀", true));
        assert!(!wildcard_match("??", "😀", true));
    }

    #[test]
    fn a_star_in_the_text_is_text() {
        assert!(wildcard_match("a*b", "a*xb", true));
        assert!(wildcard_match("/api/*", "/api/*/x", true));
    }

    #[test]
    fn mappings_of_more_than_one_scalar() {
        assert!(wildcard_match("İ", "İ", true));
        assert!(!wildcard_match("İ", "i", true));
        assert!(wildcard_match("Σ", "σ", true));
        assert!(!wildcard_match("Σ", "σ", false));
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = format!("{}b", "*a".repeat(200));
        let text = "a".repeat(5_000);
        assert!(!wildcard_match(&pattern, &text, true));
    }
}
