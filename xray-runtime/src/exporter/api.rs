//! Straight to the X-Ray API, where no daemon runs.

use std::io;
use std::ops::Range;
use std::time::Duration;

use aws_sdk_xray::Client;
use aws_sdk_xray::config::{BehaviorVersion, Builder};
use aws_sdk_xray::error::DisplayErrorContext;
use aws_types::SdkConfig;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Batch, DropCause, Exporter};
use crate::warning::Warned;

/// Documents of one call: what the AWS daemon sends at most.
const PER_CALL: usize = 50;

/// Calls that wait for their answers at once.
const CALLS: usize = 8;

/// The longest that a call may take, with the tries of the SDK.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends documents straight to AWS X-Ray (`PutTraceSegments`), without a daemon: 50 in a call, 8 calls at once. It needs the permission
/// `xray:PutTraceSegments`.
///
/// Region, credentials, endpoint, HTTP client and tries are those of the configuration that the AWS SDK for Rust makes
/// (`aws_config::load_defaults(BehaviorVersion::latest()).await`). A configuration without an HTTP client needs one in the program, as
/// the crate `aws-config` brings it by default. The calls run on the exporter's thread, in a runtime of tokio's of their own, and may
/// take 60 s each; meanwhile ended segments wait in the recorder's [queue](crate::RecorderBuilder::queue_bytes). What the
/// API does not take counts as [`dropped_send_failed`](crate::Stats::dropped_send_failed), by document.
///
/// A daemon is the better way where there can be one: it holds on to what cannot be delivered, the program's end does
/// not wait for the network, and central sampling asks it for rules, which nobody else answers. Without one, give the recorder rules of its own.
///
/// ```no_run
/// use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
/// use aws_types::{SdkConfig, region::Region};
/// use xray_runtime::{ApiExporter, LocalSampler, Recorder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Mostly `aws_config::load_defaults(..)` instead.
/// let credentials = Credentials::from_keys("AKIDEXAMPLE", "secret", None);
/// let config = SdkConfig::builder()
///     .region(Region::new("eu-central-1"))
///     .credentials_provider(SharedCredentialsProvider::new(credentials))
///     .build();
/// let _xray = Recorder::builder()
///     .service("orders")
///     .sampler(LocalSampler::default())
///     .exporter(ApiExporter::new(&config))
///     .install()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ApiExporter {
    config: SdkConfig,
    running: Option<Running>,
    warned: Warned,
}

/// What the first batch starts.
#[derive(Debug)]
struct Running {
    client: Client,
    runtime: Option<Runtime>,
    process: u32,
}

impl Running {
    fn start(config: &SdkConfig) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut builder = Builder::from(config);
        if config.behavior_version().is_none() {
            // Without one the client panics.
            builder = builder.behavior_version(BehaviorVersion::latest());
        }
        let client = Client::from_conf(builder.build());
        Ok(Self { client, runtime: Some(runtime), process: std::process::id() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if self.process == std::process::id() {
            // The last handle of a recorder may go in async code, where a runtime must not be waited for.
            runtime.shutdown_background();
        } else {
            // It shares its descriptors with the parent's, which goes on.
            std::mem::forget(runtime);
        }
    }
}

impl ApiExporter {
    /// Calls as the configuration says. Nothing is opened, and no credentials are asked for, before the first document.
    pub fn new(config: &SdkConfig) -> Self {
        Self { config: config.clone(), running: None, warned: Warned::default() }
    }

    fn running(&mut self) -> io::Result<&Running> {
        let kept = self.running.take().filter(|running| running.process == std::process::id());
        let running = match kept {
            Some(running) => running,
            None => Running::start(&self.config)?,
        };
        Ok(self.running.insert(running))
    }
}

/// The outcome of a call: the ids of what the API did not take, or why it took nothing.
type Outcome = Result<Vec<Option<String>>, String>;

async fn put(client: Client, documents: Vec<String>) -> Outcome {
    let call = client.put_trace_segments().set_trace_segment_documents(Some(documents)).send();
    match timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => {
            let refused = answer.unprocessed_trace_segments.unwrap_or_default();
            Ok(refused.into_iter().map(|segment| segment.id).collect())
        }
        Ok(Err(error)) => Err(DisplayErrorContext(&error).to_string()),
        Err(_) => Err(format!("no answer within {CALL_TIMEOUT:?}")),
    }
}

/// Makes the calls, so many at once.
async fn put_all(client: &Client, batch: &Batch) -> Vec<(Range<usize>, Outcome)> {
    let mut outcomes = Vec::new();
    let mut running = JoinSet::new();
    let mut at = 0;
    while at < batch.len() || !running.is_empty() {
        if at < batch.len() && running.len() < CALLS {
            let range = at..batch.len().min(at + PER_CALL);
            let part = batch.documents().skip(range.start).take(range.len());
            let call = put(client.clone(), part.map(|document| document.json().to_owned()).collect());
            at = range.end;
            running.spawn(async move { (range, call.await) });
            continue;
        }
        // One that panicked is missing below, and counts as lost.
        if let Some(Ok(outcome)) = running.join_next().await {
            outcomes.push(outcome);
        }
    }
    outcomes
}

impl Exporter for ApiExporter {
    fn export(&mut self, batch: &mut Batch) {
        let answered = self.running().map(|running| match &running.runtime {
            Some(runtime) => runtime.block_on(put_all(&running.client, batch)),
            None => Vec::new(),
        });
        let mut taken = vec![false; batch.len()];
        let mut problem = None;
        match answered {
            Ok(outcomes) => {
                for (range, outcome) in outcomes {
                    match outcome {
                        Ok(refused) => {
                            taken[range.clone()].fill(true);
                            if !refused.is_empty() {
                                problem = Some(format!("{} segments were not processed", refused.len()));
                            }
                            for id in refused {
                                let of_id = |index: &usize| {
                                    id.is_some()
                                        && id.as_deref() == batch.documents().nth(*index).and_then(id_of)
                                };
                                let named = range.clone().find(of_id);
                                // Without an id that we know, one of them is lost all the same.
                                if let Some(index) = named.or_else(|| range.clone().rfind(|at| taken[*at])) {
                                    taken[index] = false;
                                }
                            }
                        }
                        Err(error) => problem = Some(error),
                    }
                }
            }
            Err(error) => problem = Some(error.to_string()),
        }
        for (index, _) in taken.iter().enumerate().filter(|(_, taken)| !**taken) {
            batch.fail(index, DropCause::SendFailed);
        }
        if let Some(problem) = problem
            && self.warned.is_due()
        {
            tracing::warn!(
                target: "xray_runtime",
                "segments do not reach AWS X-Ray: {problem} (one warning a minute; Recorder::stats() has the counts)"
            );
        }
    }
}

/// The id of a document's own entity: the first, since a name has no quotes.
fn id_of<'a>(document: super::Document<'a>) -> Option<&'a str> {
    let (_, rest) = document.json().split_once("\"id\":\"")?;
    rest.get(..16)
}
