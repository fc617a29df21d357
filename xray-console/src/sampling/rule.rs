//! A sampling rule, within the limits of X-Ray's API.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::member::{InvalidMember, Members};

/// The name of the rule that applies where no other does. It is always there, and always the last.
pub const DEFAULT_RULE: &str = "Default";

/// The priority of [`DEFAULT_RULE`]: below that of any other rule.
pub const DEFAULT_PRIORITY: u32 = 10_000;

/// The largest reservoir: SDKs hold it in 32 bits with a sign.
pub(super) const MAX_RESERVOIR: u32 = i32::MAX as u32;

/// The most characters of a name.
pub(super) const MAX_NAME: usize = 32;
pub(super) const MAX_HOST: usize = 64;
pub(super) const MAX_METHOD: usize = 10;
pub(super) const MAX_PATH: usize = 128;

/// One sampling rule: which requests it is about, and how many of them are recorded.
///
/// The members are those of the type of this name in X-Ray's API, and so are the limits. Patterns know `*` and `?`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SamplingRule {
    /// Its name, 1 to 32 characters.
    #[serde(rename = "RuleName")]
    pub rule_name: String,
    /// Its ARN. [`SamplingRules`](super::SamplingRules) makes one where it has none.
    #[serde(rename = "RuleARN", skip_serializing_if = "Option::is_none")]
    pub rule_arn: Option<String>,
    /// Pattern of the ARN of the resource that serves, at most 500 characters. SDKs use only rules with `*`.
    #[serde(rename = "ResourceARN")]
    pub resource_arn: String,
    /// From 1 to 9,999, the lowest first; [`DEFAULT_PRIORITY`] for [`DEFAULT_RULE`].
    #[serde(rename = "Priority")]
    pub priority: u32,
    /// The share, from 0 to 1, of the requests that are recorded beyond the reservoir.
    #[serde(rename = "FixedRate")]
    pub fixed_rate: f64,
    /// How many requests are recorded in each second before the rate applies, by all services that use the rule together.
    #[serde(rename = "ReservoirSize")]
    pub reservoir_size: u32,
    /// Pattern of the segment's name, at most 64 characters.
    #[serde(rename = "ServiceName")]
    pub service_name: String,
    /// Pattern of the segment's origin, at most 64 characters.
    #[serde(rename = "ServiceType")]
    pub service_type: String,
    /// Pattern of the host of the request, at most 64 characters.
    #[serde(rename = "Host")]
    pub host: String,
    /// Pattern of the method of the request, at most 10 characters.
    #[serde(rename = "HTTPMethod")]
    pub http_method: String,
    /// Pattern of the path of the request, at most 128 characters.
    #[serde(rename = "URLPath")]
    pub url_path: String,
    /// The version of the format: 1.
    #[serde(rename = "Version")]
    pub version: u32,
    /// What else a request must have: at most 5, key and value 1 to 32 characters. X-Ray SDKs skip a rule that has any.
    #[serde(rename = "Attributes")]
    pub attributes: BTreeMap<String, String>,
    /// How far X-Ray may raise the rate for a while where it sees anomalies. Kept and told, with no effect here.
    #[serde(rename = "SamplingRateBoost", skip_serializing_if = "Option::is_none")]
    pub sampling_rate_boost: Option<SamplingRateBoost>,
}

/// The bounds of a boost of the sampling rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SamplingRateBoost {
    /// The highest rate, from 0 to 1.
    pub max_rate: f64,
    /// Minutes in which there is one boost at most.
    pub cooldown_window_minutes: u32,
}

impl SamplingRule {
    /// A rule that matches every request.
    pub(super) fn matching_all(name: String, priority: u32, fixed_rate: f64, reservoir_size: u32) -> Self {
        let any = || "*".to_owned();
        Self {
            rule_name: name,
            rule_arn: None,
            resource_arn: any(),
            priority,
            fixed_rate,
            reservoir_size,
            service_name: any(),
            service_type: any(),
            host: any(),
            http_method: any(),
            url_path: any(),
            version: 1,
            attributes: BTreeMap::new(),
            sampling_rate_boost: None,
        }
    }

    /// [`DEFAULT_RULE`] with these figures.
    pub(super) fn default_rule(fixed_rate: f64, reservoir_size: u32) -> Self {
        Self::matching_all(DEFAULT_RULE.to_owned(), DEFAULT_PRIORITY, fixed_rate, reservoir_size)
    }

    /// [`DEFAULT_RULE`] as it is in an account where nobody changed it: one request a second, and 5 % of the others.
    #[must_use]
    pub fn aws_default() -> Self {
        Self::default_rule(0.05, 1)
    }

