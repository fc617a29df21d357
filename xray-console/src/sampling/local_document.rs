//! The document of local sampling rules, as the X-Ray SDKs read it, versions 1 and 2, turned into rules of the API.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::member::{InvalidMember, Members};
use super::rule::{DEFAULT_RULE, MAX_HOST, MAX_METHOD, MAX_NAME, MAX_PATH, MAX_RESERVOIR, SamplingRule};
use super::rules_file::MAX_RULES;

/// The most keys that nobody knows which are told: enough to find the mistake.
const TOLD: usize = 10;

/// Reads a document: its rules in their order with priorities from 1, then [`DEFAULT_RULE`]. Keys that are not known
/// are told in `warnings`.
///
/// A rule's name is its `description`, cut to the length of a name; `rule-1` and so on where there is none, or another
/// rule has it.
pub(super) fn read(
    document: &Map<String, Value>,
    warnings: &mut Vec<String>,
) -> Result<Vec<SamplingRule>, InvalidMember> {
    let members = Members::outermost(document);
    let (host, other_host) = match members.whole("version", 1..=2) {
        Ok(1) => ("service_name", "host"),
        Ok(_) => ("host", "service_name"),
        Err(_) => return Err(members.invalid("version", "1 or 2")),
    };
    let mut unknown = Vec::new();
    note_unknown(document, &["version", "default", "rules"], "", &mut unknown);
    let mut rules = Vec::new();
    let mut names = HashSet::from([DEFAULT_RULE.to_owned()]);
    for (index, rule) in members.list("rules", MAX_RULES)?.unwrap_or_default().iter().enumerate() {
        let path = format!("rules[{index}]");
        let members = Members::of(rule, &*path)?;
        if members.get(other_host).is_some() {
            let wanted = format!("absent: in this version the key is `{host}`");
            return Err(members.invalid(other_host, wanted));
        }
        let known = [host, "http_method", "url_path", "fixed_target", "rate", "description"];
        note_unknown_of(rule, &known, &format!("{path}."), &mut unknown);
        let (fixed_target, rate) = amounts(&members)?;
        let name = name(members.get("description"), index + 1, &names);
        names.insert(name.clone());
        let priority = u32::try_from(index + 1).unwrap_or(u32::MAX);
        rules.push(SamplingRule {
            host: members.pattern(host, MAX_HOST)?.to_owned(),
            http_method: members.pattern("http_method", MAX_METHOD)?.to_owned(),
            url_path: members.pattern("url_path", MAX_PATH)?.to_owned(),
            ..SamplingRule::matching_all(name, priority, rate, fixed_target)
        });
    }
    let default = members.get("default").ok_or_else(|| {
        members.invalid("default", "an object with `fixed_target` and `rate`, for what no rule matches")
    })?;
    note_unknown_of(default, &["fixed_target", "rate", "description"], "default.", &mut unknown);
    let default = Members::of(default, "default")?;
    for matcher in ["host", "service_name", "http_method", "url_path"] {
        if default.get(matcher).is_some() {
            return Err(default.invalid(matcher, "absent: a rule with matchers belongs into `rules`"));
        }
    }
    let (fixed_target, rate) = amounts(&default)?;
    rules.push(SamplingRule::default_rule(rate, fixed_target));
    warnings.append(&mut unknown);
    Ok(rules)
}

/// `fixed_target` and `rate`. A target beyond what the API can say is as good as the largest that it can.
fn amounts(members: &Members<'_>) -> Result<(u32, f64), InvalidMember> {
    let target = members.whole("fixed_target", 0..=u64::MAX)?;
    Ok((target.try_into().unwrap_or(u32::MAX).min(MAX_RESERVOIR), members.share("rate")?))
}

fn name(description: Option<&Value>, number: usize, taken: &HashSet<String>) -> String {
    let description = description.and_then(Value::as_str).unwrap_or_default();
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let cut: String = description.trim().chars().map(plain).take(MAX_NAME).collect();
    let cut = cut.trim_end();
    if !cut.is_empty() && !taken.contains(cut) {
        return cut.to_owned();
    }
    let mut number = number;
    loop {
        let name = format!("rule-{number}");
        if !taken.contains(&name) {
            return name;
        }
        number += 1;
    }
}

fn note_unknown_of(value: &Value, known: &[&str], place: &str, unknown: &mut Vec<String>) {
    if let Value::Object(fields) = value {
        note_unknown(fields, known, place, unknown);
    }
}

