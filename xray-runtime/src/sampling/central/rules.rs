//! The rules as they are known here: what requests are decided by, and what the poller keeps of them. No clock, no network.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value;

use super::super::SamplingRequest;
use super::reservoir::{CentralHow, Reservoir, RuleStatistics};
use super::rule::Rule;
use super::targets::Target;

/// Seconds after which rules that could not be fetched again are too old to decide.
const EXPIRY: f64 = 3_600.0;

/// A decision with how it came about.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CentralDecision {
    /// Whether the request is recorded.
    pub sampled: bool,
    /// The name of the rule that decided.
    pub rule: Arc<str>,
    /// What of the rule decided.
    pub how: CentralHow,
}

/// Rules in the order in which they are asked. It never changes: another one takes its place.
#[derive(Debug)]
pub(super) struct RuleSet {
    refreshed_at: f64,
    rules: Vec<(Rule, Arc<Reservoir>)>,
}

impl RuleSet {
    /// The set that never decides: none was loaded yet.
    pub(super) fn never_loaded() -> Self {
        Self { refreshed_at: f64::NEG_INFINITY, rules: Vec::new() }
    }

    /// The decision of the first rule that matches. None where another sampler must decide: no rule matches, or the rules are too old.
    /// The name is lent: who needs it takes it.
    pub(super) fn decide(
        &self,
        request: &SamplingRequest<'_>,
        strict: bool,
        now: f64,
        random: impl FnOnce() -> f64,
    ) -> Option<(bool, &Arc<str>, CentralHow)> {
        if now > self.refreshed_at + EXPIRY {
            return None;
        }
        let (rule, reservoir) = self.rules.iter().find(|(rule, _)| rule.matches(request, strict))?;
        // `as` takes the whole second, and saturates.
        let (sampled, how) = reservoir.decide(now as u32, rule.reservoir_size, random);
        Some((sampled, &rule.name, how))
    }
}

/// What the poller knows: the set that decides, and the target of each rule.
#[doc(hidden)]
#[derive(Debug)]
pub struct CentralRules {
    current: Arc<ArcSwap<RuleSet>>,
    /// In the order of the set.
    rules: Vec<Polled>,
    refreshed_at: f64,
    adaptive: bool,
}

#[derive(Debug)]
struct Polled {
    name: Arc<str>,
    reservoir: Arc<Reservoir>,
    target: Target,
}

/// The statistics of a rule on their way to the service.
#[doc(hidden)]
#[derive(Debug)]
pub struct RuleReport {
    /// The rule's name.
    pub name: Arc<str>,
    /// Its counts since the last report.
    pub statistics: RuleStatistics,
    reservoir: Arc<Reservoir>,
}

impl RuleReport {
    /// It did not arrive: its counts are reported with the next ones.
    pub(super) fn give_back(self) {
        self.reservoir.add_statistics(self.statistics);
    }
}

impl Default for CentralRules {
    fn default() -> Self {
        Self::new(Arc::new(ArcSwap::from_pointee(RuleSet::never_loaded())), false)
    }
}

impl CentralRules {
    /// Rules that take the place of those in `current` when they are loaded; `adaptive`: with the boosts of their targets.
    pub(super) fn new(current: Arc<ArcSwap<RuleSet>>, adaptive: bool) -> Self {
        Self { current, rules: Vec::new(), refreshed_at: f64::NEG_INFINITY, adaptive }
    }

    /// The decision at a time, with a random number in `0.0..1.0` where one is needed; None where the fallback decides.
    pub fn decide_at(
        &self,
        request: &SamplingRequest<'_>,
        strict_matching: bool,
        unix_seconds: f64,
        random: impl FnOnce() -> f64,
    ) -> Option<CentralDecision> {
        let set = self.current.load();
        let (sampled, rule, how) = set.decide(request, strict_matching, unix_seconds, random)?;
        Some(CentralDecision { sampled, rule: Arc::clone(rule), how })
    }

