//! Credentials that expire, are refused, or are not there.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, SharedCredentialsProvider, future};
use xray_daemon::upstream::aws::{AwsSettings, AwsXRay, Hooks};
use xray_daemon::upstream::{Cause, Verdict};

use crate::double::{Answer, Double};
use crate::{counted, run, send, settings};

const RETRY: Verdict = Verdict::Retry { after: None };

/// A source that gives what this makes of the number of the call.
struct Source(Arc<dyn Fn() -> Result + Send + Sync>);

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready((self.0)())
    }
}

fn source(make: impl Fn(usize) -> Result + Send + Sync + 'static) -> Hooks {
    let source = SharedCredentialsProvider::new(Source(counted(make)));
    Hooks { credentials: Some(source), ..Hooks::default() }
}

/// Keys that are named after the call that got them.
fn numbered(call: usize, lives: Option<Duration>) -> Credentials {
    let expiry = lives.map(|lives| SystemTime::now() + lives);
    Credentials::new(format!("AKID{call}"), "secret", Some("TOKEN".into()), expiry, "test")
}

async fn connect(double: &Double, hooks: Hooks) -> AwsXRay {
    AwsXRay::connect_with(settings(&double.url()), hooks).await.unwrap()
}

#[test]
fn they_are_held_while_they_are_good() {
    for lives in [None, Some(Duration::from_secs(3600)), Some(Duration::from_secs(60))] {
        let double = Double::always(Answer::taken());
        run(async {
            let xray = connect(&double, source(move |call| Ok(numbered(call, lives)))).await;
            for _ in 0..3 {
                send(&xray).await.unwrap();
            }
        });
        for _ in 0..3 {
            let request = double.next();
            assert_eq!(request.key(), "AKID0", "{lives:?}");
            assert_eq!(request.header("x-amz-security-token"), Some("TOKEN"));
            assert!(request.signed().contains(&"x-amz-security-token"));
        }
    }
}

#[test]
fn those_that_expired_are_replaced() {
    let double = Double::always(Answer::taken());
    run(async {
        let xray = connect(&double, source(|call| Ok(numbered(call, Some(Duration::ZERO))))).await;
        send(&xray).await.unwrap();
        send(&xray).await.unwrap();
    });
    assert_eq!(double.next().key(), "AKID0");
    assert_eq!(double.next().key(), "AKID1");
}

#[test]
fn those_that_are_refused_are_taken_anew() {
    for (status, code) in
        [(403, "ExpiredTokenException"), (401, "Unauthorized"), (400, "UnrecognizedClientException")]
    {
        let double = Double::new(move |request| match request.key() {
            "AKID0" => Answer::error(status, code, "The security token is expired"),
            _ => Answer::taken(),
        });
        run(async {
            let xray = connect(&double, source(|call| Ok(numbered(call, None)))).await;
            let failure = send(&xray).await.unwrap_err();
            assert_eq!((failure.cause, failure.verdict), (Cause::Http4xx, RETRY), "{failure}");
            send(&xray).await.unwrap();
            send(&xray).await.unwrap();
        });
        for key in ["AKID0", "AKID1", "AKID1"] {
            assert_eq!(double.next().key(), key);
        }
    }
}

#[test]
fn an_error_of_another_kind_leaves_them() {
    let double = Double::always(Answer::error(429, "ThrottledException", "Rate exceeded"));
    run(async {
        let xray = connect(&double, source(|call| Ok(numbered(call, None)))).await;
        send(&xray).await.unwrap_err();
        send(&xray).await.unwrap_err();
    });
    assert_eq!(double.next().key(), "AKID0");
    assert_eq!(double.next().key(), "AKID0");
}

#[test]
fn without_any_nothing_is_sent_until_there_are_some() {
    let double = Double::always(Answer::taken());
    run(async {
        let hooks = source(|call| match call {
            0 => Err(CredentialsError::not_loaded("nothing configured")),
            1 => Err(CredentialsError::provider_error("AccessDenied: not authorized to assume the role")),
            call => Ok(numbered(call, None)),
        });
        let xray = connect(&double, hooks).await;
        for message in [
            "no credentials in the environment, the profile, the container or the instance",
            "no credentials: an error occurred while loading credentials: AccessDenied: not authorized to assume the role",
        ] {
            let failure = send(&xray).await.unwrap_err();
            assert_eq!((failure.cause, failure.verdict, &*failure.message), (Cause::Other, RETRY, message));
        }
        assert!(double.is_quiet());
        send(&xray).await.unwrap();
    });
    assert_eq!(double.next().key(), "AKID2");
}

#[test]
fn a_role_is_assumed_with_them() {
    let proxy = Double::always(Answer::json(502, ""));
    let settings = AwsSettings {
        role_arn: Some("arn:aws:iam::123456789012:role/xray".into()),
        proxy: Some(proxy.url()),
        ..settings("http://xray.example")
    };
    let hooks = source(|call| Ok(numbered(call, None)));
    let failure = run(async {
        let xray = AwsXRay::connect_with(settings, hooks).await.unwrap();
        send(&xray).await.unwrap_err()
    });
    assert_eq!((failure.cause, failure.verdict), (Cause::Other, RETRY), "{failure}");
    assert!(failure.message.starts_with("no credentials: "), "{failure}");
    // The region's own STS, by way of the proxy.
    let request = proxy.next();
    assert_eq!((&*request.method, &*request.target), ("CONNECT", "sts.eu-west-1.amazonaws.com:443"));
}
