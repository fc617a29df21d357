//! The document of local sampling rules, version 1 and 2.

use serde_json::{Map, Value};
use thiserror::Error;

/// How many are recorded: the first `fixed_target` of each second, and the share `rate` of the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quota {
    pub(crate) fixed_target: u32,
    pub(crate) rate: f64,
}

/// Whom a rule is about, as wildcard patterns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) host: String,
    pub(crate) http_method: String,
    pub(crate) url_path: String,
    pub(crate) quota: Quota,
}

/// A valid document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rules {
    pub(crate) default: Quota,
    pub(crate) rules: Vec<Rule>,
    /// Where a key stands that no version knows, such as `rules[0].hots`.
    pub(crate) unknown_keys: Vec<String>,
}

/// The document of local sampling rules cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidSamplingRules {
    /// It is no JSON.
    #[error("the sampling rules are not valid JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// It is JSON, but no object.
    #[error("the sampling rules must be an object with `version`, `default` and `rules`")]
    NotAnObject,
    /// The version is missing, or one that does not exist.
    #[error("`version` must be 1 or 2")]
    Version,
    /// There is no default.
    #[error("`default` must be an object with `fixed_target` and `rate`")]
    DefaultMissing,
    /// The default is for what no rule matches, so it cannot match something itself.
    #[error("`default` must not contain `{key}`: a rule with matchers belongs into `rules`")]
    DefaultHasMatcher {
        /// The key that does not belong there.
        key: &'static str,
    },
    /// `rules` is no array.
    #[error("`rules` must be an array")]
    RulesNotAnArray,
    /// A rule is no object.
    #[error("`rules[{rule}]` must be an object")]
    RuleNotAnObject {
        /// Its place in `rules`, from 0.
        rule: usize,
    },
    /// A rule has the key for the host that the other version uses.
    #[error("`rules[{rule}]` has `{key}`, but in this version the key is `{expected}`")]
    WrongHostKey {
        /// Its place in `rules`, from 0.
        rule: usize,
        /// The key of the other version.
        key: &'static str,
        /// The key of this version.
        expected: &'static str,
    },
    /// A rule has no pattern for one of its three matchers, or an empty one.
    #[error("`rules[{rule}].{key}` must be a pattern, `*` to match everything")]
    Pattern {
        /// Its place in `rules`, from 0.
        rule: usize,
        /// The matcher.
        key: &'static str,
    },
    /// The number of requests to record each second is missing, or not such a number.
    #[error("`{}.fixed_target` must be a whole number from 0", place(*rule))]
    FixedTarget {
        /// Its place in `rules`, from 0; `None` for the default.
        rule: Option<usize>,
    },
    /// The share of the other requests is missing, or no share.
    #[error("`{}.rate` must be a number from 0 to 1", place(*rule))]
    Rate {
        /// Its place in `rules`, from 0; `None` for the default.
        rule: Option<usize>,
    },
}

impl InvalidSamplingRules {
    /// The name that the conformance vectors have for the reason.
    #[doc(hidden)]
    pub fn reason(&self) -> String {
        match self {
            Self::Json(_) => "json".into(),
            Self::NotAnObject => "not_object".into(),
            Self::Version => "version".into(),
            Self::DefaultMissing => "default_missing".into(),
            Self::DefaultHasMatcher { .. } => "default_has_matcher".into(),
            Self::RulesNotAnArray => "rules_not_array".into(),
            Self::RuleNotAnObject { .. } => "rule_not_object".into(),
            Self::WrongHostKey { .. } => "wrong_host_key".into(),
            Self::Pattern { key, .. } => format!("missing_{key}"),
            Self::FixedTarget { rule: None } => "default_fixed_target".into(),
            Self::FixedTarget { .. } => "fixed_target".into(),
            Self::Rate { rule: None } => "default_rate".into(),
            Self::Rate { .. } => "rate".into(),
        }
    }
}

fn place(rule: Option<usize>) -> String {
    rule.map_or_else(|| "default".into(), |rule| format!("rules[{rule}]"))
}

/// Unknown keys to remember: enough to find the mistake.
const MAX_UNKNOWN_KEYS: usize = 10;

