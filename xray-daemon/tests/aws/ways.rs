//! The ways to X-Ray: names, certificates, proxies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use xray_daemon::upstream::aws::{AwsError, AwsSettings, AwsXRay, Hooks};
use xray_daemon::upstream::{Cause, Verdict};

use crate::double::{Answer, Double};
use crate::{hooks, run, send, settings};

const RETRY: Verdict = Verdict::Retry { after: None };

/// A resolver that answers with what this makes of the number of the question.
fn resolving(
    answer: impl Fn(usize) -> std::io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
) -> (Hooks, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let resolver = move |name: &str| {
        assert_eq!(name, "xray.example");
        let found = answer(count.fetch_add(1, Ordering::SeqCst));
        Box::pin(std::future::ready(found)) as futures_util::future::BoxFuture<'static, _>
    };
    (Hooks { resolver: Some(Arc::new(resolver)), ..hooks() }, asked)
}

#[test]
fn a_name_that_cannot_be_resolved() {
    for found in [None, Some(Vec::new())] {
        let (hooks, _) = resolving(move |_| {
            found.clone().ok_or_else(|| std::io::Error::other("Name or service not known"))
        });
        let failure = run(async {
            let xray = AwsXRay::connect_with(settings("http://xray.example"), hooks).await.unwrap();
            send(&xray).await.unwrap_err()
        });
        assert_eq!((failure.cause, failure.verdict), (Cause::UnknownHost, RETRY), "{failure}");
        assert!(failure.message.contains("xray.example"), "{failure}");
    }
}

#[test]
fn the_systems_resolver_knows_no_such_name() {
    let failure = run(async {
        // RFC 6761: no name below it exists.
        let xray = AwsXRay::connect_with(settings("http://xray.invalid"), hooks()).await.unwrap();
        send(&xray).await.unwrap_err()
    });
    assert_eq!((failure.cause, failure.verdict), (Cause::UnknownHost, RETRY), "{failure}");
}

#[test]
fn a_name_is_resolved_for_each_connection() {
    let closing = Answer::taken().with("Connection", "close");
    let (first, second) = (Double::always(closing), Double::always(Answer::taken()));
    let addresses = [first.addr(), second.addr()];
    let (hooks, asked) = resolving(move |question| Ok(vec![addresses[question]]));
    run(async {
        let xray = AwsXRay::connect_with(settings("http://xray.example"), hooks).await.unwrap();
        for _ in 0..3 {
            send(&xray).await.unwrap();
        }
    });
    assert_eq!(first.next().header("host"), Some("xray.example"));
    assert!(first.is_quiet());
    second.next();
    second.next();
    // The third request went over the second one's connection.
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_certificate_that_nobody_signed() {
    let (double, _) = Double::with_tls(Answer::taken());
    run(async {
        let strict = AwsXRay::connect_with(settings(&double.url()), hooks()).await.unwrap();
        let failure = send(&strict).await.unwrap_err();
        assert_eq!((failure.cause, failure.verdict), (Cause::Other, RETRY));
        assert!(failure.message.contains("certificate"), "{failure}");
        assert!(double.is_quiet());

        let lenient = AwsSettings { no_verify_ssl: true, ..settings(&double.url()) };
        let lenient = AwsXRay::connect_with(lenient, hooks()).await.unwrap();
        send(&lenient).await.unwrap();
    });
    double.next();
}

#[test]
fn calls_go_by_way_of_the_proxy() {
    let proxy = Double::always(Answer::taken());
    // With and without a scheme, as the AWS daemon takes it.
    for (given, password) in [
        (proxy.url(), None),
        (proxy.addr().to_string(), None),
        (format!("http://user:secret@{}", proxy.addr()), Some("Basic dXNlcjpzZWNyZXQ=")),
    ] {
        let settings = AwsSettings { proxy: Some(given), ..settings("http://xray.example:81") };
        run(async {
            let xray = AwsXRay::connect_with(settings, hooks()).await.unwrap();
            send(&xray).await.unwrap();
        });
        let request = proxy.next();
        assert_eq!(request.target, "http://xray.example:81/TraceSegments");
        assert_eq!(request.header("host"), Some("xray.example:81"));
        assert_eq!(request.header("proxy-authorization"), password);
        assert!(!request.signed().contains(&"proxy-authorization"));
    }
}

#[test]
fn a_tunnel_is_asked_for_where_the_endpoint_has_tls() {
    let proxy = Double::always(Answer::json(407, ""));
    let settings = AwsSettings { proxy: Some(proxy.url()), ..settings("https://xray.example") };
    let failure = run(async {
        let xray = AwsXRay::connect_with(settings, hooks()).await.unwrap();
        send(&xray).await.unwrap_err()
    });
    assert_eq!((failure.cause, failure.verdict), (Cause::Other, RETRY), "{failure}");
    let request = proxy.next();
    assert_eq!((&*request.method, &*request.target), ("CONNECT", "xray.example:443"));
}

#[test]
fn settings_that_cannot_be_used_are_told() {
    let base = || settings("http://127.0.0.1:1");
    let error = |settings| run(AwsXRay::connect_with(settings, hooks())).unwrap_err();
    let region = error(AwsSettings { region: Some("us-east-1.evil.example/".into()), ..base() });
    assert_eq!(region, AwsError::BadRegion("us-east-1.evil.example/".into()));
    for endpoint in
        ["http://", "ftp://127.0.0.1", "http://user:secret@127.0.0.1", "http://h/?q", "https://a b"]
    {
        let error = error(AwsSettings { endpoint: Some(endpoint.into()), ..base() });
        assert!(matches!(error, AwsError::BadEndpoint { .. }), "{endpoint}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    for proxy in ["http://", "socks5://secret.example", "http://user:secret@", "://"] {
        let error = error(AwsSettings { proxy: Some(proxy.into()), ..base() });
        assert!(matches!(error, AwsError::BadProxy(_)), "{proxy}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let settings = AwsSettings { proxy: Some("http://user:secret@h".into()), ..base() };
    assert!(!format!("{settings:?}").contains("secret"));
}

#[test]
fn the_endpoint_is_the_regions_own_or_the_one_that_is_set() {
    for (region, endpoint, expected) in [
        ("eu-west-1", None, "https://xray.eu-west-1.amazonaws.com"),
        ("cn-north-1", None, "https://xray.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", None, "https://xray.us-gov-west-1.amazonaws.com"),
        ("us-east-1", Some("xray.example"), "https://xray.example"),
        ("us-east-1", Some("xray.example:8443/"), "https://xray.example:8443"),
        ("us-east-1", Some("http://[::1]:2/base/"), "http://[::1]:2/base"),
    ] {
        let settings = AwsSettings {
            region: Some(region.into()),
            endpoint: endpoint.map(str::to_owned),
            ..AwsSettings::default()
        };
        let xray = run(AwsXRay::connect_with(settings, hooks())).unwrap();
        assert_eq!(xray.endpoint(), expected);
    }
}

#[test]
fn an_endpoint_may_have_a_path() {
    let double = Double::always(Answer::taken());
    run(async {
        let xray =
            AwsXRay::connect_with(settings(&format!("{}/base/", double.url())), hooks()).await.unwrap();
        send(&xray).await.unwrap();
    });
    assert_eq!(double.next().target, "/base/TraceSegments");
}
