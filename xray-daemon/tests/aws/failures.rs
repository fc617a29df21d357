//! What becomes of a batch that is not taken.

use std::net::TcpListener;
use std::time::Duration;

use xray_daemon::upstream::aws::{AwsXRay, Hooks};
use xray_daemon::upstream::{Cause, Failure, Verdict};

use crate::double::{Answer, Double};
use crate::{connect, hooks, run, send, settings};

const RETRY: Verdict = Verdict::Retry { after: None };

fn failure(double: &Double) -> Failure {
    let failure = run(async { send(&connect(double).await).await.unwrap_err() });
    double.next();
    assert!(double.is_quiet(), "a call is one attempt");
    failure
}

#[test]
fn the_status_decides() {
    let seconds = |seconds| Verdict::Retry { after: Some(Duration::from_secs(seconds)) };
    let error = |status, code| Answer::error(status, code, "the reason");
    for (answer, cause, verdict, message) in [
        (error(500, "InternalFailure"), Cause::Http5xx, RETRY, "status 500 InternalFailure: the reason"),
        (
            error(503, "Busy").with("Retry-After", "3"),
            Cause::Http5xx,
            seconds(3),
            "status 503 Busy: the reason",
        ),
        (
            error(429, "ThrottledException"),
            Cause::Http4xx,
            RETRY,
            "status 429 ThrottledException: the reason",
        ),
        (
            error(429, "ThrottledException").with("Retry-After", "7"),
            Cause::Http4xx,
            seconds(7),
            "status 429 ThrottledException: the reason",
        ),
        (
            error(429, "ThrottledException").with("retry-after", "86400"),
            Cause::Http4xx,
            seconds(300),
            "status 429 ThrottledException: the reason",
        ),
        (
            error(429, "ThrottledException").with("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"),
            Cause::Http4xx,
            seconds(0),
            "status 429 ThrottledException: the reason",
        ),
        (
            error(400, "ThrottlingException"),
            Cause::Http4xx,
            RETRY,
            "status 400 ThrottlingException: the reason",
        ),
        (error(413, "TooLarge"), Cause::Http4xx, Verdict::Split, "status 413 TooLarge: the reason"),
        (
            error(400, "InvalidRequestException"),
            Cause::Http4xx,
            Verdict::Refuse,
            "status 400 InvalidRequestException: the reason",
        ),
        (error(403, "AccessDenied"), Cause::Http4xx, RETRY, "status 403 AccessDenied: the reason"),
        (Answer::json(404, "<html>"), Cause::Http4xx, Verdict::Refuse, "status 404"),
        (Answer::json(502, ""), Cause::Http5xx, RETRY, "status 502"),
        // Not followed: whoever answers so is not X-Ray.
        (
            Answer::json(307, "").with("Location", "http://127.0.0.1:9/TraceSegments"),
            Cause::Other,
            RETRY,
            "status 307",
        ),
    ] {
        let failure = failure(&Double::always(answer));
        assert_eq!((failure.cause, failure.verdict, &*failure.message), (cause, verdict, message));
    }
}

#[test]
fn what_a_signature_was_made_of_is_not_told() {
    let said = "The request signature we calculated does not match.\n\nThe Canonical String for this request should have been\n'POST\nx-amz-security-token:TOKEN'";
    let failure = failure(&Double::always(Answer::error(403, "InvalidSignatureException", said)));
    let message = "status 403 InvalidSignatureException: The request signature we calculated does not match.";
    assert_eq!(failure.message, message);
}

#[test]
fn a_reset_is_tried_again() {
    let failure = failure(&Double::always(Answer::Reset));
    assert_eq!((failure.cause, failure.verdict), (Cause::Other, RETRY));
    assert!(!failure.message.contains('\n'), "{failure}");
}

#[test]
fn what_is_no_http_is_tried_again() {
    let failure = failure(&Double::always(Answer::Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())));
    assert_eq!((failure.cause, failure.verdict), (Cause::Other, RETRY));
}

#[test]
fn no_answer_to_what_went_out_whole_is_never_tried_again() {
    let double = Double::always(Answer::Silence);
    let hooks = Hooks { attempt: Some(Duration::from_millis(300)), ..hooks() };
    let failure = run(async {
        let xray = AwsXRay::connect_with(settings(&double.url()), hooks).await.unwrap();
        send(&xray).await.unwrap_err()
    });
    double.next();
    assert_eq!((failure.cause, failure.verdict), (Cause::Timeout, Verdict::Unanswered));
    assert_eq!(failure.message, "no answer within 300ms to a request that went out whole");
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let failure = run(async {
        let xray = AwsXRay::connect_with(settings(&format!("http://{addr}")), hooks()).await.unwrap();
        send(&xray).await.unwrap_err()
    });
    assert_eq!((failure.cause, failure.verdict), (Cause::ConnectionRefused, RETRY), "{failure}");
    let message = format!("cannot connect to {addr}: Connection refused (os error 111)");
    assert_eq!(failure.message, message);
}