fn note_unknown(fields: &Map<String, Value>, known: &[&str], place: &str, unknown: &mut Vec<String>) {
    for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
        if unknown.len() < TOLD {
            let key: String = key.chars().take(64).flat_map(char::escape_debug).collect();
            unknown.push(format!("{place}{key} is ignored: no version of the document has it"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(rules: Value) -> Value {
        json!({ "version": 2, "default": { "fixed_target": 1, "rate": 0.05 }, "rules": rules })
    }

    fn rules(document: &Value) -> Result<(Vec<SamplingRule>, Vec<String>), InvalidMember> {
        let mut warnings = Vec::new();
        read(document.as_object().unwrap(), &mut warnings).map(|rules| (rules, warnings))
    }

    fn rule() -> Value {
        json!({ "host": "*.a", "http_method": "GET", "url_path": "/b/*", "fixed_target": 2, "rate": 0.5 })
    }

    #[test]
    fn both_versions_become_rules_of_the_api() {
        let mut first = rule();
        first["description"] = json!("  Player\tmoves. ");
        let mut document = document(json!([first, rule()]));
        let (read, warnings) = rules(&document).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let expected = SamplingRule {
            host: "*.a".into(),
            http_method: "GET".into(),
            url_path: "/b/*".into(),
            ..SamplingRule::matching_all("Player moves.".into(), 1, 0.5, 2)
        };
        assert_eq!(read[0], expected);
        assert_eq!((&*read[1].rule_name, read[1].priority), ("rule-2", 2));
        assert_eq!(read[2], SamplingRule::aws_default());
        // What came out is valid as a rule of the API.
        for rule in &read {
            assert_eq!(SamplingRule::read(&serde_json::to_value(rule).unwrap(), "").as_ref(), Ok(rule));
        }
        document["version"] = json!(1);
        for rule in document["rules"].as_array_mut().unwrap() {
            let host = rule.as_object_mut().unwrap().remove("host").unwrap();
            rule["service_name"] = host;
        }
        assert_eq!(rules(&document).unwrap().0, read);
    }

    #[test]
    fn names_are_unique_and_short() {
        let described = |text: &str| {
            let mut rule = rule();
            rule["description"] = json!(text);
            rule
        };
        let long = "x".repeat(40);
        let document = document(json!([
            described("rule-2"),
            rule(),
            described(&long),
            described(&long),
            described("Default"),
            described("a")
        ]));
        let names: Vec<String> = rules(&document).unwrap().0.into_iter().map(|rule| rule.rule_name).collect();
        assert_eq!(names, ["rule-2", "rule-3", &"x".repeat(32), "rule-4", "rule-5", "a", "Default"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let changed = |path: &str, value: Value| {
            let mut document = document(json!([rule()]));
            *document.pointer_mut(path).unwrap() = value;
            rules(&document).unwrap_err().to_string()
        };
        let cases = [
            ("/version", json!(3), "version must be 1 or 2, but it is 3"),
            (
                "/default",
                Value::Null,
                "default must be an object with `fixed_target` and `rate`, for what no rule matches, but it is missing",
            ),
            ("/default", json!([]), "default must be an object, but it is an array"),
            ("/default/rate", json!(1.5), "default.rate must be a number from 0 to 1, but it is 1.5"),
            ("/rules", json!({}), "rules must be an array of at most 200, but it is an object"),
            ("/rules/0", json!(1), "rules[0] must be an object, but it is 1"),
            (
                "/rules/0/host",
                json!(""),
                "rules[0].host must be a pattern of 1 to 64 characters, `*` to match everything, but it is \"\"",
            ),
            (
                "/rules/0/http_method",
                json!("PROPPATCHES"),
                "rules[0].http_method must be a pattern of 1 to 10 characters, `*` to match everything, but it is \"PROPPATCHES\"",
            ),
            (
                "/rules/0/fixed_target",
                json!(-1),
                "rules[0].fixed_target must be a whole number from 0, but it is -1",
            ),
            ("/rules/0/rate", json!("1"), "rules[0].rate must be a number from 0 to 1, but it is \"1\""),
        ];
        for (path, value, told) in cases {
            assert_eq!(changed(path, value), told);
        }
        let mut other = rule();
        other["service_name"] = json!("*");
        let error = rules(&document(json!([other]))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "rules[0].service_name must be absent: in this version the key is `host`, but it is \"*\""
        );
        let mut document = document(json!(null));
        document["default"]["url_path"] = json!("/");
        assert_eq!(rules(&document).unwrap_err().path(), "default.url_path");
    }

    #[test]
    fn unknown_keys_are_told_and_a_large_target_is_the_largest() {
        let mut odd = rule();
        odd["hots"] = json!("*");
        odd["fixed_target"] = json!(u64::MAX);
        let mut document = document(json!([odd]));
        document["default"]["note"] = json!(1);
        let (read, warnings) = rules(&document).unwrap();
        assert_eq!(read[0].reservoir_size, 2_147_483_647);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("rules[0].hots") && warnings[1].starts_with("default.note"));
    }
}
