//! What the TCP proxy sends on.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method};
use bytes::Bytes;
use xray_daemon::upstream::aws::{AwsXRay, Hooks};
use xray_daemon::upstream::{Cause, Verdict};

use crate::double::{Answer, Double};
use crate::{connect, hooks, run, settings};

fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn a_request_is_signed_anew_and_its_answer_comes_back_as_it_was() {
    let double = Double::always(
        Answer::Http(418, Vec::new(), b"\x1f\x8b no gzip".to_vec())
            .with("Content-Encoding", "gzip")
            .with("x-amzn-RequestId", "1-2")
            .with("Connection", "x-private")
            .with("X-Private", "1")
            .with("Set-Cookie", "a=1")
            .with("Set-Cookie", "b=2"),
    );
    let given = headers(&[
        ("content-type", "application/json"),
        ("x-forwarded-for", "10.0.0.1, 127.0.0.1"),
        ("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793"),
        ("user-agent", "python"),
        ("accept-encoding", "identity"),
        ("x-twice", "a"),
        ("x-twice", "b  c"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=CLIENT/.."),
        ("x-amz-date", "19700101T000000Z"),
        ("x-amz-security-token", "CLIENT"),
        ("x-amz-content-sha256", "CLIENT"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("content-length", "99"),
        ("host", "xray-daemon:2000"),
        ("expect", "100-continue"),
    ]);
    let answer = run(async {
        let xray = connect(&double).await;
        xray.forward(&Method::POST, "/GetSamplingRules", &given, Bytes::from_static(b"{\"NextToken\":null}"))
            .await
            .unwrap()
    });
    assert_eq!(answer.status(), 418);
    assert_eq!(
        answer.body(),
        "\x1f\u{8b} no gzip".chars().map(|char| char as u8).collect::<Vec<_>>().as_slice()
    );
    let head = answer.headers();
    assert_eq!(head["content-encoding"], "gzip");
    assert_eq!(head["x-amzn-requestid"], "1-2");
    assert_eq!(head.get_all("set-cookie").iter().count(), 2);
    assert!(!head.contains_key("connection") && !head.contains_key("x-private"));

    let request = double.next();
    assert_eq!((&*request.method, &*request.target), ("POST", "/GetSamplingRules"));
    assert_eq!(request.body, b"{\"NextToken\":null}");
    assert_eq!(request.header("host"), Some(&*double.addr().to_string()));
    assert_eq!(request.header("content-length"), Some("18"));
    assert_eq!(request.header("x-forwarded-for"), Some("10.0.0.1, 127.0.0.1"));
    assert_eq!(request.header("user-agent"), Some("python"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.key(), "AKIDEXAMPLE");
    assert_ne!(request.header("x-amz-date"), Some("19700101T000000Z"));
    for gone in ["x-amz-security-token", "x-amz-content-sha256", "connection", "x-hop", "te", "expect"] {
        assert_eq!(request.header(gone), None);
    }
    let twice: Vec<_> = request.headers.iter().filter(|(name, _)| name == "x-twice").collect();
    assert_eq!(twice.len(), 2);
    assert_eq!(
        request.signed(),
        [
            "accept-encoding",
            "content-length",
            "content-type",
            "host",
            "x-amz-date",
            "x-forwarded-for",
            "x-twice"
        ]
    );
}

#[test]
fn a_path_cannot_lead_elsewhere() {
    let double = Double::always(Answer::taken());
    run(async {
        let xray = connect(&double).await;
        for path in [".evil.example/", "@evil.example/", ":1/", "0/GetSamplingRules"] {
            let failure =
                xray.forward(&Method::POST, path, &HeaderMap::new(), Bytes::new()).await.unwrap_err();
            assert_eq!(failure.verdict, Verdict::Refuse, "{path}");
        }
        // What the URL type writes in another way is signed as it goes out.
        let answer =
            xray.forward(&Method::POST, "/Traces?a='b c'", &HeaderMap::new(), Bytes::new()).await.unwrap();
        assert_eq!(answer.status(), 200);
    });
    assert_eq!(double.next().target, "/Traces?a=%27b%20c%27");
    assert!(double.is_quiet());
}

#[test]
fn what_fails_is_told_apart() {
    let double = Double::new(|request| match &*request.target {
        "/Silence" => Answer::Silence,
        "/Large" => Answer::Http(200, Vec::new(), vec![b'x'; (16 << 20) + 1]),
        "/Full" => Answer::Http(200, Vec::new(), vec![b'x'; 16 << 20]),
        "/Broken" => Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec()),
        _ => Answer::Reset,
    });
    run(async {
        let short = Hooks { attempt: Some(Duration::from_millis(300)), ..hooks() };
        let short = AwsXRay::connect_with(settings(&double.url()), short).await.unwrap();
        let xray = connect(&double).await;
        let failure = async |xray: &AwsXRay, path| {
            xray.forward(&Method::POST, path, &HeaderMap::new(), Bytes::new()).await.unwrap_err()
        };
        assert_eq!(failure(&short, "/Silence").await.cause, Cause::Timeout);
        for (path, said) in
            [("/Large", "larger than 16777216 bytes"), ("/Broken", "broke off"), ("/Reset", "")]
        {
            let failure = failure(&xray, path).await;
            assert_eq!(failure.cause, Cause::Other, "{path}");
            assert!(failure.message.contains(said), "{path}: {failure}");
        }
        let full = xray.forward(&Method::POST, "/Full", &HeaderMap::new(), Bytes::new()).await.unwrap();
        assert_eq!(full.body().len(), 16 << 20);
    });
}
