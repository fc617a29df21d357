//! Centralized sampling against a daemon that answers over TCP, in all the ways that daemons do.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use xray_runtime::{
    CentralSampler, CentralSamplerBuilder, LocalSampler, Recorder, Sampler, SamplingDecision,
    SamplingRequest, begin_segment,
};

#[path = "central_sampling_daemon/mod.rs"]
mod daemon;
use daemon::{Answer, Call, Daemon, SOON, record, response, rules, targets};

const NEVER: Duration = Duration::from_secs(3_600);
const AT_ONCE: Duration = Duration::from_millis(2);

/// A sampler for the daemon there, whose fallback samples nothing.
fn sampler(address: SocketAddr) -> CentralSamplerBuilder {
    let nothing = r#"{"version": 2, "default": {"fixed_target": 0, "rate": 0}}"#;
    CentralSampler::builder()
        .fallback(LocalSampler::from_json(nothing).unwrap())
        .daemon_address(address.to_string().parse().unwrap())
}

fn decide(sampler: &CentralSampler, path: &str) -> SamplingDecision {
    sampler.decide(&SamplingRequest::new().with_url_path(path))
}

/// Decides until a rule of this name has: that the thread takes over an answer is an event inside it.
fn decide_until(sampler: &CentralSampler, path: &str, rule: &str) {
    let until = std::time::Instant::now() + SOON;
    while decide(sampler, path).rule_name.as_deref() != Some(rule) {
        assert!(std::time::Instant::now() < until, "{rule} never decided about {path}");
        std::thread::yield_now();
    }
}

fn statistics(call: &Call) -> &Vec<Value> {
    call.body["SamplingStatisticsDocuments"].as_array().unwrap()
}

#[test]
fn nobody_is_asked_before_the_first_decision() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let sampler = sampler(listener.local_addr().unwrap()).build();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(decide(&sampler, "/"), false.into(), "the fallback decides until rules are known");
    listener.set_nonblocking(false).unwrap();
    let daemon = Daemon::on(listener, |_| rules(vec![record("all", "*", 1.0)]));
    let call = daemon.call();
    assert_eq!((call.path.as_str(), &call.body), ("/GetSamplingRules", &json!({})));
    let head = call.head.to_ascii_lowercase();
    assert!(head.starts_with("post /getsamplingrules http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nhost: {}\r\n", daemon.address)), "{head}");
    assert!(!head.contains("x-amzn-trace-id"), "its calls are not traced: {head}");
    decide_until(&sampler, "/", "all");
}

#[test]
fn a_recorder_asks_the_daemon_of_its_segments_and_tells_the_rule() {
    let segments = UdpSocket::bind("127.0.0.1:0").unwrap();
    segments.set_read_timeout(Some(SOON)).unwrap();
    let daemon = Daemon::start(|_| rules(vec![record("checkout", "/checkout", 1.0)]));
    let recorder = Recorder::builder()
        .service("shop")
        .daemon_address(format!("tcp:{} udp:{}", daemon.address, segments.local_addr().unwrap()))
        .build()
        .unwrap();
    let mut buffer = vec![0; 65_535];
    let until = std::time::Instant::now() + SOON;
    // The local rules sample the first one, which is not the console's.
    loop {
        drop(recorder.request_segment().request(SamplingRequest::new().with_url_path("/checkout")).begin());
        if recorder.flush(SOON).sent == 0 {
            continue;
        }
        let size = segments.recv(&mut buffer).unwrap();
        let document: Value =
            serde_json::from_slice(buffer[..size].split(|byte| *byte == b'\n').nth(1).unwrap()).unwrap();
        assert_eq!(document["name"], "shop");
        match document["aws"]["xray"]["sampling_rule_name"].as_str() {
            Some(rule) => {
                assert_eq!(rule, "checkout");
                break;
            }
            None => assert!(std::time::Instant::now() < until, "{document}"),
        }
    }
    assert_eq!(daemon.call().path, "/GetSamplingRules");
}

