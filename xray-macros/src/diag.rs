//! Diagnostics: collected, each on its own token, so that a user sees every mistake of an attribute at once.

use proc_macro2::{Span, TokenStream};

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Diagnostics(Option<syn::Error>);

impl Diagnostics {
    /// Adds an error. The form of a message: what is wrong; what to write instead, as code.
    pub(crate) fn error(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Adds an error of the parser.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            none => *none = Some(error),
        }
    }

    /// The errors as tokens of an item, or `None` where all is well.
    pub(crate) fn into_tokens(self) -> Option<TokenStream> {
        self.0.map(|errors| errors.to_compile_error())
    }
}

/// The candidate that `word` was most likely meant to be: at most a third of its letters differ.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits between two words: a letter added, removed or replaced, or two neighbours swapped.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut last = None;
    for (i, l) in left.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let mut edits = (row[j] + usize::from(l != *r)).min(row[j + 1] + 1).min(next[j] + 1);
            if j > 0 && last == Some(*r) && l == right[j - 1] {
                edits = edits.min(before[j - 1] + 1);
            }
            next.push(edits);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(l);
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits_and_swaps() {
        let cases = [
            ("name", "name", 0),
            ("nmae", "name", 1),
            ("nam", "name", 1),
            ("", "abc", 3),
            ("größe", "grosse", 3),
        ];
        for (left, right, edits) in cases {
            assert_eq!(distance(left, right), edits, "{left} {right}");
            assert_eq!(distance(right, left), edits, "{right} {left}");
        }
    }

    #[test]
    fn nearest_is_silent_where_nothing_is_near() {
        let words = ["name", "namespace", "annotations"];
        assert_eq!(nearest("namespce", words.into_iter()), Some("namespace"));
        assert_eq!(nearest("annotation", words.into_iter()), Some("annotations"));
        assert_eq!(nearest("skip", words.into_iter()), None);
    }

    #[test]
    fn errors_add_up() {
        let mut diag = Diagnostics::default();
        diag.error(Span::call_site(), "one");
        diag.error(Span::call_site(), "two");
        let tokens = diag.into_tokens().expect("two errors").to_string();
        assert!(tokens.contains("\"one\"") && tokens.contains("\"two\""), "{tokens}");
        assert!(Diagnostics::default().into_tokens().is_none());
    }
}
