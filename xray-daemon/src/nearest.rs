//! What was probably meant by a word that is not known.

/// Longer words are not looked at: nobody mistypes so many letters, and the time grows with their square.
const LONGEST: usize = 64;

/// The candidate that `word` differs from by the fewest letters missing, added, changed or swapped, if they are at most
/// a third of it.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["tail", "rollbar", "Socket.UDPAddress"];
        assert_eq!(nearest("tial", known), Some("tail"));
        assert_eq!(nearest("rolbar", known), Some("rollbar"));
        assert_eq!(nearest("socket.udpaddress", known), Some("Socket.UDPAddress"));
        assert_eq!(nearest("xray", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"tail".repeat(1_000), known), None);
    }
}
