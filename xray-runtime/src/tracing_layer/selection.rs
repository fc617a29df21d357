//! Which spans become subsegments.

use tracing::Metadata;
use tracing::level_filters::LevelFilter;

/// Levels by the beginning of a target.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    /// The longest first, so that the first that fits counts.
    targets: Vec<(Box<str>, LevelFilter)>,
    /// Of all other targets.
    pub(super) others: Option<LevelFilter>,
}

impl Selection {
    pub(super) fn add(&mut self, prefix: String, level: LevelFilter) {
        let prefix = prefix.into_boxed_str();
        self.targets.retain(|(known, _)| *known != prefix);
        let at = self.targets.partition_point(|(known, _)| known.len() >= prefix.len());
        self.targets.insert(at, (prefix, level));
    }

    pub(super) fn takes(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level_of(metadata.target()) && !is_own(metadata.target())
    }

    fn level_of(&self, target: &str) -> LevelFilter {
        let named = self.targets.iter().find(|(prefix, _)| target.starts_with(&**prefix));
        let unnamed = if self.targets.is_empty() { LevelFilter::INFO } else { LevelFilter::OFF };
        named.map(|(_, level)| *level).or(self.others).unwrap_or(unnamed)
    }
}

/// What reports on the program is not part of it.
const OWN: [&str; 2] = [env!("CARGO_CRATE_NAME"), "rollbar_runtime"];

/// Whether a span or event is of this crate or of its like: each could make another.
pub(super) fn is_own(target: &str) -> bool {
    let rest = OWN.iter().find_map(|own| target.strip_prefix(own));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_counts_in_whatever_order_they_came() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut selection = Selection::default();
            let named = [("a", LevelFilter::WARN), ("a::b", LevelFilter::TRACE), ("a::bc", LevelFilter::OFF)];
            for at in order {
                selection.add(named[at].0.to_owned(), named[at].1);
            }
            let levels = ["a", "a::b::x", "a::bc", "ab", "b"].map(|target| selection.level_of(target));
            let expected = [
                LevelFilter::WARN,
                LevelFilter::TRACE,
                LevelFilter::OFF,
                LevelFilter::WARN,
                LevelFilter::OFF,
            ];
            assert_eq!(levels, expected);
        }
    }

    #[test]
    fn a_prefix_that_is_named_twice_has_the_later_level() {
        let mut selection = Selection::default();
        selection.add("a".to_owned(), LevelFilter::WARN);
        selection.add("a".to_owned(), LevelFilter::DEBUG);
        assert_eq!(selection.level_of("a"), LevelFilter::DEBUG);
    }

    #[test]
    fn targets_that_are_not_named() {
        let mut selection = Selection::default();
        assert_eq!(selection.level_of("x"), LevelFilter::INFO);
        selection.add("a".to_owned(), LevelFilter::WARN);
        assert_eq!(selection.level_of("x"), LevelFilter::OFF);
        selection.others = Some(LevelFilter::DEBUG);
        assert_eq!(selection.level_of("x"), LevelFilter::DEBUG);
        assert_eq!(selection.level_of("a"), LevelFilter::WARN);
    }

    #[test]
    fn what_is_ours() {
        assert!(
            is_own("xray_runtime") && is_own("xray_runtime::exporter") && is_own("rollbar_runtime::worker")
        );
        assert!(!is_own("xray_runtime_user") && !is_own("app::xray_runtime") && !is_own(""));
    }
}