    /// Whether this is [`DEFAULT_RULE`].
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.rule_name == DEFAULT_RULE
    }

    /// Why X-Ray SDKs skip it, where they do.
    pub(super) fn skipped_by_sdks(&self) -> Option<&'static str> {
        if !self.attributes.is_empty() {
            Some("has Attributes")
        } else if self.resource_arn != "*" {
            Some("has a ResourceARN other than `*`")
        } else {
            None
        }
    }

    /// Reads the object at `path`.
    pub(super) fn read(value: &Value, path: &str) -> Result<Self, InvalidMember> {
        let members = Members::of(value, path)?;
        let rule_arn = match members.get("RuleARN") {
            None => None,
            Some(_) => Some(members.text("RuleARN", 1..=500)?.to_owned()),
        };
        let rule_name = match (members.get("RuleName"), &rule_arn) {
            (None, Some(arn)) => name_of(arn)
                .ok_or_else(|| members.invalid("RuleARN", "an ARN that ends in `sampling-rule/NAME`"))?,
            _ => members.text("RuleName", 1..=MAX_NAME)?,
        };
        let default = rule_name == DEFAULT_RULE;
        let pattern = |name: &str, most: usize| match members.pattern(name, most)? {
            pattern if default && pattern != "*" => {
                Err(members.invalid(name, "`*` in the rule Default, which is for every request"))
            }
            pattern => Ok(pattern.to_owned()),
        };
        let priorities = if default { 10_000..=10_000 } else { 1..=9_999 };
        let attributes = attributes(&members)?;
        if default && !attributes.is_empty() {
            return Err(
                members.invalid("Attributes", "empty in the rule Default, which is for every request")
            );
        }
        Ok(Self {
            rule_name: rule_name.to_owned(),
            resource_arn: pattern("ResourceARN", 500)?,
            priority: small(members.whole("Priority", priorities)?),
            fixed_rate: members.share("FixedRate")?,
            reservoir_size: small(members.whole("ReservoirSize", 0..=MAX_RESERVOIR.into())?),
            service_name: pattern("ServiceName", 64)?,
            service_type: pattern("ServiceType", 64)?,
            host: pattern("Host", MAX_HOST)?,
            http_method: pattern("HTTPMethod", MAX_METHOD)?,
            url_path: pattern("URLPath", MAX_PATH)?,
            version: small(members.whole("Version", 1..=1)?),
            attributes,
            sampling_rate_boost: boost(&members)?,
            rule_arn,
        })
    }
}

/// The name in the ARN of a rule.
fn name_of(arn: &str) -> Option<&str> {
    let (_, name) = arn.rsplit_once("sampling-rule/")?;
    (1..=MAX_NAME).contains(&name.chars().count()).then_some(name)
}

/// A number that its range bounds.
fn small(number: u64) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

fn attributes(members: &Members<'_>) -> Result<BTreeMap<String, String>, InvalidMember> {
    const WANTED: &str = "an object of at most 5 texts, keys and texts of 1 to 32 characters";
    let empty = Map::new();
    let fields = match members.get("Attributes") {
        None => &empty,
        Some(Value::Object(fields)) if fields.len() <= 5 => fields,
        Some(_) => return Err(members.invalid("Attributes", WANTED)),
    };
    let fits = |text: &str| (1..=32).contains(&text.chars().count());
    let attribute = |(key, value): (&String, &Value)| match value {
        Value::String(text) if fits(key) && fits(text) => Ok((key.clone(), text.clone())),
        _ => Err(members.invalid("Attributes", Cow::Borrowed(WANTED))),
    };
    fields.iter().map(attribute).collect()
}

