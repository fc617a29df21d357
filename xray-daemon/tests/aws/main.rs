//! AWS X-Ray as an upstream, and the signing proxy, against servers of the tests' own.
#![cfg(feature = "relay")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod batches;
mod credentials;
mod double;
mod environment;
mod failures;
mod forwarding;
mod ways;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use xray_daemon::batch::Batch;
use xray_daemon::upstream::aws::{AwsSettings, AwsXRay, Hooks};
use xray_daemon::upstream::{Failure, Receipt, Upstream};

use self::double::Double;

/// Longer than anything that works takes, for what waits on the tests' behalf.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a test's future.
fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Keys that never expire.
fn keys() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
}

fn hooks() -> Hooks {
    Hooks { credentials: Some(keys()), ..Hooks::default() }
}

/// Nothing is looked up for it.
fn settings(endpoint: &str) -> AwsSettings {
    AwsSettings {
        region: Some("eu-west-1".into()),
        endpoint: Some(endpoint.into()),
        local_mode: true,
        ..AwsSettings::default()
    }
}

async fn connect(double: &Double) -> AwsXRay {
    AwsXRay::connect_with(settings(&double.url()), hooks()).await.unwrap()
}

fn batch(documents: &[&[u8]]) -> Batch {
    documents.iter().map(|document| document.to_vec()).collect()
}

/// Sends one document.
async fn send(xray: &AwsXRay) -> Result<Receipt, Failure> {
    xray.send(&batch(&[b"{\"name\":\"api\"}"])).await
}

/// Counts calls, and answers each with what it makes of the number.
fn counted<T>(make: impl Fn(usize) -> T + Send + Sync + 'static) -> Arc<dyn Fn() -> T + Send + Sync>
where
    T: 'static,
{
    let calls = std::sync::atomic::AtomicUsize::new(0);
    Arc::new(move || make(calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst)))
}
