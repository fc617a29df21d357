//! The sampler that decides by rules of its own, without asking anybody.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

use super::rule::{InvalidSamplingRules, Quota, Rule, Rules};
use super::{Sampler, SamplingDecision, SamplingRequest, matches, unix_now};

/// Decides by local rules: the first `fixed_target` requests of each second, and the share `rate` of the others.
///
/// Without rules: 1 request a second, and 5 % of the others. The document is that of the other X-Ray SDKs:
///
/// ```
/// use xray_runtime::{LocalSampler, Sampler, SamplingRequest};
///
/// let sampler = LocalSampler::from_json(r#"{
///     "version": 2,
///     "default": { "fixed_target": 1, "rate": 0.1 },
///     "rules": [
///         { "host": "*", "http_method": "GET", "url_path": "/health*", "fixed_target": 0, "rate": 0 }
///     ]
/// }"#)?;
/// let request = SamplingRequest::new().with_http_method("GET").with_url_path("/health-check");
/// assert!(!sampler.decide(&request).sampled);
/// # Ok::<(), xray_runtime::InvalidSamplingRules>(())
/// ```
///
/// The first rule that matches decides, else the default. A pattern matches as a whole, letter case does not count,
/// `*` stands for any run of characters and `?` for one.
#[derive(Debug)]
pub struct LocalSampler {
    rules: Vec<(Rule, Reservoir)>,
    default: (Quota, Reservoir),
    strict_matching: bool,
}

/// The file of local sampling rules cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SamplingRulesFileError {
    /// It cannot be read.
    #[error("cannot read the sampling rules in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has no valid rules.
    #[error("{}: {source}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        source: InvalidSamplingRules,
    },
}

/// A decision with how it came about.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalDecision {
    /// Whether the request is recorded.
    pub sampled: bool,
    /// The rule that decided, from 0; `None` for the default.
    pub rule: Option<usize>,
    /// What of the rule decided.
    pub how: How,
}

/// What of a rule decided.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was among the first of its second.
    Reservoir,
    /// The dice.
    Rate,
}

impl LocalSampler {
    /// The built-in default: 1 request a second, and 5 % of the others.
    pub fn new() -> Self {
        Self::from_rules(Rules::built_in())
    }

    /// The rules of a document. Keys that it should not have are told in one warning.
    ///
    /// # Errors
    /// When the document is not JSON, or not valid; the error names rule and field.
    pub fn from_json(document: &str) -> Result<Self, InvalidSamplingRules> {
        Rules::from_json(document).map(Self::from_rules)
    }

    /// The rules of a file, read once.
    ///
    /// # Errors
    /// When the file cannot be read, or its document is not valid.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SamplingRulesFileError> {
        let path = path.as_ref();
        let document = std::fs::read_to_string(path)
            .map_err(|source| SamplingRulesFileError::Read { path: path.to_owned(), source })?;
        Self::from_json(&document)
            .map_err(|source| SamplingRulesFileError::Invalid { path: path.to_owned(), source })
    }

    /// Whether a host, method or path that the request does not have matches only a pattern that matches the empty
    /// text, such as `*`. Otherwise, as in the SDKs for Python, Go and Node, it matches every pattern.
    #[must_use]
    pub fn strict_matching(mut self, strict: bool) -> Self {
        self.strict_matching = strict;
        self
    }

    fn from_rules(rules: Rules) -> Self {
        if !rules.unknown_keys.is_empty() {
            tracing::warn!(
                target: "xray_runtime",
                "sampling rules: unknown keys are ignored: {}",
                rules.unknown_keys.join(", ")
            );
        }
        Self {
            rules: rules.rules.into_iter().map(|rule| (rule, Reservoir::default())).collect(),
            default: (rules.default, Reservoir::default()),
            strict_matching: false,
        }
    }

    /// The decision at a time, with a random number in `0.0..1.0` where one is needed.
    #[doc(hidden)]
    pub fn decide_at(
        &self,
        request: &SamplingRequest<'_>,
        unix_seconds: f64,
        random: impl FnOnce() -> f64,
    ) -> LocalDecision {
        let rule = self.rules.iter().position(|(rule, _)| self.matches(rule, request));
        let (quota, reservoir) = match rule.and_then(|index| self.rules.get(index)) {
            Some((rule, reservoir)) => (rule.quota, reservoir),
            None => (self.default.0, &self.default.1),
        };
        // Wraps after 136 years; all that counts is whether it is another second.
        let second = unix_seconds.floor() as i64 as u32;
        if reservoir.take(second, quota.fixed_target) {
            return LocalDecision { sampled: true, rule, how: How::Reservoir };
        }
        LocalDecision { sampled: random() < quota.rate, rule, how: How::Rate }
    }

    fn matches(&self, rule: &Rule, request: &SamplingRequest<'_>) -> bool {
        [
            (&rule.host, request.host),
            (&rule.http_method, request.http_method),
            (&rule.url_path, request.url_path),
        ]
        .into_iter()
        .all(|(pattern, value)| matches(pattern, value, self.strict_matching))
    }
}

