//! What has to be known to reach AWS X-Ray, and why it cannot be reached.

/// Where AWS X-Ray is, and as whom it is called. Each field has the meaning that it has for the AWS daemon.
///
/// ```
/// use xray_daemon::upstream::aws::AwsSettings;
///
/// let settings = AwsSettings { region: Some("eu-west-1".into()), ..AwsSettings::default() };
/// assert!(settings.endpoint.is_none());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AwsSettings {
    /// The region. Without it: `AWS_REGION`; then, unless [`local_mode`](Self::local_mode) is on, the metadata file of an
    /// ECS container and the metadata service of an EC2 instance; with it, what the AWS SDKs take
    /// (`AWS_DEFAULT_REGION`, the profile).
    pub region: Option<String>,
    /// An endpoint other than the region's own, such as `http://127.0.0.1:5000`; `https://` where it names no scheme. Without it:
    /// `AWS_ENDPOINT_URL_XRAY`, `AWS_ENDPOINT_URL`, the profile's.
    pub endpoint: Option<String>,
    /// The ARN of the resource that the daemon runs on; telemetry tells it.
    pub resource_arn: Option<String>,
    /// The ARN of a role that is assumed by way of the region's STS.
    pub role_arn: Option<String>,
    /// An HTTP proxy for the calls to X-Ray and STS, such as `http://proxy.example:3128`; `http://` where it names no scheme.
    /// Without it: `HTTPS_PROXY` (upper case only).
    pub proxy: Option<String>,
    /// Takes any certificate. For tests: whoever is in between can then read and change all that is sent.
    pub no_verify_ssl: bool,
    /// Looks for no metadata of an ECS container or EC2 instance, for region and telemetry.
    pub local_mode: bool,
}

impl std::fmt::Debug for AwsSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsSettings")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("resource_arn", &self.resource_arn)
            .field("role_arn", &self.role_arn)
            // It may hold a password.
            .field("proxy", &self.proxy.as_ref().map(|_| ".."))
            .field("no_verify_ssl", &self.no_verify_ssl)
            .field("local_mode", &self.local_mode)
            .finish()
    }
}

/// Why there is no way to AWS X-Ray. None of it can pass by itself: a daemon that meets one ends with 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AwsError {
    /// No region was found where one may stand.
    #[error(
        "Cannot fetch region variable from config file, environment variables and ec2 metadata. Give one with -n, as Region in \
         the config file, or as AWS_REGION"
    )]
    NoRegion,
    /// The region is not the name of one: it becomes part of a host name.
    #[error("the region {0:?} is none: only letters, digits and hyphens, such as us-east-1")]
    BadRegion(String),
    /// The endpoint is no `http` or `https` URL.
    #[error(
        "the endpoint {endpoint:?} cannot be used: {reason}. Write it as https://HOST or http://HOST:PORT"
    )]
    BadEndpoint {
        /// As it was given, without a password.
        endpoint: String,
        /// What is wrong.
        reason: String,
    },
    /// The proxy is no URL. It is not told: it may hold a password.
    #[error("the proxy address cannot be used: {0}. Write it as http://HOST:PORT")]
    BadProxy(String),
    /// The file of `AWS_CA_BUNDLE` cannot be used.
    #[error("the certificates of AWS_CA_BUNDLE ({path}) cannot be used: {reason}")]
    BadCertificates {
        /// Its path.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Http(String),
}
