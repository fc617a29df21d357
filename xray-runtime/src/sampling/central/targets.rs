//! What the service grants a rule on this client, from the answer to its statistics.

use serde_json::Value;

use super::reservoir::{MAX_QUOTA, Reservoir};

/// Seconds between two reports of a rule, until a target says otherwise.
const INTERVAL: f64 = 10.0;

/// The poller's side of a rule. Times are in Unix seconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    quota: Option<u32>,
    quota_ttl: Option<f64>,
    interval: f64,
    /// When it was set last.
    at: Option<f64>,
}

impl Default for Target {
    fn default() -> Self {
        Self { quota: None, quota_ttl: None, interval: INTERVAL, at: None }
    }
}

impl Target {
    /// Takes over what a target document says; one without a rate says nothing.
    pub(super) fn apply(&mut self, document: &Value, now: f64, reservoir: &Reservoir, adaptive: bool) {
        let number = |key| document.get(key).and_then(Value::as_f64);
        let Some(rate) = number("FixedRate") else { return };
        self.at = Some(now);
        reservoir.set_rate(rate);
        // What is not told stays as it is. 0 is told.
        if let Some(quota) = number("ReservoirQuota") {
            self.quota = Some((quota as u32).min(MAX_QUOTA));
        }
        self.quota_ttl = number("ReservoirQuotaTTL").or(self.quota_ttl);
        self.interval = number("Interval").unwrap_or(self.interval);
        if let (Some(quota), Some(ttl)) = (self.quota, self.quota_ttl) {
            reservoir.set_quota(quota, ttl);
        }
        if adaptive {
            let boost = |key| document.get("SamplingBoost")?.get(key)?.as_f64();
            if let (Some(rate), Some(end)) = (boost("BoostRate"), boost("BoostRateTTL")) {
                reservoir.set_boost(rate, end);
            }
        }
    }

    /// Whether the rule's statistics are to be reported.
    pub(super) fn is_due(&self, now: f64) -> bool {
        self.at.is_none_or(|at| now >= at + self.interval)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::reservoir::CentralHow;
    use super::*;

    fn how(reservoir: &Reservoir, second: u32) -> CentralHow {
        reservoir.decide(second, 1, || 0.99).1
    }

    #[test]
    fn a_quota_needs_its_time_which_may_come_later() {
        let (mut target, reservoir) = (Target::default(), Reservoir::default());
        target.apply(&json!({"FixedRate": 0, "ReservoirQuota": 1}), 5.0, &reservoir, false);
        assert_eq!(how(&reservoir, 5), CentralHow::Borrow);
        target.apply(&json!({"FixedRate": 0, "ReservoirQuotaTTL": 7}), 6.0, &reservoir, false);
        assert_eq!(how(&reservoir, 6), CentralHow::Take);
        assert_eq!(how(&reservoir, 7), CentralHow::Take);
        assert_eq!(how(&reservoir, 8), CentralHow::Borrow);
        // A new quota of nothing counts, with the time that holds.
        target.apply(
            &json!({"FixedRate": 0, "ReservoirQuota": 0, "ReservoirQuotaTTL": null}),
            7.0,
            &reservoir,
            false,
        );
        assert_eq!(how(&reservoir, 7), CentralHow::Rate);
    }

    #[test]
    fn a_document_without_a_rate_says_nothing() {
        let (mut target, reservoir) = (Target::default(), Reservoir::default());
        for document in
            [json!({"ReservoirQuota": 5, "ReservoirQuotaTTL": 99, "Interval": 60}), json!(null), json!([])]
        {
            target.apply(&document, 1.0, &reservoir, false);
            assert_eq!(target, Target::default());
        }
    }

    #[test]
    fn a_boost_is_for_who_asked_for_it() {
        let (mut target, reservoir) = (Target::default(), Reservoir::default());
        let boosted = json!({"FixedRate": 0.1, "SamplingBoost": {"BoostRate": 0.9, "BoostRateTTL": 20}});
        let sampled = |reservoir: &Reservoir| reservoir.decide(10, 0, || 0.5).0;
        target.apply(&boosted, 9.0, &reservoir, false);
        assert!(!sampled(&reservoir));
        target.apply(&boosted, 9.0, &reservoir, true);
        assert!(sampled(&reservoir));
        // What is not told stays.
        for document in
            [json!({"FixedRate": 0.1}), json!({"FixedRate": 0.1, "SamplingBoost": {"BoostRate": 0.0}})]
        {
            target.apply(&document, 9.0, &reservoir, true);
            assert!(sampled(&reservoir));
        }
    }

    #[test]
    fn reported_at_once_and_then_at_its_interval() {
        let (mut target, reservoir) = (Target::default(), Reservoir::default());
        assert!(target.is_due(0.0));
        target.apply(&json!({"FixedRate": 0.5}), 100.0, &reservoir, false);
        assert!(!target.is_due(109.9));
        assert!(target.is_due(110.0));
        target.apply(&json!({"FixedRate": 0.5, "Interval": 30}), 110.0, &reservoir, false);
        assert!(!target.is_due(139.9));
        assert!(target.is_due(140.0));
        target.apply(&json!({"FixedRate": 0.5}), 140.0, &reservoir, false);
        assert!(!target.is_due(169.9), "the interval stays");
    }
}
