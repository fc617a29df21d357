//! Tests of [`response`](super).

use proptest::prelude::*;

use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const FIRST: Sent = Sent { attempt: 1, max_retries: MAX_RETRIES, form: Form::Whole, compressed: false };

fn of(status: u16, headers: &[(&str, &str)], body: &str, sent: Sent) -> Verdict {
    let header = |name: &str| {
        headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    };
    verdict(status, header, body.as_bytes(), sent, TOKEN)
}

fn refused(status: u16, message: &str) -> Verdict {
    of(status, &[], &serde_json::json!({ "err": 1, "message": message }).to_string(), FIRST)
}

#[test]
fn tokens_are_never_shown() {
    let verdict = refused(403, &format!("access token not found: {TOKEN}"));
    assert_eq!(verdict.action, Action::Disable);
    assert_eq!(verdict.line().unwrap(), "the API refused the access token: access token not found: ****cdef");
    for (message, masked) in [
        ("access token not found: short", "access token not found: ****"),
        ("Project id 7 access token x.", "Project id 7 access token ****."),
        ("access token is disabled", "access token is disabled"),
        ("access token required", "access token required"),
        ("because <0123456789abcdef0123456789abcdee>", "because <****cdee>"),
        ("a\r\nb", "a  b"),
    ] {
        assert_eq!(mask_tokens(message, TOKEN), masked);
    }
    assert_eq!(mask_tokens("my-token", "my-token"), "****");
    assert!(mask_tokens(&"x ".repeat(10_000), "").chars().count() <= MAX_DETAIL_CHARS);
    assert_eq!(mask_token(""), "****");
    let scopes = "insufficient privileges: post_server_item scope is required but the access token only has post_client_item.";
    assert_eq!(mask_tokens(scopes, TOKEN), scopes);
}

#[test]
fn a_token_that_is_refused_ends_sending_but_a_proxy_does_not() {
    assert_eq!(refused(401, "access token required").action, Action::Disable);
    assert_eq!(of(401, &[], "", FIRST).action, Action::Disable);
    assert_eq!(of(403, &[], "<html>blocked</html>", FIRST).action, Action::Drop);
    assert_eq!(of(403, &[], "{}", FIRST).action, Action::Drop);
}

#[test]
fn success_may_be_the_last_for_now() {
    let taken = of(200, &[("x-rate-limit-remaining", "0")], r#"{"err":0}"#, FIRST);
    assert_eq!((taken.action, taken.pause, taken.log), (Action::Done, Some(DEFAULT_PAUSE), None));
    let headers = [("X-Rate-Limit-Remaining", "0"), ("X-Rate-Limit-Remaining-Seconds", "7")];
    assert_eq!(of(200, &headers, "", FIRST).pause, Some(Duration::from_secs(7)));
    assert_eq!(of(200, &[("X-Rate-Limit-Remaining", "3")], "", FIRST).pause, None);
    let refused = refused(200, "no");
    assert_eq!((refused.action, refused.detail.as_deref()), (Action::Drop, Some("no")));
    assert_eq!(of(200, &[], "[1]", FIRST).log, Some("unparseable body"));
}

#[test]
fn pauses_are_bounded_both_ways() {
    let pause = |headers: &[(&str, &str)]| match of(429, headers, "{}", FIRST).action {
        Action::Pause(pause) => pause.as_secs(),
        other => panic!("{other:?}"),
    };
    for (retry_after, seconds) in
        [("0", 1), ("1.2", 2), ("3600.5", 3600), ("99999999999999999999999", 3600), ("-5", 60), (" 9 ", 9)]
    {
        assert_eq!(pause(&[("retry-after", retry_after)]), seconds, "{retry_after}");
    }
    assert_eq!(pause(&[("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT")]), 60);
    assert_eq!(pause(&[("X-Rate-Limit-Remaining", "4"), ("Retry-After", "12")]), 12);
    assert_eq!(pause(&[]), 60);
}

#[test]
fn tries_end() {
    for status in [408, 500, 502, 599] {
        assert_eq!(of(status, &[], "", Sent { attempt: 3, ..FIRST }).action, Action::Retry);
        let last = of(status, &[], "", Sent { attempt: 4, ..FIRST });
        assert_eq!((last.action, last.log), (Action::DropOrSpool, Some("retries used up")));
    }
    let once = Sent { max_retries: 0, ..FIRST };
    assert_eq!(transport_verdict(TransportError::Timeout, once).action, Action::DropOrSpool);
    assert_eq!(transport_verdict(TransportError::Timeout, FIRST).action, Action::Retry);
    assert_eq!(transport_verdict(TransportError::Tls, FIRST).action, Action::Drop);
    for (form, action) in [
        (Form::Whole, Action::TruncateAndRetryOnce),
        (Form::Truncated, Action::FailsafeOnce),
        (Form::Failsafe, Action::Drop),
    ] {
        assert_eq!(of(413, &[], "", Sent { form, ..FIRST }).action, action);
    }
    for status in [400, 415] {
        assert_eq!(of(status, &[], "", Sent { compressed: true, ..FIRST }).action, Action::RetryUncompressed);
        assert_eq!(of(status, &[], "", FIRST).action, Action::Drop);
    }
    for status in [301, 404, 405] {
        assert_eq!(of(status, &[], "", FIRST).log, Some("check endpoint"));
    }
    let failsafe = of(413, &[], "", Sent { form: Form::Failsafe, ..FIRST });
    assert_eq!(failsafe.log, Some("failsafe refused: never recurse"));
    assert_eq!(refused(400, "bad").line().unwrap(), "bad request: bad");
    assert_eq!(
        refused(429, "Over free plan monthly limit. Project id 1 access token x.").log,
        Some("plan limit")
    );
    assert_eq!(refused(422, "data.level should be string.").action, Action::Drop);
    assert_eq!(of(0, &[], "", FIRST).action, Action::Drop);
}

proptest! {
    #[test]
    fn any_answer_has_a_verdict_that_hides_the_token(
        status: u16, value in ".*", body in proptest::collection::vec(any::<u8>(), 0..200), message in ".*", cut in 0..40usize,
    ) {
        let headers = [("Retry-After", value.as_str()), ("X-Rate-Limit-Remaining", "0")];
        of(status, &headers, &String::from_utf8_lossy(&body), FIRST);
        let message = format!("{message}{}{TOKEN}", " ".repeat(cut));
        let line = refused(status, &message).line().unwrap_or_default();
        prop_assert!(!line.contains(TOKEN), "{line}");
    }
}
