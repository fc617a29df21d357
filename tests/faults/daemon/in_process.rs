//! The relay before AWS X-Ray's crates and the double, in this process: what needs shorter times or another DNS than a daemon has.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use conformance::upstream::{ACCESS_KEY, Behaviour, Double, PATIENCE, REGION, SECRET_KEY, TRACE_SEGMENTS};
use futures_util::future::FutureExt;
use tokio::time::timeout;
use xray_daemon::batch::Batch;
use xray_daemon::relay::{Relay, RelaySettings, RelayStats};
use xray_daemon::upstream::aws::{AwsSettings, AwsXRay, Hooks};

use crate::process::document;

fn hooks() -> Hooks {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test");
    Hooks { credentials: Some(SharedCredentialsProvider::new(credentials)), ..Hooks::default() }
}

async fn relay(endpoint: &str, hooks: Hooks, settings: RelaySettings) -> Relay {
    let aws = AwsSettings {
        region: Some(REGION.to_owned()),
        endpoint: Some(endpoint.to_owned()),
        local_mode: true,
        ..AwsSettings::default()
    };
    Relay::start(Arc::new(AwsXRay::connect_with(aws, hooks).await.unwrap()), settings)
}

fn batch(numbers: std::ops::Range<u64>) -> Batch {
    numbers.map(|number| document(number).into_bytes()).collect()
}

async fn until(relay: &Relay, reached: impl Fn(&RelayStats) -> bool) -> RelayStats {
    let wait = async {
        loop {
            let stats = relay.stats();
            if reached(&stats) {
                break stats;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{:?}", relay.stats()))
}

#[tokio::test(flavor = "current_thread")]
async fn an_upstream_that_hangs_gets_its_batch_once() {
    let double = Double::start().unwrap();
    double.next(TRACE_SEGMENTS, 1, Behaviour::hang());
    let hooks = Hooks { attempt: Some(Duration::from_millis(200)), ..hooks() };
    let relay =
        relay(&double.url(), hooks, RelaySettings { concurrency: 1, ..RelaySettings::default() }).await;
    relay.queue().push(batch(0..50));
    relay.queue().push(batch(50..90));
    let stats = until(&relay, |stats| stats.pending == 0).await;
    // It may have the first, and counts as lost; the second waited for it.
    assert_eq!((stats.sent, stats.dropped.unanswered, stats.dropped.total()), (40, 50, 50));
    assert_eq!((stats.errors.timeout_count, stats.retried), (1, 0));
    relay.shutdown(Duration::from_secs(1)).await;
    let account = double.account();
    assert_eq!((account.kept.len(), account.duplicates(), account.batch_sizes()), (90, 0, vec![50, 40]));
}

#[tokio::test(flavor = "current_thread")]
async fn a_name_that_moves_is_followed() {
    let (first, second) = (Double::start().unwrap(), Double::start().unwrap());
    let address = Arc::new(Mutex::new(None));
    let named = address.clone();
    let resolver = move |name: &str| {
        assert_eq!(name, "xray.example");
        let found = named.lock().unwrap().map(|address| vec![address]);
        std::future::ready(found.ok_or_else(|| std::io::Error::other("no such host"))).boxed()
    };
    let hooks = Hooks { resolver: Some(Arc::new(resolver)), ..hooks() };
    let relay = relay("http://xray.example", hooks, RelaySettings::default()).await;
    // DNS is not there yet.
    relay.queue().push(batch(0..50));
    let stats = until(&relay, |stats| stats.failed_calls > 0).await;
    assert_eq!((stats.errors.unknown_host_count, stats.dropped.total()), (1, 0));
    *address.lock().unwrap() = Some(first.addr());
    until(&relay, |stats| stats.sent == 50).await;
    // The service moves: its old address answers no more.
    *address.lock().unwrap() = Some(second.addr());
    first.down().unwrap();
    relay.queue().push(batch(50..100));
    let stats = until(&relay, |stats| stats.sent == 100).await;
    assert_eq!((stats.pending, stats.dropped.total()), (0, 0));
    relay.shutdown(Duration::from_secs(1)).await;
    let both = (first.account(), second.account());
    assert_eq!((both.0.kept.len(), both.1.kept.len()), (50, 50));
    assert_eq!((both.0.unsigned, both.1.unsigned), (0, 0));
}
