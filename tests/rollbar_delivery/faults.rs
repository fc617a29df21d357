//! Networks and servers that fail.

use std::time::Duration;

use xray_console::rollbar::Fault;

use crate::support::{Local, report};

#[test]
fn an_answer_that_breaks_off_makes_no_duplicate() {
    let local = Local::new();
    local.double().inject(Fault { reset_mid_body: true, ..Fault::default() });
    let (uuid, flushed) = report(&local.client(), "answered by half");
    assert_eq!((flushed.sent, flushed.dropped), (1, 0));
    assert_eq!(local.uuids(), [uuid], "the same uuid is taken once");
    assert_eq!(local.double().stats().duplicates, 1);
}

#[test]
fn an_answer_that_is_lost_makes_no_duplicate() {
    let local = Local::new();
    local.double().inject(Fault { status: Some(502), accept: true, ..Fault::default() });
    let (uuid, _) = report(&local.client(), "answered by a proxy");
    assert_eq!(local.uuids(), [uuid]);
    assert_eq!(local.double().stats().duplicates, 1);
}

#[test]
fn a_slow_server_is_given_up_in_time() {
    let local = Local::new();
    local.double().inject(Fault { slow_read_ms: 60_000, ..Fault::default() });
    let rollbar =
        local.builder().timeouts(Duration::from_secs(3), Duration::from_millis(300)).build().unwrap();
    let (uuid, flushed) = report(&rollbar, "read late");
    assert_eq!((flushed.sent, flushed.dropped), (1, 0), "the second try meets no fault");
    assert_eq!(local.uuids(), [uuid]);
}

#[test]
fn a_slow_close_delays_nothing() {
    let local = Local::always(Fault { slow_close_ms: 60_000, ..Fault::default() });
    let rollbar = local.client();
    let _ = report(&rollbar, "first");
    let _ = report(&rollbar, "second");
    assert_eq!(rollbar.stats().sent, 2);
    assert_eq!(local.double().stats().duplicates, 0);
}

#[test]
fn a_redirect_does_not_carry_the_token_away() {
    let other = Local::new();
    let local = Local::always(Fault {
        redirect_to: Some("http://127.0.0.1:1/api/1/item/".to_owned()),
        ..Fault::default()
    });
    let rollbar = local.client();
    let _ = report(&rollbar, "redirected");
    assert_eq!(rollbar.stats().dropped_refused, 1);
    assert!(other.uuids().is_empty());
}

#[test]
fn a_dead_service_is_counted_and_does_not_hold_the_end() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let local = Local::new();
    let rollbar = local.builder().endpoint(url).retries(0).build().unwrap();
    let (_, flushed) = report(&rollbar, "nobody listens");
    assert_eq!((flushed.sent, flushed.dropped, flushed.pending), (0, 1, 0));
    assert_eq!(rollbar.stats().dropped_unreachable, 1);
}
