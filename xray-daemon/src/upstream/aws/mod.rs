//! AWS X-Ray, by way of the official crates.
//!
//! The way of a batch: its documents are written as the body of `PutTraceSegments` (`request_body`), signed by the SDK
//! with the credentials that are held (`identity`), sent over one HTTP stack (`http`), and what comes back is a
//! receipt or a failure with a verdict (`answer`). What the TCP proxy takes in goes the same way (`forward`),
//! signed by `signing`.

mod answer;
mod forward;
mod hooks;
mod http;
mod identity;
mod metadata;
mod region;
mod request_body;
mod settings;
#[doc(hidden)]
pub mod signing;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, SdkConfig, imds};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_xray::Client;
use aws_sdk_xray::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_xray::config::retry::{ReconnectMode, RetryConfig};
use aws_sdk_xray::config::timeout::TimeoutConfig;
use aws_sdk_xray::config::{IdentityCache, Region, StalledStreamProtectionConfig};
use aws_sdk_xray::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_xray::primitives::DateTime;
use aws_sdk_xray::types::{BackendConnectionErrors, TelemetryRecord as SdkRecord};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_types::service_config::ServiceConfigKey;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::Url;
use tokio::sync::OnceCell;
use tokio::time::timeout;

#[doc(hidden)]
pub use hooks::{Hooks, Resolver};
pub use settings::{AwsError, AwsSettings};

use self::http::{Http, HttpSettings, Written};
use self::identity::{Chain, Identity};
use self::metadata::Machine;
use self::region::env;
use super::{Failure, Receipt, Unprocessed, Upstream};
use crate::batch::Batch;
use crate::telemetry::TelemetryRecord;

/// The longest that an attempt may take, from asking for credentials to the end of the answer. The AWS daemon gives up
/// after 2 s, and a slow upstream gets the batch again.
const ATTEMPT: Duration = Duration::from_secs(60);

/// The longest that a call to STS, or to a service that gives credentials, may take.
const CREDENTIALS_ATTEMPT: Duration = Duration::from_secs(10);

/// AWS X-Ray in one region, with one identity. Cheap to clone: clones share connections and credentials.
///
/// ```no_run
/// use xray_daemon::batch::Batch;
/// use xray_daemon::upstream::Upstream;
/// use xray_daemon::upstream::aws::{AwsSettings, AwsXRay};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = AwsSettings { region: Some("eu-west-1".into()), ..AwsSettings::default() };
/// let xray = AwsXRay::connect(settings).await?;
/// assert_eq!(xray.endpoint(), "https://xray.eu-west-1.amazonaws.com");
///
/// let batch: Batch = [br#"{"name":"api"}"#.to_vec()].into_iter().collect();
/// for refused in xray.send(&batch).await?.unprocessed {
///     println!("{:?}", refused.error_code);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AwsXRay(Arc<Inner>);

struct Inner {
    client: Client,
    http: Http,
    identity: Identity,
    region: String,
    endpoint: Url,
    attempt: Duration,
    /// Follows the SDK's own.
    user_agent: String,
    resource_arn: Option<String>,
    local_mode: bool,
    imds: imds::Client,
    machine: OnceCell<Machine>,
    /// Whether it was told that an answer was no JSON.
    told_no_json: AtomicBool,
}

impl fmt::Debug for AwsXRay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsXRay").field("region", &self.region()).field("endpoint", &self.endpoint()).finish()
    }
}

impl AwsXRay {
    /// Finds out region and endpoint, and makes ready to call. Nothing is sent to X-Ray, and no credentials are asked for: a
    /// daemon may start before it has any.
    ///
    /// Where no region is set it may ask the metadata service of an EC2 instance; where there is none, it knows that after
    /// 1 to 2 seconds.
    ///
    /// # Errors
    /// When there is no region, or a setting cannot be used.
    pub async fn connect(settings: AwsSettings) -> Result<Self, AwsError> {
        Self::connect_with(settings, Hooks::default()).await
    }

