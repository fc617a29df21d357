//! `--sampling-rules`: the daemon answers samplers itself.
#![cfg(feature = "relay")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test binary uses its part")]
mod support;

use std::net::SocketAddr;

use nix::sys::signal::Signal;
use program::{ALONE, Daemon, Folder};
use serde_json::{Value, json};
use support::http::{Answer, raw, request};

fn rules(rate: f64) -> String {
    json!({ "SamplingRule": {
        "RuleName": "Cruddur", "ResourceARN": "*", "Priority": 9000, "FixedRate": rate, "ReservoirSize": 5,
        "ServiceName": "Cruddur", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1,
    } })
    .to_string()
}

/// Takes the place of the file at once, as an editor or a mount does: no half of it is ever read.
fn replace(folder: &Folder, text: &str) {
    folder.write("new.json", text);
    std::fs::rename(folder.path("new.json"), folder.path("rules.json")).unwrap();
}

/// As an SDK in a container calls it: by the name of the service, and with no signature.
fn post(addr: SocketAddr, path: &str, body: &str) -> Answer {
    let headers = [("Host", "xray-daemon:2000"), ("Content-Type", "application/json")];
    raw(addr, &request("POST", path, &headers, body.as_bytes()))
}

fn rate(addr: SocketAddr) -> f64 {
    let answer = post(addr, "/GetSamplingRules", "{}");
    assert_eq!(answer.status, 200, "{answer:?}");
    let records = answer.json()["SamplingRuleRecords"].take();
    assert_eq!(records[1]["SamplingRule"]["RuleName"], "Default");
    records[0]["SamplingRule"]["FixedRate"].as_f64().unwrap()
}

fn start(folder: &Folder) -> (Daemon, SocketAddr) {
    let mut daemon = Daemon::start(folder.program(&[ALONE, &["--sampling-rules", "rules.json"]].concat()));
    let lines = daemon.until("Listening on UDP");
    let on = "Starting proxy http server on ";
    let addr = lines.iter().find_map(|line| line.split_once(on)).expect("an address").1;
    (daemon, addr.parse().unwrap())
}

#[test]
fn rules_and_targets_are_answered_with_no_account() {
    let folder = Folder::new();
    replace(&folder, &rules(0.1));
    let (daemon, addr) = start(&folder);
    assert_eq!(rate(addr).to_bits(), 0.1_f64.to_bits());
    let report = |rule: &str| {
        json!({ "RuleName": rule, "ClientID": "0123456789abcdef01234567", "Timestamp": 1_500_000_000,
                "RequestCount": 10, "SampledCount": 1, "BorrowCount": 1 })
    };
    let body = json!({ "SamplingStatisticsDocuments": [report("Cruddur"), report("Gone")] }).to_string();
    let answer = post(addr, "/SamplingTargets", &body).json();
    let target = &answer["SamplingTargetDocuments"][0];
    assert_eq!((&target["ReservoirQuota"], &target["Interval"]), (&json!(5), &json!(10)), "{answer}");
    assert_eq!(answer["UnprocessedStatistics"][0]["ErrorCode"], "404");

    let answer = post(addr, "/SamplingTargets", "{}");
    assert_eq!((answer.status, &answer.json()["__type"]), (400, &json!("InvalidRequestException")));
    // A page of somebody else is refused as everywhere.
    let foreign = [("Host", "xray-daemon:2000"), ("Origin", "http://evil.example")];
    assert_eq!(raw(addr, &request("POST", "/GetSamplingRules", &foreign, b"{}")).status, 403);
    let (code, _, err) = daemon.end();
    assert_eq!((code, &*err), (Some(0), ""));
}

#[test]
fn the_file_is_followed_and_a_wrong_one_changes_nothing() {
    let folder = Folder::new();
    replace(&folder, &rules(0.1));
    let (mut daemon, addr) = start(&folder);
    let is = |expected: f64| assert_eq!(rate(addr).to_bits(), expected.to_bits());

    replace(&folder, &rules(0.2));
    daemon.signal(Signal::SIGHUP);
    daemon.until("Sampling rules of rules.json: 0 added, 1 changed, 0 removed");
    is(0.2);

    replace(&folder, &rules(7.0));
    daemon.signal(Signal::SIGHUP);
    let lines = daemon.until("the sampling rules stay as they were");
    let told =
        "sampling rule \"Cruddur\": SamplingRule.FixedRate must be a number from 0 to 1, but it is 7.0";
    assert!(lines.last().unwrap().contains(told), "{lines:#?}");
    is(0.2);

    // With no signal.
    replace(&folder, &rules(0.3));
    daemon.until("0 added, 1 changed, 0 removed");
    is(0.3);
    assert_eq!(daemon.end().0, Some(0));
}

#[test]
fn a_wrong_file_is_refused_at_the_start() {
    let folder = Folder::new();
    let arguments = [ALONE, &["--sampling-rules", "rules.json"]].concat();
    let (code, out, _) = folder.output(&arguments);
    assert!(code == Some(1) && out.contains("rules.json: the sampling rules cannot be read: "), "{out}");
    let wrong: [(Value, &str); 3] = [
        (json!({}), "the sampling rules must be what `aws xray get-sampling-rules` prints"),
        (json!({ "SamplingRule": { "RuleName": "a" } }), "sampling rule \"a\": SamplingRule."),
        (
            json!({ "version": 2, "default": { "fixed_target": 1, "rate": 2 } }),
            "default.rate must be a number from 0 to 1",
        ),
    ];
    for (rules, told) in wrong {
        folder.write("rules.json", &rules.to_string());
        let (code, out, _) = folder.output(&arguments);
        assert!(code == Some(1) && out.contains("[Error] rules.json: ") && out.contains(told), "{out}");
    }
}