impl Rules {
    /// What applies where no rules are given: the first request of each second, and 5 % of the others.
    pub(crate) const fn built_in() -> Self {
        Self { default: Quota { fixed_target: 1, rate: 0.05 }, rules: Vec::new(), unknown_keys: Vec::new() }
    }

    pub(crate) fn from_json(text: &str) -> Result<Self, InvalidSamplingRules> {
        let document: Value = serde_json::from_str(text).map_err(InvalidSamplingRules::Json)?;
        let document = document.as_object().ok_or(InvalidSamplingRules::NotAnObject)?;
        let (host_key, other_host_key) = match document.get("version").and_then(Value::as_u64) {
            Some(1) => ("service_name", "host"),
            Some(2) => ("host", "service_name"),
            _ => return Err(InvalidSamplingRules::Version),
        };
        let mut unknown_keys = Vec::new();
        note_unknown(document, &["version", "default", "rules"], "", &mut unknown_keys);
        let default = read_default(document, &mut unknown_keys)?;
        let rules = match document.get("rules") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(rules)) => rules
                .iter()
                .enumerate()
                .map(|(index, rule)| {
                    let rule =
                        rule.as_object().ok_or(InvalidSamplingRules::RuleNotAnObject { rule: index })?;
                    read_rule(rule, index, host_key, other_host_key, &mut unknown_keys)
                })
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(InvalidSamplingRules::RulesNotAnArray),
        };
        Ok(Self { default, rules, unknown_keys })
    }
}

fn read_default(
    document: &Map<String, Value>,
    unknown_keys: &mut Vec<String>,
) -> Result<Quota, InvalidSamplingRules> {
    let default =
        document.get("default").and_then(Value::as_object).ok_or(InvalidSamplingRules::DefaultMissing)?;
    for key in ["host", "service_name", "http_method", "url_path"] {
        if default.contains_key(key) {
            return Err(InvalidSamplingRules::DefaultHasMatcher { key });
        }
    }
    note_unknown(default, &["fixed_target", "rate", "description"], "default.", unknown_keys);
    read_quota(default, None)
}

fn read_rule(
    rule: &Map<String, Value>,
    index: usize,
    host_key: &'static str,
    other_host_key: &'static str,
    unknown_keys: &mut Vec<String>,
) -> Result<Rule, InvalidSamplingRules> {
    if rule.contains_key(other_host_key) {
        return Err(InvalidSamplingRules::WrongHostKey {
            rule: index,
            key: other_host_key,
            expected: host_key,
        });
    }
    let pattern = |key| match rule.get(key) {
        Some(Value::String(pattern)) if !pattern.is_empty() => Ok(pattern.clone()),
        _ => Err(InvalidSamplingRules::Pattern { rule: index, key }),
    };
    let known = [host_key, "http_method", "url_path", "fixed_target", "rate", "description"];
    note_unknown(rule, &known, &format!("rules[{index}]."), unknown_keys);
    Ok(Rule {
        host: pattern(host_key)?,
        http_method: pattern("http_method")?,
        url_path: pattern("url_path")?,
        quota: read_quota(rule, Some(index))?,
    })
}

fn read_quota(object: &Map<String, Value>, rule: Option<usize>) -> Result<Quota, InvalidSamplingRules> {
    let fixed_target = object
        .get("fixed_target")
        .and_then(Value::as_u64)
        .ok_or(InvalidSamplingRules::FixedTarget { rule })?;
    let rate = object
        .get("rate")
        .and_then(Value::as_f64)
        .filter(|rate| (0.0..=1.0).contains(rate))
        .ok_or(InvalidSamplingRules::Rate { rule })?;
    // Four thousand million a second are as good as all.
    Ok(Quota { fixed_target: fixed_target.try_into().unwrap_or(u32::MAX), rate })
}

