//! A file of sampling rules, in any form that a user is likely to have.

use std::collections::HashMap;

use serde_json::{Map, Value};
use thiserror::Error;

use super::local_document;
use super::member::InvalidMember;
use super::rule::SamplingRule;

/// The most rules of a file, [`DEFAULT_RULE`](super::DEFAULT_RULE) aside. An account has 25 unless AWS raises it.
pub const MAX_RULES: usize = 200;

/// The rules of a file.
///
/// The forms that are read:
///
/// * what `aws xray get-sampling-rules` prints: `{"SamplingRuleRecords": [{"SamplingRule": {..}, ..}]}`;
/// * what `aws xray create-sampling-rule --cli-input-json` takes: `{"SamplingRule": {..}}`;
/// * an array of either `{"SamplingRule": {..}}` or the rules themselves, or one rule;
/// * the document of local rules of the X-Ray SDKs: `{"version": 2, "default": {..}, "rules": [..]}`, or version 1. Its
///   rules keep their order as priorities 1, 2, and so on, and have their `description` as their name.
///
/// The rule `Default` is [that of an account](SamplingRule::aws_default) where the file has none. Times in the file are
/// ignored: SDKs are told when a rule was loaded.
///
/// ```
/// use xray_console::sampling::RulesFile;
///
/// let file = RulesFile::from_json(r#"{"SamplingRule": {"RuleName": "Cruddur", "ResourceARN": "*", "Priority": 9000,
///     "FixedRate": 0.1, "ReservoirSize": 5, "ServiceName": "Cruddur", "ServiceType": "*", "Host": "*",
///     "HTTPMethod": "*", "URLPath": "*", "Version": 1}}"#)?;
/// let names: Vec<&str> = file.rules().iter().map(|rule| &*rule.rule_name).collect();
/// assert_eq!(names, ["Cruddur", "Default"]);
/// # Ok::<(), xray_console::sampling::RulesFileError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RulesFile {
    rules: Vec<SamplingRule>,
    warnings: Vec<String>,
}

/// Sampling rules cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RulesFileError {
    /// The text is no JSON.
    #[error("the sampling rules are not valid JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// It is JSON, but none of the forms of [`RulesFile`].
    #[error(
        "the sampling rules must be what `aws xray get-sampling-rules` prints, `{{\"SamplingRule\": {{..}}}}`, an array of \
         these, or a document of local rules with `version`, `default` and `rules`"
    )]
    Form,
    /// It is one page of a longer list.
    #[error(
        "the sampling rules are one page of several (`NextToken` is set): print all with `aws xray get-sampling-rules`"
    )]
    OnePage,
    /// There are too many.
    #[error("there are {found} sampling rules, at most {MAX_RULES} and Default are possible")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// A member of a rule is missing or not as it must be.
    #[error("sampling rule {rule}: {source}")]
    Rule {
        /// The rule's name, in quotation marks, or its place, such as `2 of 5`.
        rule: String,
        /// Which member, and what to write.
        source: InvalidMember,
    },
    /// A member of a document of local rules is missing or not as it must be.
    #[error("local sampling rules: {0}")]
    Local(#[source] InvalidMember),
    /// Two rules have one name.
    #[error(
        "two sampling rules are called {rule}, at {first} and at {second}: give one of them another RuleName"
    )]
    Twice {
        /// The name, in quotation marks.
        rule: String,
        /// The place of the first.
        first: String,
        /// The place of the second.
        second: String,
    },
}

impl RulesFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// The text is no JSON, of no known form, or has a rule that breaks a limit.
    pub fn from_json(text: &str) -> Result<Self, RulesFileError> {
        // Editors of some systems put the mark there.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value: Value = serde_json::from_str(text).map_err(RulesFileError::Json)?;
        let mut warnings = Vec::new();
        let mut rules = match &value {
            Value::Array(list) => rules_of(list, "")?,
            Value::Object(fields) if fields.contains_key("SamplingRuleRecords") => records(fields)?,
            Value::Object(fields)
                if fields.contains_key("SamplingRule") || fields.contains_key("RuleName") =>
            {
                vec![read(&value, String::new(), "the only one")?.1]
            }
            Value::Object(fields) if fields.contains_key("version") => {
                local_document::read(fields, &mut warnings).map_err(RulesFileError::Local)?
            }
            _ => return Err(RulesFileError::Form),
        };
        if !rules.iter().any(SamplingRule::is_default) {
            rules.push(SamplingRule::aws_default());
        }
        if rules.len() > MAX_RULES + 1 {
            return Err(RulesFileError::TooMany { found: rules.len() - 1 });
        }
        rules.sort_by(|a, b| (a.priority, &a.rule_name).cmp(&(b.priority, &b.rule_name)));
        for rule in &rules {
            if let Some(why) = rule.skipped_by_sdks() {
                warnings
                    .push(format!("X-Ray SDKs skip the sampling rule {}: it {why}", quoted(&rule.rule_name)));
            }
        }
        Ok(Self { rules, warnings })
    }

    /// The rules in the order in which they are tried, `Default` the last.
    #[must_use]
    pub fn rules(&self) -> &[SamplingRule] {
        &self.rules
    }

    /// What is valid, and perhaps not meant: keys that nobody knows, rules that SDKs skip. A sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(super) fn into_parts(self) -> (Vec<SamplingRule>, Vec<String>) {
        (self.rules, self.warnings)
    }
}

/// What `aws xray get-sampling-rules` prints.
fn records(fields: &Map<String, Value>) -> Result<Vec<SamplingRule>, RulesFileError> {
    if fields.get("NextToken").is_some_and(|token| !token.is_null()) {
        return Err(RulesFileError::OnePage);
    }
    match fields.get("SamplingRuleRecords") {
        Some(Value::Array(list)) => rules_of(list, "SamplingRuleRecords"),
        _ => Err(RulesFileError::Form),
    }
}

fn rules_of(list: &[Value], place: &str) -> Result<Vec<SamplingRule>, RulesFileError> {
    let mut places = HashMap::new();
    let mut rules = Vec::with_capacity(list.len() + 1);
    for (index, value) in list.iter().enumerate() {
        let order = format!("{} of {}", index + 1, list.len());
        let (path, rule) = read(value, format!("{place}[{index}]"), &order)?;
        if let Some(first) = places.insert(rule.rule_name.clone(), path.clone()) {
            return Err(RulesFileError::Twice { rule: quoted(&rule.rule_name), first, second: path });
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// Reads a rule, or what has one as its `SamplingRule`, and tells where the rule stands.
fn read(value: &Value, place: String, order: &str) -> Result<(String, SamplingRule), RulesFileError> {
    let (path, rule) = match value.get("SamplingRule") {
        Some(rule) if place.is_empty() => ("SamplingRule".to_owned(), rule),
        Some(rule) => (format!("{place}.SamplingRule"), rule),
        None => (place, value),
    };
    SamplingRule::read(rule, &path).map(|rule| (path, rule)).map_err(|source| {
        let name = rule.get("RuleName").and_then(Value::as_str).filter(|name| !name.is_empty());
        RulesFileError::Rule { rule: name.map_or_else(|| order.to_owned(), quoted), source }
    })
}

/// A name in quotation marks, with no control character in it, and short.
fn quoted(name: &str) -> String {
    format!("{:?}", name.chars().take(40).collect::<String>())
}
