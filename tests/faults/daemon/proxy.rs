//! What samplers ask, passed on by a daemon whose upstream fails.

use conformance::upstream::{Behaviour, Double, SAMPLING_RULES, SAMPLING_TARGETS};

use crate::process::Start;

#[test]
fn calls_are_signed_and_passed_on_whatever_is_answered() {
    let double = Double::start().unwrap();
    let daemon = Start::before(&double).start();
    let (status, rules) = daemon.call("POST", SAMPLING_RULES, "{}");
    assert!(status == 200 && rules.contains("\"RuleName\":\"Default\""), "{rules}");
    let asked = r#"{"SamplingStatisticsDocuments":[{"RuleName":"\u2603"}]}"#;
    assert_eq!(daemon.call("POST", SAMPLING_TARGETS, asked).0, 200);
    // What the upstream says is for who asked, whatever it is; the daemon does not try again.
    for status in [400, 403, 429, 500, 503] {
        double.next(SAMPLING_RULES, 1, Behaviour::error(status, "Exception"));
        let (passed_on, body) = daemon.call("POST", SAMPLING_RULES, "{}");
        assert_eq!(passed_on, status);
        assert!(body.contains("as the test wants it"), "{body}");
    }
    let account = double.account();
    assert_eq!((account.calls.len(), account.unsigned), (7, 0));
    assert_eq!(account.calls[1].body, asked.as_bytes());
    daemon.end();
}

#[test]
fn an_upstream_that_does_not_answer_is_a_bad_gateway() {
    let double = Double::start().unwrap();
    let mut daemon = Start::before(&double).start();
    for behaviour in
        [Behaviour::reset(), Behaviour::reset_unread(), Behaviour::close(), Behaviour::reset_in_answer()]
    {
        double.next(SAMPLING_RULES, 1, behaviour.clone());
        let (status, body) = daemon.call("POST", SAMPLING_RULES, "{}");
        assert!(status == 502 && body.contains("message"), "{behaviour:?}: {status} {body}");
    }
    double.down().unwrap();
    assert_eq!(daemon.call("POST", SAMPLING_RULES, "{}").0, 502);
    // Segments are of no concern to that.
    double.up().unwrap();
    daemon.send_next(50);
    assert_eq!(daemon.settled().sent, 50);
    assert_eq!(daemon.call("POST", SAMPLING_RULES, "{}").0, 200);
    daemon.end();
}

#[test]
fn what_is_not_x_ray_is_not_signed() {
    let double = Double::start().unwrap();
    let daemon = Start::before(&double).start();
    for path in ["/", "/2015-03-31/functions", "/GetSamplingRules/..", "//TraceSegments", "/TraceSegments/x"]
    {
        let (status, body) = daemon.call("POST", path, "{}");
        assert!((400..500).contains(&status), "{path}: {status} {body}");
    }
    assert_eq!(daemon.call("GET", SAMPLING_RULES, "").0, 405);
    assert!(double.account().calls.is_empty());
    daemon.end();
}