fn note_unknown(object: &Map<String, Value>, known: &[&str], place: &str, unknown_keys: &mut Vec<String>) {
    for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
        if unknown_keys.len() < MAX_UNKNOWN_KEYS {
            unknown_keys.push(format!("{place}{}", key.chars().take(64).collect::<String>()));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let number = prop_oneof![
            (-2_i64..4).prop_map(Value::from),
            (-1.0..2.0).prop_map(Value::from),
            any::<u64>().prop_map(Value::from)
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            number,
            "[*a]{0,2}".prop_map(Value::from)
        ];
        let key = prop::sample::select(vec![
            "version",
            "default",
            "rules",
            "host",
            "service_name",
            "http_method",
            "url_path",
            "fixed_target",
            "rate",
            "x",
        ]);
        leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key.clone().prop_map(String::from), inner), 0..8)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in any::<String>()) {
            let _ = Rules::from_json(&text);
        }

        #[test]
        fn any_document_has_a_sound_answer(mut document in json(), good in any::<bool>()) {
            if let (Value::Object(fields), true) = (&mut document, good) {
                fields.insert("version".into(), 2.into());
                fields.insert("default".into(), serde_json::json!({"fixed_target": 1, "rate": 0}));
            }
            match Rules::from_json(&document.to_string()) {
                Ok(rules) => {
                    for quota in rules.rules.iter().map(|rule| rule.quota).chain([rules.default]) {
                        prop_assert!((0.0..=1.0).contains(&quota.rate));
                    }
                    prop_assert!(rules.rules.iter().all(|rule| !rule.host.is_empty() && !rule.url_path.is_empty()));
                    prop_assert!(rules.unknown_keys.len() <= MAX_UNKNOWN_KEYS);
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    fn with_rule(version: u8, rule: &str) -> Result<Rules, InvalidSamplingRules> {
        Rules::from_json(&format!(
            r#"{{"version": {version}, "default": {{"fixed_target": 1, "rate": 0.5}}, "rules": [{rule}]}}"#
        ))
    }

    #[test]
    fn the_host_key_is_the_version_s() {
        let rule = |key| {
            format!(r#"{{"{key}": "h", "http_method": "m", "url_path": "p", "fixed_target": 2, "rate": 1}}"#)
        };
        for (version, key) in [(1, "service_name"), (2, "host")] {
            let rules = with_rule(version, &rule(key)).unwrap();
            let quota = Quota { fixed_target: 2, rate: 1.0 };
            let expected = Rule { host: "h".into(), http_method: "m".into(), url_path: "p".into(), quota };
            assert_eq!(rules.rules, [expected]);
        }
        let error = with_rule(2, &rule("service_name")).unwrap_err();
        assert_eq!(error.to_string(), "`rules[0]` has `service_name`, but in this version the key is `host`");
    }

    #[test]
    fn the_error_names_rule_and_field() {
        let error = with_rule(2, r#"{"host": "", "http_method": "*"}"#).unwrap_err();
        assert_eq!(error.to_string(), "`rules[0].host` must be a pattern, `*` to match everything");
        let error =
            Rules::from_json(r#"{"version": 2, "default": {"fixed_target": 1, "rate": 1.5}}"#).unwrap_err();
        assert_eq!(error.to_string(), "`default.rate` must be a number from 0 to 1");
        let error = Rules::from_json("{").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }

    #[test]
    fn whole_numbers_only() {
        for (target, valid) in
            [("0", true), ("4294967296", true), ("1.0", false), ("-1", false), ("\"1\"", false)]
        {
            let text = format!(r#"{{"version": 1, "default": {{"fixed_target": {target}, "rate": 0}}}}"#);
            assert_eq!(Rules::from_json(&text).is_ok(), valid, "{target}");
        }
        let text =
            r#"{"version": 2, "default": {"fixed_target": 18446744073709551615, "rate": 0}, "rules": null}"#;
        assert_eq!(Rules::from_json(text).unwrap().default.fixed_target, u32::MAX);
    }

    #[test]
    fn unknown_keys_are_told_with_their_place() {
        let text = r#"{"version": 2, "a": 0, "default": {"fixed_target": 1, "rate": 0, "b": 0}, "rules": [
            {"host": "*", "http_method": "*", "url_path": "*", "fixed_target": 1, "rate": 0, "description": "", "c": 0}]}"#;
        assert_eq!(Rules::from_json(text).unwrap().unknown_keys, ["a", "default.b", "rules[0].c"]);
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let text = "[".repeat(100_000);
        assert!(matches!(Rules::from_json(&text), Err(InvalidSamplingRules::Json(_))));
    }
}