impl Default for LocalSampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Sampler for LocalSampler {
    fn decide(&self, request: &SamplingRequest<'_>) -> SamplingDecision {
        self.decide_at(request, unix_now(), fastrand::f64).sampled.into()
    }
}

/// What a rule has given away in the current second: the second in the upper 32 bits, the count in the lower.
///
/// One word, so that two threads can never take the same place.
#[derive(Debug, Default)]
struct Reservoir(AtomicU64);

impl Reservoir {
    /// Whether there was a place left. Where there is none, nothing is written, so threads do not disturb each other.
    fn take(&self, second: u32, fixed_target: u32) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let used = if (state >> 32) as u32 == second { state as u32 } else { 0 };
            if used >= fixed_target {
                return false;
            }
            let next = u64::from(second) << 32 | u64::from(used + 1);
            // Relaxed: the word guards no other memory.
            match self.0.compare_exchange_weak(state, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(changed) => state = changed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"{"version": 2, "default": {"fixed_target": 0, "rate": 0.5}, "rules": [
        {"host": "a*", "http_method": "*", "url_path": "*", "fixed_target": 2, "rate": 0},
        {"host": "*", "http_method": "POST", "url_path": "/jobs", "fixed_target": 0, "rate": 1}]}"#;

    fn never() -> f64 {
        panic!("no dice are needed")
    }

    #[test]
    fn the_reservoir_is_for_a_second() {
        let sampler = LocalSampler::from_json(RULES).unwrap();
        let request = SamplingRequest::new().with_host("A").with_http_method("GET").with_url_path("/");
        let reservoir = LocalDecision { sampled: true, rule: Some(0), how: How::Reservoir };
        let rate = LocalDecision { sampled: false, rule: Some(0), how: How::Rate };
        // A clock that is set back begins another second; so does one from before 1970.
        for second in [100.0, 101.0, 100.0, -0.5] {
            assert_eq!(sampler.decide_at(&request, second, never), reservoir);
            assert_eq!(sampler.decide_at(&request, second + 0.4, never), reservoir);
            assert_eq!(sampler.decide_at(&request, second + 0.4, || 0.0), rate);
        }
    }

    #[test]
    fn a_rate_is_a_share_below_which_the_dice_must_fall() {
        let sampler = LocalSampler::from_json(RULES).unwrap();
        let request = SamplingRequest::new().with_host("b").with_http_method("GET");
        assert!(sampler.decide_at(&request, 1.0, || 0.499).sampled);
        assert!(!sampler.decide_at(&request, 1.0, || 0.5).sampled);
    }

    #[test]
    fn strict_matching_asks_for_what_is_absent() {
        let request = SamplingRequest::new().with_http_method("POST").with_url_path("");
        let sampler = LocalSampler::from_json(RULES).unwrap();
        assert_eq!(sampler.decide_at(&request, 1.0, never).rule, Some(0));
        let sampler = sampler.strict_matching(true);
        assert_eq!(sampler.decide_at(&request, 1.0, || 0.0).rule, None);
        let request = SamplingRequest::new().with_http_method("POST").with_url_path("/jobs");
        assert_eq!(sampler.decide_at(&request, 1.0, || 0.0).rule, Some(1));
    }

    #[test]
    fn threads_never_share_a_place() {
        let reservoir = Reservoir::default();
        let start = std::sync::Barrier::new(4);
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        (0..5_000).filter(|_| reservoir.take(7, 10_000)).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 10_000);
    }

    #[test]
    fn the_built_in_default_takes_one_a_second() {
        let sampler = LocalSampler::new();
        let decide = |dice: f64| sampler.decide_at(&SamplingRequest::new(), 5.0, || dice);
        assert!(decide(0.9).sampled);
        assert!(!decide(0.05).sampled);
        assert!(decide(0.049).sampled);
        assert_eq!(sampler.decide(&SamplingRequest::new()).rule_name, None);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let error = LocalSampler::from_file("no/such/rules.json").unwrap_err().to_string();
        assert!(error.starts_with("cannot read the sampling rules in no/such/rules.json: "), "{error}");
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let error = LocalSampler::from_file(manifest).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{manifest}: the sampling rules are not valid JSON: ")),
            "{error}"
        );
    }
}
