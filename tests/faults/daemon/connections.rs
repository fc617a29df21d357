//! Connections that do not come about, and those that end at the wrong moment.

use std::time::Duration;

use conformance::upstream::{Behaviour, Double, TRACE_SEGMENTS};

use crate::process::Start;

#[test]
fn an_upstream_that_is_down_and_comes_back_gets_all_of_it_once() {
    let double = Double::start().unwrap();
    let mut daemon = Start::before(&double).start();
    daemon.send_next(50);
    assert_eq!(daemon.settled().sent, 50);
    double.down().unwrap();
    daemon.send_next(120);
    let told = daemon.line("Sending segment batch failed with");
    assert!(told.contains("[Error]") && told.contains("are kept"), "{told}");
    let account = daemon.account();
    assert_eq!((account.sent, account.dropped()), (50, 0));
    assert!(daemon.get("/health").contains(r#""status":"failing""#));
    double.up().unwrap();
    let account = daemon.settled();
    assert_eq!((account.sent, account.dropped()), (170, 0));
    assert!(daemon.get("/health").contains(r#""status":"ok""#));
    daemon.end();
    assert_eq!((double.received(170).len(), double.account().duplicates()), (170, 0));
}

#[test]
fn an_upstream_that_is_never_there_loses_what_is_counted() {
    let double = Double::start().unwrap();
    double.down().unwrap();
    let mut daemon = Start::before(&double).start();
    daemon.send_next(70);
    daemon.line("Sending segment batch failed with");
    // Its grace is 8 seconds: a second signal cuts it short.
    daemon.signal(nix::sys::signal::SIGTERM);
    daemon.line("Got shutdown signal");
    daemon.signal(nix::sys::signal::SIGINT);
    let ended = daemon.ended();
    assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.log);
    assert!(
        ended.log.iter().any(|line| line.contains("[Warn]") && line.contains("lost")),
        "{:#?}",
        ended.log
    );
}

/// What is reset may have been taken or not. It is sent again, because a connection that was idle ends like this as well, and X-Ray
/// takes a segment that it has for an update of it.
#[test]
fn what_is_reset_is_sent_again() {
    let resets = [
        ("once it was read", Behaviour::reset(), 50),
        ("before it was read", Behaviour::reset_unread(), 0),
        ("without an answer", Behaviour::close(), 50),
    ];
    for (when, behaviour, twice) in resets {
        let double = Double::start().unwrap();
        double.next(TRACE_SEGMENTS, 1, behaviour);
        let mut daemon = Start::before(&double).start();
        daemon.send_next(50);
        let account = daemon.settled();
        assert_eq!((account.sent, account.dropped()), (50, 0), "{when}: {account:?}");
        daemon.end();
        assert_eq!(double.account().duplicates(), twice, "{when}: only what may have been read");
    }
}

#[test]
fn connections_that_are_reset_at_once_lose_nothing() {
    let double = Double::start().unwrap();
    double.reset_connections(2);
    let mut daemon = Start::before(&double).start();
    daemon.send_next(100);
    let account = daemon.settled();
    assert_eq!((account.sent, account.dropped()), (100, 0), "{account:?}");
    daemon.end();
    assert_eq!((double.received(100).len(), double.account().duplicates()), (100, 0));
}

#[test]
fn an_answer_that_breaks_off_counts_as_taken() {
    let double = Double::start().unwrap();
    double.next(TRACE_SEGMENTS, 1, Behaviour::reset_in_answer());
    let mut daemon = Start::before(&double).start();
    daemon.send_next(50);
    // Its head said 200.
    assert_eq!(daemon.settled().sent, 50);
    daemon.send_next(50);
    assert_eq!(daemon.settled().sent, 100);
    daemon.end();
    assert_eq!((double.received(100).len(), double.account().duplicates()), (100, 0));
}

#[test]
fn what_is_slow_gets_a_batch_once() {
    let double = Double::start().unwrap();
    // The AWS daemon gives up after 2 s, and sends it again.
    double.next(TRACE_SEGMENTS, 1, Behaviour::usual().after(Duration::from_millis(2_500)));
    double.next(TRACE_SEGMENTS, 1, Behaviour::usual().reading(512, Duration::from_millis(20)));
    let mut daemon = Start::before(&double).start();
    daemon.send_next(100);
    let account = daemon.settled();
    assert_eq!((account.sent, account.dropped(), account.retried), (100, 0, 0));
    daemon.end();
    let account = double.account();
    assert_eq!((account.kept.len(), account.duplicates(), account.batch_sizes()), (100, 0, vec![50, 50]));
}
