//! A sampling rule and when it was changed.

use std::time::SystemTime;

use serde::Serialize;

use super::rule::SamplingRule;
use super::timestamp::Timestamp;

/// A [`SamplingRule`] as `GetSamplingRules` tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SamplingRuleRecord {
    sampling_rule: SamplingRule,
    created_at: Timestamp,
    modified_at: Timestamp,
}

impl SamplingRuleRecord {
    pub(super) fn new(sampling_rule: SamplingRule, now: Timestamp) -> Self {
        Self { sampling_rule, created_at: now, modified_at: now }
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &SamplingRule {
        &self.sampling_rule
    }

    /// When a rule of this name was first loaded here, to the millisecond.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        self.created_at.to_system_time()
    }

    /// When it was last changed here, to the millisecond.
    #[must_use]
    pub fn modified_at(&self) -> SystemTime {
        self.modified_at.to_system_time()
    }

    /// Takes over a newer form of the rule; whether it differs.
    pub(super) fn update(&mut self, rule: SamplingRule, now: Timestamp) -> bool {
        let differs = self.sampling_rule != rule;
        if differs {
            self.sampling_rule = rule;
            self.modified_at = now;
        }
        differs
    }
}