#[test]
fn a_recorder_can_have_another_fallback() {
    let daemon = Daemon::start(|_| rules(vec![record("orders", "/orders", 1.0)]));
    let recorder = Recorder::builder()
        .daemon_address(daemon.address.to_string())
        .central_sampling(CentralSampler::builder().fallback(
            LocalSampler::from_json(r#"{"version": 2, "default": {"fixed_target": 0, "rate": 0}}"#).unwrap(),
        ))
        .build()
        .unwrap();
    recorder.enter(|| drop(begin_segment("nightly")));
    assert_eq!(recorder.stats().segments_unsampled, 1);
    assert_eq!(daemon.call().path, "/GetSamplingRules");
}

#[test]
fn all_pages_are_read() {
    let daemon = Daemon::start(|call| {
        let page = |name: &str, next: Value| {
            Answer::Json(
                json!({ "SamplingRuleRecords": [record(name, &format!("/{name}"), 1.0)], "NextToken": next }),
            )
        };
        match call.body["NextToken"].as_str() {
            None => page("one", "second".into()),
            Some("second") => page("two", "third \"\\".into()),
            Some(_) => page("three", "".into()),
        }
    });
    let sampler = sampler(daemon.address).intervals(NEVER, NEVER, SOON).build();
    decide(&sampler, "/");
    let tokens: Vec<Value> = (0..3).map(|_| daemon.call().body).collect();
    assert_eq!(tokens, [json!({}), json!({"NextToken": "second"}), json!({"NextToken": "third \"\\"})]);
    for name in ["one", "two", "three"] {
        decide_until(&sampler, &format!("/{name}"), name);
    }
    assert_eq!(decide(&sampler, "/four"), false.into(), "no rule matches: the fallback decides");
}

#[test]
fn pages_without_end_are_an_error() {
    let daemon = Daemon::start(|_| {
        Answer::Json(json!({ "SamplingRuleRecords": [record("all", "*", 1.0)], "NextToken": "again" }))
    });
    let sampler = sampler(daemon.address).intervals(NEVER, AT_ONCE, SOON).build();
    decide(&sampler, "/");
    for _ in 0..2 {
        assert_eq!(daemon.call().body, json!({}));
        for _ in 1..64 {
            assert_eq!(daemon.call().body, json!({"NextToken": "again"}));
        }
    }
    assert_eq!(decide(&sampler, "/"), false.into(), "part of the rules are no rules");
}

/// A daemon with 60 rules, and a request for each of them. It takes no statistics before all are decided; then `answer` decides. What
/// it is told from then on is received.
fn sixty(
    mut answer: impl FnMut(&Call) -> Answer + Send + 'static,
) -> (Daemon, CentralSampler, Receiver<Vec<Value>>) {
    let ready = Arc::new(AtomicBool::new(false));
    let (sender, told) = channel();
    let is_ready = Arc::clone(&ready);
    let daemon = Daemon::start(move |call| {
        if call.path == "/GetSamplingRules" {
            return rules((0..60).map(|n| record(&format!("r{n}"), &format!("/{n}"), 1.0)).collect());
        }
        if !is_ready.load(SeqCst) {
            return Answer::Raw(response("503 Not Yet", b"{}"));
        }
        let _ = sender.send(statistics(call).clone());
        answer(call)
    });
    let sampler = sampler(daemon.address).intervals(NEVER, AT_ONCE, SOON).build();
    decide_until(&sampler, "/0", "r0");
    for n in 1..60 {
        assert_eq!(decide(&sampler, &format!("/{n}")).rule_name.as_deref(), Some(&*format!("r{n}")));
    }
    // The last of these reports began after the last decision.
    daemon.forget();
    daemon.next("SamplingTargets");
    daemon.next("SamplingTargets");
    ready.store(true, SeqCst);
    (daemon, sampler, told)
}

/// A target for each rule of the call.
fn target_all(call: &Call) -> Answer {
    let documents =
        statistics(call).iter().map(|told| json!({ "RuleName": told["RuleName"], "FixedRate": 1.0 }));
    targets(documents.collect())
}

#[test]
fn statistics_are_told_25_at_a_time() {
    let (_daemon, _sampler, received) = sixty(target_all);
    let mut told = BTreeSet::new();
    let mut client = None;
    for length in [25, 25, 10] {
        let documents = received.recv_timeout(SOON).unwrap();
        assert_eq!(documents.len(), length);
        for document in documents {
            let id = document["ClientID"].as_str().unwrap().to_owned();
            assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
            assert_eq!(client.get_or_insert_with(|| id.clone()), &id);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            assert!(now - document["Timestamp"].as_u64().unwrap() < 60, "{document}");
            let count = |key: &str| document[key].as_u64().unwrap();
            assert_eq!([count("RequestCount"), count("SampledCount"), count("BorrowCount")], [1, 0, 1]);
            told.insert(document["RuleName"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(told.len(), 60);
}

#[test]
fn what_did_not_arrive_is_told_again_and_nothing_else() {
    let mut calls = 0;
    let (_daemon, _sampler, received) = sixty(move |call| {
        calls += 1;
        // The second call of the first report.
        if calls == 2 { Answer::Close } else { target_all(call) }
    });
    let next = || -> Vec<(String, u64)> {
        let count = |told: &Value| {
            (told["RuleName"].as_str().unwrap().to_owned(), told["RequestCount"].as_u64().unwrap())
        };
        received.recv_timeout(SOON).unwrap().iter().map(count).collect()
    };
    let (arrived, failed) = (next(), next());
    // A round later: the 25 that failed and the 10 that were not tried, 25 at a time.
    let (again, rest) = (next(), next());
    assert_eq!((again.len(), rest.len()), (25, 10));
    assert_eq!(again, failed, "with the counts of the first time");
    assert!(rest.iter().chain(&again).all(|told| !arrived.contains(told)));
}

#[test]
fn no_decision_waits_for_a_daemon_that_is_broken() {
    let endless = {
        let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_vec();
        bytes.resize(2 << 20, b' ');
        bytes
    };
    let deep = response("200 OK", "[".repeat(100_000).as_bytes());
    let mut faults = vec![
        Answer::Close,
        Answer::Hang,
        Answer::Raw(b"220 mail.example.com ESMTP\r\n".to_vec()),
        Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{".to_vec()),
        Answer::Raw(response("200 OK", b"<html>")),
        Answer::Raw(response("200 OK", b"")),
        Answer::Raw(response("403 Forbidden", b"{}")),
        Answer::Raw(response("302 Found\r\nlocation: /GetSamplingRules", b"{}")),
        Answer::Raw(endless),
        Answer::Raw(deep),
        Answer::Json(json!({})),
        Answer::Json(json!([1, 2])),
        Answer::Json(json!({ "SamplingRuleRecords": {} })),
    ];
    faults.reverse();
    let left = faults.len();
    let daemon = Daemon::start(move |_| {
        faults.pop().unwrap_or_else(|| {
            rules(vec![json!(7), json!({ "SamplingRule": 7 }), json!({}), record("all", "*", 1.0)])
        })
    });
    let sampler = sampler(daemon.address).intervals(NEVER, AT_ONCE, Duration::from_millis(300)).build();
    // The daemon is in the middle of a fault while these are decided; were one to wait, the test would.
    for _ in 0..left {
        decide(&sampler, "/");
        assert_eq!(daemon.call().body, json!({}));
        assert_eq!(decide(&sampler, "/"), false.into());
    }
    assert_eq!(daemon.call().body, json!({}), "it is asked again until it answers");
    decide_until(&sampler, "/", "all");
}

#[test]
fn the_rules_that_are_there_outlive_a_failing_daemon() {
    let mut calls = 0;
    let daemon = Daemon::start(move |_| {
        calls += 1;
        if calls == 1 { rules(vec![record("all", "*", 1.0)]) } else { Answer::Close }
    });
    let sampler = sampler(daemon.address).intervals(AT_ONCE, NEVER, SOON).build();
    decide(&sampler, "/");
    daemon.call();
    // It has hung up once; the next fetch would be after the targets' interval.
    daemon.call();
    assert_eq!(decide(&sampler, "/").rule_name.as_deref(), Some("all"));
}

/// A daemon that tells `first`, and `second` at the next fetch; and each report of statistics gets this answer.
fn two_sets(answer: impl Fn(&Call) -> Answer + Send + 'static) -> Daemon {
    let mut fetches = 0;
    Daemon::start(move |call| {
        if call.path != "/GetSamplingRules" {
            return answer(call);
        }
        fetches += 1;
        rules(vec![if fetches == 1 { record("first", "*", 1.0) } else { record("second", "*", 1.0) }])
    })
}

#[test]
fn rules_that_were_modified_are_fetched_at_once() {
    let daemon = two_sets(|_| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Answer::Json(json!({ "SamplingTargetDocuments": [], "LastRuleModification": now }))
    });
    let sampler = sampler(daemon.address).intervals(NEVER, AT_ONCE, SOON).build();
    decide_until(&sampler, "/", "first");
    decide_until(&sampler, "/", "second");
    assert_eq!(statistics(&daemon.next("SamplingTargets"))[0]["RuleName"], "first");
    daemon.next("GetSamplingRules");
}

#[test]
fn rules_of_which_the_service_does_not_know_are_fetched_at_once() {
    let daemon = two_sets(|_| {
        let unknown = json!({ "RuleName": "first", "ErrorCode": "400", "Message": "no such rule" });
        Answer::Json(json!({ "SamplingTargetDocuments": [], "UnprocessedStatistics": [unknown] }))
    });
    let sampler = sampler(daemon.address).intervals(NEVER, AT_ONCE, SOON).build();
    decide_until(&sampler, "/", "first");
    decide_until(&sampler, "/", "second");
    daemon.next("SamplingTargets");
}

#[test]
fn statistics_that_the_service_failed_to_count_are_told_again() {
    let daemon = two_sets(|call| {
        let failed =
            json!({ "RuleName": statistics(call)[0]["RuleName"], "ErrorCode": "500", "Message": "later" });
        Answer::Json(json!({
            "SamplingTargetDocuments": [], "LastRuleModification": 1.5e9, "UnprocessedStatistics": [failed],
        }))
    });
    let sampler = sampler(daemon.address).intervals(NEVER, AT_ONCE, SOON).build();
    decide_until(&sampler, "/", "first");
    assert_eq!(daemon.call().path, "/GetSamplingRules");
    let mut told = 0;
    for _ in 0..3 {
        let call = daemon.call();
        assert_eq!(call.path, "/SamplingTargets", "the rules need no fetch");
        let count = statistics(&call)[0]["RequestCount"].as_u64().unwrap();
        assert!(count >= told.max(1), "{count} after {told}");
        told = count;
    }
}

#[test]
fn a_target_is_honoured() {
    let daemon = Daemon::start(|call| match call.path.as_str() {
        "/GetSamplingRules" => rules(vec![record("all", "*", 1.0)]),
        // A rate of nothing, and a quota of nothing, for long.
        _ => targets(vec![json!({
            "RuleName": "all", "FixedRate": 0.0, "ReservoirQuota": 0, "ReservoirQuotaTTL": 4.0e9, "Interval": 10,
        })]),
    });
    let sampler = sampler(daemon.address).intervals(NEVER, AT_ONCE, SOON).build();
    decide_until(&sampler, "/", "all");
    let until = std::time::Instant::now() + SOON;
    // A yes is borrowed or by the rate of 1; a no is the target's.
    while decide(&sampler, "/").sampled {
        assert!(std::time::Instant::now() < until, "the target never came");
        std::thread::yield_now();
    }
    assert_eq!(decide(&sampler, "/"), false.into());
    // Its interval is not over.
    assert_eq!(daemon.call().path, "/GetSamplingRules");
    assert_eq!(daemon.call().path, "/SamplingTargets");
}

#[test]
fn strict_matching_is_for_the_console_s_rules() {
    let daemon = Daemon::start(|_| rules(vec![record("orders", "/orders", 1.0)]));
    let lenient = sampler(daemon.address).build();
    decide(&lenient, "/orders");
    decide_until(&lenient, "/orders", "orders");
    assert_eq!(lenient.decide(&SamplingRequest::new()).rule_name.as_deref(), Some("orders"));
    let strict = sampler(daemon.address).strict_matching(true).build();
    decide_until(&strict, "/orders", "orders");
    assert_eq!(strict.decide(&SamplingRequest::new()), false.into());
}