    /// The same, with parts of the world replaced.
    #[doc(hidden)]
    pub async fn connect_with(settings: AwsSettings, hooks: Hooks) -> Result<Self, AwsError> {
        let http = Http::new(HttpSettings {
            proxy: settings.proxy.clone().filter(|proxy| !proxy.is_empty()).or_else(|| env("HTTPS_PROXY")),
            no_verify_ssl: settings.no_verify_ssl,
            metadata_hosts: metadata_hosts(),
            ca_bundle: env("AWS_CA_BUNDLE"),
            resolver: hooks.resolver,
        })?;
        let provider_config = identity::provider_config(&http);
        let imds = metadata::client(&provider_config);
        let region = region::find(&settings, &provider_config, &imds).await?;

        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(CREDENTIALS_ATTEMPT).build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .http_client(http.for_services())
            .timeout_config(timeouts)
            .no_credentials()
            .load()
            .await;
        let endpoint = endpoint(&settings, &config, &region).await?;

        let mut credentials = hooks.credentials.unwrap_or_else(|| {
            SharedCredentialsProvider::new(Chain { http: http.clone(), config: config.clone() })
        });
        if let Some(role_arn) = settings.role_arn.as_deref().filter(|role_arn| !role_arn.is_empty()) {
            credentials = identity::assuming(role_arn, &config, credentials).await;
        }
        let identity = Identity::new(credentials);
        let client = Client::from_conf(
            aws_sdk_xray::config::Builder::from(&config)
                .endpoint_url(endpoint.as_str().trim_end_matches('/'))
                .credentials_provider(identity.clone())
                // `Identity` holds them, for the proxy as well.
                .identity_cache(IdentityCache::no_cache())
                // Connections are reqwest's: the SDK cannot close them, and would say so at each failure.
                .retry_config(RetryConfig::disabled().with_reconnect_mode(ReconnectMode::ReuseAllConnections))
                .timeout_config(TimeoutConfig::disabled())
                .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                .build(),
        );
        Ok(Self(Arc::new(Inner {
            client,
            http,
            identity,
            region,
            endpoint,
            attempt: hooks.attempt.unwrap_or(ATTEMPT),
            user_agent: user_agent(env("AWS_EXECUTION_ENV").as_deref()),
            resource_arn: settings.resource_arn.filter(|arn| !arn.is_empty()),
            local_mode: settings.local_mode,
            imds,
            machine: OnceCell::new(),
            told_no_json: AtomicBool::new(false),
        })))
    }

    /// The region that is called, such as `us-east-1`.
    pub fn region(&self) -> &str {
        &self.0.region
    }

    /// The URL that is called, without the slash at its end.
    pub fn endpoint(&self) -> &str {
        self.0.endpoint.as_str().trim_end_matches('/')
    }

    async fn put(&self, batch: &Batch) -> Result<Receipt, Failure> {
        let written = Written::default();
        let change = {
            let (xray, written) = (self.clone(), written.clone());
            let body = Bytes::from(request_body::of(batch));
            move |request: &mut HttpRequest| xray.fill(request, &body, &written)
        };
        // The SDK makes a request without documents, which is filled before it is signed: it would need a string of
        // each document, and copy it again.
        let call = self.0.client.put_trace_segments().set_trace_segment_documents(Some(Vec::new()));
        let answer = timeout(self.0.attempt, call.customize().mutate_request(change).send()).await;
        match answer {
            Err(_) => Err(answer::late(self.0.attempt, written.is_whole())),
            Ok(Ok(output)) => {
                let unprocessed = output.unprocessed_trace_segments.unwrap_or_default().into_iter();
                let unprocessed = unprocessed.map(|segment| Unprocessed {
                    id: segment.id,
                    error_code: segment.error_code,
                    message: segment.message,
                });
                Ok(Receipt { unprocessed: unprocessed.collect() })
            }
            Ok(Err(error)) if is_success(&error) => {
                if !self.0.told_no_json.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "an answer of success from {} is no JSON that X-Ray sends; the batch counts as taken. This is told once",
                        self.endpoint()
                    );
                }
                Ok(Receipt::default())
            }
            Ok(Err(error)) => Err(self.failed(&error, &written)),
        }
    }

    /// Puts the documents into a request, and says who sends it.
    fn fill(&self, request: &mut HttpRequest, body: &Bytes, written: &Written) {
        *request.body_mut() = SdkBody::from(body.clone());
        request.add_extension(written.clone());
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let user_agent = request.headers().get("user-agent").unwrap_or_default();
        let user_agent = format!("{user_agent}{}", self.0.user_agent);
        let headers = request.headers_mut();
        headers.insert("content-length", body.len().to_string());
        headers.insert(
            "x-amzn-xray-timestamp",
            format!("{}.{:09}", since_1970.as_secs(), since_1970.subsec_nanos()),
        );
        headers.insert("user-agent", user_agent);
    }

    async fn put_telemetry(&self, records: &[TelemetryRecord]) -> Result<(), Failure> {
        let written = Written::default();
        let call = async {
            let machine = self.0.machine.get_or_init(|| Machine::find(&self.0.imds, self.0.local_mode)).await;
            let (tag, user_agent) = (written.clone(), self.0.user_agent.clone());
            self.0
                .client
                .put_telemetry_records()
                .set_telemetry_records(Some(records.iter().filter_map(record).collect()))
                .set_ec2_instance_id(machine.instance_id.clone())
                .set_hostname(machine.hostname.clone())
                .set_resource_arn(self.0.resource_arn.clone())
                .customize()
                .mutate_request(move |request| {
                    request.add_extension(tag.clone());
                    let before = request.headers().get("user-agent").unwrap_or_default();
                    let all = format!("{before}{user_agent}");
                    request.headers_mut().insert("user-agent", all);
                })
                .send()
                .await
        };
        match timeout(self.0.attempt, call).await {
            Err(_) => Err(answer::late(self.0.attempt, written.is_whole())),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_success(&error) => Ok(()),
            Ok(Err(error)) => Err(self.failed(&error, &written)),
        }
    }

    fn failed<E>(&self, error: &SdkError<E, HttpResponse>, written: &Written) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let failed = answer::failed(error, written.is_whole(), SystemTime::now());
        if failed.credentials_refused {
            self.0.identity.refused(written.by());
        }
        failed.failure
    }
}