    /// Takes over the rules of these records (the members `SamplingRule`), as they were at `refreshed_at`. Rules that had the same name
    /// keep what they counted and were granted; records that cannot be used are left out.
    pub fn replace<'a>(&mut self, records: impl IntoIterator<Item = &'a Value>, refreshed_at: f64) {
        let mut rules: Vec<Rule> = Vec::new();
        let mut places: HashMap<Arc<str>, usize> = HashMap::new();
        for rule in records.into_iter().filter_map(Rule::read) {
            // Names are unique; where they are not, the last word counts.
            match places.get(&rule.name).and_then(|&place| rules.get_mut(place)) {
                Some(earlier) => *earlier = rule,
                None => {
                    places.insert(Arc::clone(&rule.name), rules.len());
                    rules.push(rule);
                }
            }
        }
        rules.sort_by(Rule::order);
        let mut known: HashMap<Arc<str>, Polled> =
            self.rules.drain(..).map(|polled| (Arc::clone(&polled.name), polled)).collect();
        self.rules = rules
            .iter()
            .map(|rule| {
                known.remove(&rule.name).unwrap_or_else(|| Polled {
                    name: Arc::clone(&rule.name),
                    reservoir: Arc::default(),
                    target: Target::default(),
                })
            })
            .collect();
        for (rule, polled) in rules.iter().zip(&self.rules) {
            polled.reservoir.set_rate(rule.fixed_rate);
        }
        let reservoirs = self.rules.iter().map(|polled| Arc::clone(&polled.reservoir));
        self.refreshed_at = refreshed_at;
        self.current
            .store(Arc::new(RuleSet { refreshed_at, rules: rules.into_iter().zip(reservoirs).collect() }));
    }

    /// The statistics that are due, rule by rule. They are taken: what does not arrive must be given back.
    pub fn report(&mut self, now: f64) -> Vec<RuleReport> {
        self.rules
            .iter()
            .filter(|polled| polled.target.is_due(now) && polled.reservoir.has_statistics())
            .map(|polled| RuleReport {
                name: Arc::clone(&polled.name),
                statistics: polled.reservoir.take_statistics(),
                reservoir: Arc::clone(&polled.reservoir),
            })
            .collect()
    }

    /// Takes over target documents; those of unknown rules are left out.
    pub fn apply_targets<'a>(&mut self, documents: impl IntoIterator<Item = &'a Value>, now: f64) {
        for document in documents {
            let Some(name) = document.get("RuleName").and_then(Value::as_str) else { continue };
            if let Some(polled) = self.rules.iter_mut().find(|polled| &*polled.name == name) {
                polled.target.apply(document, now, &polled.reservoir, self.adaptive);
            }
        }
    }

    /// Whether rules that were modified then may be unknown here. Both times count as whole seconds, as the service tells its own.
    pub(super) fn are_older_than(&self, modified_at: f64) -> bool {
        modified_at >= self.refreshed_at.floor()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(name: &str, priority: u32, path: &str, reservoir: u32) -> Value {
        json!({
            "RuleName": name, "Priority": priority, "FixedRate": 0.5, "ReservoirSize": reservoir, "URLPath": path, "Version": 1,
            "ResourceARN": "*", "Host": "*", "HTTPMethod": "*", "ServiceName": "*", "ServiceType": "*",
        })
    }

    fn decide(rules: &CentralRules, path: &str, now: f64) -> Option<(String, CentralHow)> {
        let request = SamplingRequest::new().with_url_path(path);
        let decision = rules.decide_at(&request, false, now, || 0.9)?;
        Some((decision.rule.to_string(), decision.how))
    }

    fn counts(rules: &mut CentralRules, now: f64) -> Vec<(String, u64)> {
        let report = rules.report(now).into_iter();
        report.map(|report| (report.name.to_string(), report.statistics.requests)).collect()
    }

    #[test]
    fn nothing_decides_before_rules_are_known_and_after_an_hour() {
        let mut rules = CentralRules::default();
        assert_eq!(decide(&rules, "/", 0.0), None);
        rules.replace(&[rule("Default", 1, "*", 1)], 100.5);
        assert!(decide(&rules, "/", 3_700.5).is_some());
        assert_eq!(decide(&rules, "/", 3_700.6), None);
    }

    #[test]
    fn what_no_rule_matches_is_for_another_sampler() {
        let mut rules = CentralRules::default();
        rules.replace(&[rule("orders", 1, "/orders", 1)], 0.0);
        assert_eq!(decide(&rules, "/", 1.0), None);
        assert_eq!(decide(&rules, "/orders", 1.0), Some(("orders".into(), CentralHow::Borrow)));
        rules.replace(&[], 1.0);
        assert_eq!(decide(&rules, "/orders", 2.0), None, "no rules are an answer too");
    }

    #[test]
    fn a_rule_of_the_same_name_keeps_its_state() {
        let mut rules = CentralRules::default();
        rules.replace(&[rule("a", 1, "/a", 1), rule("b", 2, "/b", 1)], 0.0);
        rules.apply_targets(
            &[json!({"RuleName": "a", "FixedRate": 0.1, "ReservoirQuota": 1, "ReservoirQuotaTTL": 50, "Interval": 20})],
            0.0,
        );
        assert_eq!(decide(&rules, "/a", 5.0).unwrap().1, CentralHow::Take);
        assert_eq!(decide(&rules, "/b", 5.0).unwrap().1, CentralHow::Borrow);
        rules.replace(&[rule("c", 1, "/c", 1), rule("a", 3, "/a*", 1)], 5.0);
        assert_eq!(decide(&rules, "/b", 5.0), None);
        assert_eq!(decide(&rules, "/aa", 5.0).unwrap().1, CentralHow::Rate, "the second's place is taken");
        assert_eq!(counts(&mut rules, 19.0), [], "its interval is kept, and what another counted is gone");
        assert_eq!(counts(&mut rules, 20.0), [("a".into(), 2)]);
        assert_eq!(counts(&mut rules, 20.0), []);
    }

    #[test]
    fn the_console_s_rate_counts_again_after_a_fetch() {
        let mut rules = CentralRules::default();
        rules.replace(&[rule("a", 1, "*", 0)], 0.0);
        let sampled = |rules: &CentralRules, dice: f64| {
            rules.decide_at(&SamplingRequest::new(), false, 1.0, || dice).unwrap().sampled
        };
        assert!(sampled(&rules, 0.49));
        rules.apply_targets(&[json!({"RuleName": "a", "FixedRate": 0.1})], 0.0);
        assert!(!sampled(&rules, 0.49));
        rules.replace(&[rule("a", 1, "*", 0)], 0.0);
        assert!(sampled(&rules, 0.49));
    }

    #[test]
    fn records_that_cannot_be_used_are_left_out() {
        let mut rules = CentralRules::default();
        let mut newer = rule("newer", 1, "*", 1);
        newer["Version"] = 2.into();
        rules.replace(&[newer, json!("rule"), rule("a", 9, "*", 1), rule("a", 9, "/a", 1)], 0.0);
        assert_eq!(decide(&rules, "/", 0.0), None, "the last of two with one name counts");
        assert_eq!(decide(&rules, "/a", 0.0).unwrap().0, "a");
    }

    #[test]
    fn what_is_given_back_is_reported_again() {
        let mut rules = CentralRules::default();
        rules.replace(&[rule("a", 1, "*", 1)], 0.0);
        decide(&rules, "/", 0.0);
        for report in rules.report(1.0) {
            report.give_back();
        }
        decide(&rules, "/", 0.0);
        assert_eq!(counts(&mut rules, 1.0), [("a".into(), 2)]);
    }

    #[test]
    fn targets_of_strangers_are_left_out() {
        let mut rules = CentralRules::default();
        rules.replace(&[rule("a", 1, "*", 1)], 0.0);
        rules.apply_targets(
            &[json!({"RuleName": "b", "FixedRate": 1}), json!({"FixedRate": 1}), json!(7)],
            0.0,
        );
        decide(&rules, "/", 0.0);
        assert_eq!(counts(&mut rules, 0.0).len(), 1);
    }

    #[test]
    fn a_modification_in_the_second_of_the_fetch_may_be_unknown() {
        let mut rules = CentralRules::default();
        rules.replace(&[], 100.7);
        assert!(rules.are_older_than(100.0));
        assert!(rules.are_older_than(101.0));
        assert!(!rules.are_older_than(99.9));
    }
}
