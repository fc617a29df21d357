//! Upstreams that answer, but not as one would like.

use std::time::Duration;

use conformance::upstream::{Behaviour, Double, TRACE_SEGMENTS};

use crate::process::Start;

#[test]
fn errors_of_the_server_are_tried_again_until_they_pass() {
    let double = Double::start().unwrap();
    double.next(TRACE_SEGMENTS, 1, Behaviour::error(500, "InternalFailure"));
    double.next(TRACE_SEGMENTS, 1, Behaviour::answer(503, "<html>no JSON</html>"));
    double.next(TRACE_SEGMENTS, 1, Behaviour::answer(502, ""));
    let mut daemon = Start::before(&double).start();
    daemon.send_next(50);
    let account = daemon.settled();
    assert_eq!((account.sent, account.retried), (50, 150));
    assert_eq!(daemon.end().0.sent, 50);
    let account = double.account();
    assert_eq!((account.kept.len(), account.refused, account.unsigned), (50, 150, 0));
    assert_eq!(account.batch_sizes(), [50; 4]);
}

#[test]
fn retry_after_is_honoured() {
    let double = Double::start().unwrap();
    double.next(TRACE_SEGMENTS, 1, Behaviour::error(429, "ThrottlingException").header("Retry-After", "1"));
    let mut daemon = Start::before(&double).start();
    daemon.send_next(100);
    let calls = double.requests(TRACE_SEGMENTS, 3);
    let throttled = calls.iter().position(|call| call.status == Some(429)).unwrap();
    // What was under way with it is not called back; what comes later waits.
    let later = &calls[throttled + 1..];
    let waited = later.iter().filter(|call| call.at - calls[throttled].at >= Duration::from_secs(1)).count();
    assert!(waited >= 1 && later.len() - waited <= 1, "{calls:?}");
    assert_eq!(daemon.settled().sent, 100);
    assert_eq!(daemon.end().0.sent, 100);
    assert_eq!((double.received(100).len(), double.account().duplicates()), (100, 0));
}

#[test]
fn what_is_refused_is_dropped_counted_and_never_sent_again() {
    let double = Double::start().unwrap();
    double.next(TRACE_SEGMENTS, 1, Behaviour::error(400, "InvalidRequestException"));
    let mut daemon = Start::before(&double).start();
    daemon.send_next(50);
    let account = daemon.settled();
    assert_eq!((account.refused, account.dropped(), account.retried), (50, 50, 0));
    assert!(daemon.line("InvalidRequestException").contains("[Error]"));
    daemon.send_next(50);
    double.received(50);
    let (account, _) = daemon.end();
    assert_eq!((account.sent, account.refused), (50, 50));
    assert_eq!(double.account().batch_sizes(), [50, 50]);
    assert_eq!(double.account().duplicates(), 0);
}

#[test]
fn credentials_that_are_refused_cost_nothing_once_they_are_taken() {
    let double = Double::start().unwrap();
    double.next(TRACE_SEGMENTS, 2, Behaviour::error(403, "UnrecognizedClientException"));
    let mut daemon = Start::before(&double).start();
    daemon.send_next(50);
    let account = daemon.settled();
    assert_eq!((account.sent, account.dropped()), (50, 0));
    daemon.end();
    assert_eq!((double.received(50).len(), double.account().duplicates()), (50, 0));
}

#[test]
fn what_is_too_large_comes_in_parts() {
    let double = Double::start().unwrap();
    double.limit_documents(Some(10));
    let mut daemon = Start::before(&double).start();
    daemon.send_next(50);
    assert_eq!(daemon.settled().sent, 50);
    daemon.end();
    let account = double.account();
    assert_eq!((account.kept.len(), account.duplicates()), (50, 0));
    assert!(
        account.calls_to(TRACE_SEGMENTS).all(|call| (call.status == Some(200)) == (call.documents <= 10))
    );
}

#[test]
fn what_is_unprocessed_is_counted_and_told() {
    let double = Double::start().unwrap();
    double.next(TRACE_SEGMENTS, 1, Behaviour::usual().unprocessed(3));
    let mut daemon = Start::before(&double).start();
    daemon.send_next(50);
    let account = daemon.settled();
    assert_eq!((account.sent, account.unprocessed, account.dropped()), (47, 3, 0));
    let told = daemon.line("Unprocessed segments");
    assert!(told.contains("0000000000000000") && told.contains("MalformedDocument"), "{told}");
    assert_eq!(daemon.end().0.unprocessed, 3);
    let account = double.account();
    assert_eq!((account.kept.len(), account.unprocessed.len(), account.batch_sizes()), (47, 3, vec![50]));
}