fn boost(members: &Members<'_>) -> Result<Option<SamplingRateBoost>, InvalidMember> {
    let Some(value) = members.get("SamplingRateBoost") else { return Ok(None) };
    let members = Members::of(value, members.path_of("SamplingRateBoost"))?;
    Ok(Some(SamplingRateBoost {
        max_rate: members.share("MaxRate")?,
        cooldown_window_minutes: small(members.whole("CooldownWindowMinutes", 0..=MAX_RESERVOIR.into())?),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cruddur() -> Value {
        json!({
            "RuleName": "Cruddur", "ResourceARN": "*", "Priority": 9000, "FixedRate": 0.1, "ReservoirSize": 5,
            "ServiceName": "Cruddur", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1,
        })
    }

    fn with(member: &str, value: Value) -> Result<SamplingRule, InvalidMember> {
        let mut rule = cruddur();
        rule[member] = value;
        SamplingRule::read(&rule, "SamplingRule")
    }

    #[test]
    fn a_rule_is_written_as_it_was_read() {
        let mut full = cruddur();
        full["RuleARN"] = json!("arn:aws:xray:eu-west-1:123456789012:sampling-rule/Cruddur");
        full["Attributes"] = json!({ "a": "b" });
        full["SamplingRateBoost"] = json!({ "MaxRate": 0.5, "CooldownWindowMinutes": 10 });
        let rule = SamplingRule::read(&full, "").unwrap();
        assert_eq!(serde_json::to_value(&rule).unwrap(), full);
        // The members that SDKs look at are there also where the file has none.
        let rule = serde_json::to_value(SamplingRule::read(&cruddur(), "").unwrap()).unwrap();
        assert_eq!(rule["Attributes"], json!({}));
        assert!(rule.get("RuleARN").is_none() && rule.get("SamplingRateBoost").is_none());
    }

    #[test]
    fn each_limit_holds_at_its_edge() {
        let long = |count: usize| json!("é".repeat(count));
        let inside = [
            ("RuleName", long(32)),
            ("ResourceARN", long(500)),
            ("Priority", json!(1)),
            ("Priority", json!(9999)),
            ("FixedRate", json!(0)),
            ("FixedRate", json!(1)),
            ("ReservoirSize", json!(0)),
            ("ReservoirSize", json!(2_147_483_647)),
            ("ServiceName", long(64)),
            ("ServiceType", long(64)),
            ("Host", long(64)),
            ("HTTPMethod", long(10)),
            ("URLPath", long(128)),
            ("Attributes", json!({"a": "b", "c": "d", "e": "f", "g": "h", "i": "x".repeat(32)})),
            ("Attributes", Value::Null),
            ("Unknown", json!("is ignored")),
        ];
        for (member, value) in inside {
            assert!(with(member, value.clone()).is_ok(), "{member} {value}");
        }
        let outside = [
            ("RuleName", json!("")),
            ("RuleName", long(33)),
            ("RuleName", json!(5)),
            ("RuleName", Value::Null),
            ("RuleARN", json!("")),
            ("ResourceARN", long(501)),
            ("Priority", json!(0)),
            ("Priority", json!(10_000)),
            ("Priority", json!("1")),
            ("Priority", json!(1.5)),
            ("FixedRate", json!(-0.1)),
            ("FixedRate", json!(1.000_001)),
            ("FixedRate", json!("0.5")),
            ("ReservoirSize", json!(-1)),
            ("ReservoirSize", json!(2_147_483_648_u32)),
            ("ServiceName", long(65)),
            ("ServiceType", long(65)),
            ("Host", long(65)),
            ("HTTPMethod", long(11)),
            ("URLPath", long(129)),
            ("URLPath", json!("")),
            ("Version", json!(2)),
            ("Attributes", json!({"a": 1})),
            ("Attributes", json!({"": "b"})),
            ("Attributes", json!({"a": "b", "c": "d", "e": "f", "g": "h", "i": "j", "k": "l"})),
            ("Attributes", json!([])),
            ("SamplingRateBoost", json!([])),
        ];
        for (member, value) in outside {
            let error = with(member, value.clone()).expect_err(member);
            assert_eq!(error.path(), format!("SamplingRule.{member}"), "{value}");
        }
        let error = with("SamplingRateBoost", json!({ "MaxRate": 2 })).unwrap_err();
        assert_eq!(error.path(), "SamplingRule.SamplingRateBoost.MaxRate");
    }

    #[test]
    fn what_is_required_is_missed() {
        let rule = cruddur();
        for member in rule.as_object().unwrap().keys() {
            let mut less = rule.clone();
            less.as_object_mut().unwrap().remove(member);
            let error = SamplingRule::read(&less, "").expect_err(member);
            assert_eq!(error.path(), member);
            assert!(error.to_string().ends_with("but it is missing"), "{error}");
        }
    }

    #[test]
    fn a_rule_may_be_named_by_its_arn() {
        let mut rule = cruddur();
        rule.as_object_mut().unwrap().remove("RuleName");
        rule["RuleARN"] = json!("arn:aws:xray:eu-west-1:123456789012:sampling-rule/a/b");
        assert_eq!(SamplingRule::read(&rule, "").unwrap().rule_name, "a/b");
        for arn in ["arn:aws:xray:eu-west-1:123456789012:group/x", "sampling-rule/"] {
            rule["RuleARN"] = json!(arn);
            assert_eq!(SamplingRule::read(&rule, "").unwrap_err().path(), "RuleARN");
        }
    }

    #[test]
    fn the_default_rule_is_for_every_request() {
        let mut rule = serde_json::to_value(SamplingRule::aws_default()).unwrap();
        assert_eq!(SamplingRule::read(&rule, "").unwrap(), SamplingRule::aws_default());
        for (member, value) in [
            ("Priority", json!(1)),
            ("Host", json!("a")),
            ("ResourceARN", json!("a*")),
            ("Attributes", json!({"a": "b"})),
        ] {
            let good = std::mem::replace(&mut rule[member], value);
            assert_eq!(SamplingRule::read(&rule, "").unwrap_err().path(), member);
            rule[member] = good;
        }
    }
}
