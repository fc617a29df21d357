//! What holds of sampling rules and targets for any file and any request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use xray_console::sampling::{PATHS, RulesFile, SamplingRules, TARGETS_PATH};

use crate::support::scalar;

/// Members of files and requests.
const NAMES: &[&str] = &[
    "SamplingRuleRecords",
    "SamplingRule",
    "RuleName",
    "RuleARN",
    "ResourceARN",
    "Priority",
    "FixedRate",
    "ReservoirSize",
    "ServiceName",
    "ServiceType",
    "Host",
    "HTTPMethod",
    "URLPath",
    "Version",
    "Attributes",
    "SamplingRateBoost",
    "NextToken",
    "version",
    "default",
    "rules",
    "fixed_target",
    "rate",
    "host",
    "service_name",
    "http_method",
    "url_path",
    "description",
    "SamplingStatisticsDocuments",
    "ClientID",
    "Timestamp",
    "RequestCount",
    "SampledCount",
    "BorrowCount",
    "SamplingBoostStatisticsDocuments",
];

/// Any JSON, with the names of members often.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        5 => scalar(),
        1 => Just(json!("*")),
        1 => Just(json!("Default")),
        1 => Just(json!("0123456789abcdef01234567")),
        1 => (0..3).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES), inner), 0..12).prop_map(|members| {
                let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(members.collect::<Map<_, _>>())
            }),
        ]
    })
}

/// A rule that is valid, and what may be wrong with it.
fn rule() -> impl Strategy<Value = Value> {
    let pattern = || "[*?a-z/é]{1,10}";
    let rule = ("[a-z]{1,3}", 1_u32..=9_999, 0.0..=1.0, 0_u32..1_000, pattern(), pattern(), pattern());
    rule.prop_map(|(name, priority, rate, reservoir, host, method, path)| {
        json!({
            "RuleName": name, "ResourceARN": "*", "Priority": priority, "FixedRate": rate, "ReservoirSize": reservoir,
            "ServiceName": "*", "ServiceType": "*", "Host": host, "HTTPMethod": method, "URLPath": path, "Version": 1,
        })
    })
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn quotas(rules: &SamplingRules, reports: &[(u32, u64)]) -> Vec<(u32, u64)> {
    let mut quotas = Vec::new();
    for reports in reports.chunks(25) {
        let documents: Vec<Value> = reports
            .iter()
            .map(|(client, requests)| {
                json!({ "RuleName": "a", "ClientID": format!("{client:024x}"), "Timestamp": 1, "RequestCount": requests,
                        "SampledCount": 0 })
            })
            .collect();
        let request = json!({ "SamplingStatisticsDocuments": documents }).to_string();
        let answer = rules.answer(TARGETS_PATH, request.as_bytes(), at(1_000));
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let targets = answer["SamplingTargetDocuments"].as_array().unwrap();
        assert_eq!(targets.len(), reports.len());
        quotas.extend(
            reports
                .iter()
                .zip(targets)
                .map(|((client, _), target)| (*client, target["ReservoirQuota"].as_u64().unwrap())),
        );
    }
    quotas.sort_unstable();
    quotas
}

proptest! {
    #[test]
    fn any_text_is_a_file_or_is_refused(text in any::<String>()) {
        if let Err(error) = RulesFile::from_json(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_json_is_a_sound_file_or_is_refused(value in value()) {
        match RulesFile::from_json(&value.to_string()) {
            Ok(file) => prop_assert!(file.rules().last().is_some_and(|rule| rule.is_default())),
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control), "{}", error),
        }
    }

    #[test]
    fn valid_rules_are_told_in_their_order_and_can_be_read_again(list in prop::collection::vec(rule(), 0..20)) {
        let mut names: Vec<&str> = list.iter().map(|rule| rule["RuleName"].as_str().unwrap()).collect();
        names.sort_unstable();
        names.dedup();
        match RulesFile::from_json(&json!(list).to_string()) {
            Err(error) => prop_assert!(names.len() < list.len(), "{}", error),
            Ok(file) => {
                prop_assert_eq!(names.len(), list.len());
                prop_assert!(file.rules().is_sorted_by_key(|rule| (rule.priority, rule.rule_name.clone())));
                let again = RulesFile::from_json(&serde_json::to_string(file.rules()).unwrap()).unwrap();
                prop_assert_eq!(file.rules(), again.rules());
                let rules = SamplingRules::new(file, at(1));
                prop_assert_eq!(rules.reload(&json!(list).to_string(), at(2)).unwrap().changed, 0);
            }
        }
    }

    #[test]
    fn any_request_has_an_answer(request in value(), path in prop::sample::select(&PATHS[..])) {
        let rules = SamplingRules::everything(at(1_000));
        let answer = rules.answer(path, request.to_string().as_bytes(), at(1_000));
        prop_assert!(matches!(answer.status, 200 | 400), "{}", answer.status);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        prop_assert_eq!(body.get("Message").is_some(), answer.status == 400);
    }

    #[test]
    fn the_quotas_of_all_clients_add_up_to_the_reservoir_in_any_order(
        reports in prop::collection::btree_map(any::<u32>(), 1_u64..50, 1..60),
        reservoir in 0_u32..200,
        turn in any::<prop::sample::Index>(),
    ) {
        let mut rule = serde_json::to_value(RulesFile::from_json("[]").unwrap().rules()).unwrap()[0].take();
        rule["RuleName"] = json!("a");
        rule["Priority"] = json!(1);
        rule["ReservoirSize"] = json!(reservoir);
        let load = || SamplingRules::new(RulesFile::from_json(&rule.to_string()).unwrap(), at(1_000));
        let mut reports: Vec<(u32, u64)> = reports.into_iter().collect();
        let first = load();
        quotas(&first, &reports);
        let settled = quotas(&first, &reports);
        prop_assert_eq!(settled.iter().map(|(_, quota)| quota).sum::<u64>(), u64::from(reservoir));
        let turn = turn.index(reports.len());
        reports.rotate_left(turn);
        reports.reverse();
        let second = load();
        quotas(&second, &reports);
        prop_assert_eq!(settled, quotas(&second, &reports));
    }
}
