//! Each answer of the API, and what the client does with it.

use std::collections::BTreeMap;

use rollbar_runtime::Stats;
use xray_console::rollbar::{Fault, TokenState};

use crate::support::{Local, report};

fn status(status: u16) -> Fault {
    Fault { status: Some(status), ..Fault::default() }
}

fn headers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What becomes of two reports, one after the other, and how many calls that takes.
fn two_reports(fault: Fault) -> (Stats, u64) {
    let local = Local::always(fault);
    let rollbar = local.builder().retries(1).build().unwrap();
    for text in ["first", "second"] {
        let (_, flushed) = report(&rollbar, text);
        assert_eq!(flushed.pending, 0);
    }
    assert_eq!(local.uuids().len(), 0);
    (rollbar.stats(), local.double().stats().faults)
}

#[test]
fn what_is_accepted_is_stored() {
    let local = Local::new();
    let rollbar = local.client();
    let (first, _) = report(&rollbar, "first");
    let (second, flushed) = report(&rollbar, "second");
    assert_eq!((flushed.sent, flushed.dropped, flushed.pending), (1, 0, 0));
    assert_eq!(local.uuids(), [first, second]);
    assert_eq!(rollbar.stats().sent, 2);
    assert_eq!(local.double().stats().warned, 0, "strictly valid");
}

#[test]
fn what_is_refused_as_such_is_dropped_and_the_next_is_sent() {
    for code in [400, 404, 405, 415, 422] {
        let (stats, calls) = two_reports(status(code));
        assert_eq!((stats.dropped_refused, stats.dropped(), calls), (2, 2, 2), "{code}");
    }
}

#[test]
fn a_token_that_is_refused_ends_sending() {
    for fault in [
        status(401),
        Fault { token_state: Some(TokenState::Unknown), ..Fault::default() },
        Fault { token_state: Some(TokenState::WrongScope), ..Fault::default() },
        Fault { token_state: Some(TokenState::Disabled), ..Fault::default() },
    ] {
        let (stats, calls) = two_reports(fault.clone());
        assert_eq!((stats.dropped_unauthorized, stats.dropped(), calls), (2, 2, 1), "{fault:?}");
    }
}

#[test]
fn a_proxy_that_forbids_says_nothing_of_the_token() {
    let html = Some("<html>Blocked</html>".to_owned());
    let (stats, calls) = two_reports(Fault { html, ..status(403) });
    assert_eq!((stats.dropped_refused, stats.dropped(), calls), (2, 2, 2));
}

#[test]
fn a_service_that_fails_is_tried_again_until_it_does_not() {
    for code in [408, 500, 502, 503] {
        let local = Local::new();
        local.double().inject(status(code));
        let (uuid, flushed) = report(&local.client(), "tried twice");
        assert_eq!((flushed.sent, flushed.dropped), (1, 0), "{code}");
        assert_eq!(local.uuids(), [uuid]);
    }
    let (stats, calls) = two_reports(Fault { html: Some("<html>502</html>".to_owned()), ..status(502) });
    assert_eq!((stats.dropped_unreachable, stats.dropped(), calls), (2, 2, 4));
}

#[test]
fn what_is_too_large_is_cut_and_what_cannot_be_cut_enough_becomes_one_note() {
    let text = "x".repeat(200_000);
    let local = Local::always(Fault { too_large_at: Some(100_000), ..Fault::default() });
    let rollbar = local.client();
    let (uuid, flushed) = report(&rollbar, &text);
    assert_eq!(flushed.sent, 1);
    assert_eq!(local.uuids(), [uuid]);

    let local = Local::new();
    local.double().inject(Fault { times: 2, ..status(413) });
    let rollbar = local.client();
    let (uuid, flushed) = report(&rollbar, &text);
    assert_eq!((flushed.sent, flushed.dropped), (0, 1));
    assert_eq!((rollbar.stats().dropped_too_large, rollbar.stats().failsafe), (1, 1));
    let notes = local.double().occurrences(10);
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].data["failsafe"], true);
    assert_eq!(notes[0].data["custom"]["orig_uuid"], *uuid);

    let (stats, calls) = two_reports(status(413));
    assert_eq!((stats.dropped_too_large, stats.failsafe, stats.dropped()), (2, 0, 2));
    assert!(calls <= 6, "whole, cut and note at most: {calls}");
}

#[test]
fn a_limit_pauses_and_the_item_is_sent_after_it() {
    for fault in [
        Fault {
            headers: headers(&[("X-Rate-Limit-Remaining", "0"), ("X-Rate-Limit-Remaining-Seconds", "1")]),
            ..status(429)
        },
        Fault { headers: headers(&[("Retry-After", "1")]), ..status(429) },
        Fault {
            headers: headers(&[("X-Rate-Limit-Remaining", "5"), ("X-Rate-Limit-Remaining-Seconds", "30")]),
            ..status(429)
        },
    ] {
        let local = Local::new();
        local.double().inject(fault.clone());
        let (uuid, flushed) = report(&local.client(), "after the pause");
        assert_eq!((flushed.sent, flushed.dropped, flushed.pending), (1, 0, 0), "{fault:?}");
        assert_eq!(local.uuids(), [uuid]);
    }
}

#[test]
fn the_last_of_a_window_is_taken_and_the_next_waits() {
    let local = Local::new();
    let last = headers(&[("X-Rate-Limit-Remaining", "0"), ("X-Rate-Limit-Remaining-Seconds", "1")]);
    local.double().inject(Fault { headers: last, ..Fault::default() });
    let rollbar = local.client();
    let _ = report(&rollbar, "the last of this window");
    let begun = std::time::Instant::now();
    let _ = report(&rollbar, "the first of the next");
    assert!(begun.elapsed().as_millis() > 900, "{:?}", begun.elapsed());
    assert_eq!(rollbar.stats().sent, 2);
}