impl Upstream for AwsXRay {
    fn name(&self) -> &str {
        "aws-xray"
    }

    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Receipt, Failure>> {
        Box::pin(self.put(batch))
    }

    fn send_telemetry<'a>(&'a self, records: &'a [TelemetryRecord]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.put_telemetry(records))
    }
}

/// Whether the upstream took a request, though the SDK could not read what it said.
fn is_success<E>(error: &SdkError<E, HttpResponse>) -> bool {
    error.raw_response().is_some_and(|answer| answer.status().is_success())
}

/// What the AWS daemon appends to its SDK's.
fn user_agent(execution_env: Option<&str>) -> String {
    let is_plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_graphic());
    let execution_env = execution_env.filter(is_plain).unwrap_or("UNKNOWN");
    format!(" xray-agent/xray-daemon/{} exec-env/{execution_env}", env!("CARGO_PKG_VERSION"))
}

/// The hosts that the environment names for metadata and container credentials.
fn metadata_hosts() -> Vec<String> {
    ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        .into_iter()
        .filter_map(|name| Url::parse(&env(name)?).ok()?.host_str().map(str::to_owned))
        .collect()
}

/// The endpoint: as set, else as environment or profile have it, else the region's own.
async fn endpoint(settings: &AwsSettings, config: &SdkConfig, region: &str) -> Result<Url, AwsError> {
    let set = settings.endpoint.clone().filter(|endpoint| !endpoint.is_empty());
    let given = set.or_else(|| of_service(config)).or_else(|| config.endpoint_url().map(str::to_owned));
    let given = given.map(|given| if given.contains("://") { given } else { format!("https://{given}") });
    let wrong =
        |endpoint: &str, reason: String| AwsError::BadEndpoint { endpoint: endpoint.to_owned(), reason };
    if let Some(given) = &given {
        let url = Url::parse(given).map_err(|error| wrong(given, error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(url.host_str().unwrap_or_default(), "it holds a name or password".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(given, "it holds a query or a fragment".to_owned()));
        }
    }
    let named = given.clone().unwrap_or_else(|| format!("that of {region}"));
    let params = Params::builder()
        .region(region)
        .set_endpoint(given)
        .set_use_fips(config.use_fips())
        .set_use_dual_stack(config.use_dual_stack())
        .build()
        .map_err(|error| wrong(&named, error.to_string()))?;
    let resolved = DefaultResolver::new().resolve_endpoint(&params).await;
    let resolved = resolved.map_err(|error| wrong(&named, answer::chain_of(&*error)))?;
    let url = Url::parse(resolved.url()).map_err(|error| wrong(&named, error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(&named, "it is no http and no https".to_owned()));
    }
    Ok(url)
}

/// `AWS_ENDPOINT_URL_XRAY`, or what the profile has for this service.
fn of_service(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id("XRay").env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let of_service = config.service_config()?.load_config(key.build().ok()?);
    of_service.filter(|endpoint| !endpoint.is_empty())
}

/// A record as the SDK has it; counts that do not fit are the largest that do.
fn record(record: &TelemetryRecord) -> Option<SdkRecord> {
    let count = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
    let errors = &record.backend_connection_errors;
    let errors = BackendConnectionErrors::builder()
        .timeout_count(count(errors.timeout_count))
        .connection_refused_count(count(errors.connection_refused_count))
        .http_code4_xx_count(count(errors.http_code_4xx_count))
        .http_code5_xx_count(count(errors.http_code_5xx_count))
        .unknown_host_count(count(errors.unknown_host_count))
        .other_count(count(errors.other_count))
        .build();
    SdkRecord::builder()
        .timestamp(DateTime::from_secs_f64(record.timestamp))
        .segments_received_count(count(record.segments_received_count))
        .segments_sent_count(count(record.segments_sent_count))
        .segments_spillover_count(count(record.segments_spillover_count))
        .segments_rejected_count(count(record.segments_rejected_count))
        .backend_connection_errors(errors)
        .build()
        // It has its timestamp, the one thing that it must have.
        .ok()
}
