//! Which requests are recorded.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::wildcard::wildcard_match;

#[cfg(feature = "central-sampling")]
mod central;
mod local;
mod rule;

#[cfg(feature = "central-sampling")]
pub use central::{CentralSampler, CentralSamplerBuilder};
pub use local::{LocalSampler, SamplingRulesFileError};
pub use rule::InvalidSamplingRules;

#[cfg(feature = "central-sampling")]
#[doc(hidden)]
pub use central::{CentralDecision, CentralHow, CentralRules, RuleReport, RuleStatistics};
#[doc(hidden)]
pub use local::{How, LocalDecision};

/// Decides about each segment whose caller has not decided yet.
///
/// Called on the path of each request: it must not block.
///
/// ```
/// use xray_runtime::{Sampler, SamplingDecision, SamplingRequest};
///
/// #[derive(Debug)]
/// struct OnlyOrders;
///
/// impl Sampler for OnlyOrders {
///     fn decide(&self, request: &SamplingRequest<'_>) -> SamplingDecision {
///         SamplingDecision::from(request.url_path.is_some_and(|path| path.starts_with("/orders")))
///     }
/// }
///
/// assert!(OnlyOrders.decide(&SamplingRequest::new().with_url_path("/orders/7")).sampled);
/// ```
pub trait Sampler: Send + Sync + Debug {
    /// Whether to record the segment of this request.
    fn decide(&self, request: &SamplingRequest<'_>) -> SamplingDecision;
}

/// What a sampler knows of a request. A job that is no request has a service name only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SamplingRequest<'a> {
    /// The Host header as received, with its port.
    pub host: Option<&'a str>,
    /// The method, such as `GET`.
    pub http_method: Option<&'a str>,
    /// The path without query.
    pub url_path: Option<&'a str>,
    /// The name of the segment.
    pub service_name: Option<&'a str>,
    /// The origin of the segment, such as `AWS::ECS::Container`.
    pub service_type: Option<&'a str>,
}

impl<'a> SamplingRequest<'a> {
    /// A request of which nothing is known.
    pub const fn new() -> Self {
        Self { host: None, http_method: None, url_path: None, service_name: None, service_type: None }
    }

    /// With the Host header as received.
    #[must_use]
    pub const fn with_host(mut self, host: &'a str) -> Self {
        self.host = Some(host);
        self
    }

    /// With the method.
    #[must_use]
    pub const fn with_http_method(mut self, method: &'a str) -> Self {
        self.http_method = Some(method);
        self
    }

    /// With the path, without query.
    #[must_use]
    pub const fn with_url_path(mut self, path: &'a str) -> Self {
        self.url_path = Some(path);
        self
    }

    /// With the name of the segment.
    #[must_use]
    pub const fn with_service_name(mut self, name: &'a str) -> Self {
        self.service_name = Some(name);
        self
    }

    /// With the origin of the segment.
    #[must_use]
    pub const fn with_service_type(mut self, service_type: &'a str) -> Self {
        self.service_type = Some(service_type);
        self
    }
}

/// The answer of a sampler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SamplingDecision {
    /// Whether the segment is recorded.
    pub sampled: bool,
    /// The rule of the X-Ray console that decided, for the document. Local rules have no name there.
    pub rule_name: Option<Arc<str>>,
}

impl SamplingDecision {
    /// The same, decided by this rule of the X-Ray console.
    #[must_use]
    pub fn with_rule_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.rule_name = Some(name.into());
        self
    }
}

impl From<bool> for SamplingDecision {
    fn from(sampled: bool) -> Self {
        Self { sampled, rule_name: None }
    }
}

/// Records each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AllSampler;

impl Sampler for AllSampler {
    fn decide(&self, _: &SamplingRequest<'_>) -> SamplingDecision {
        true.into()
    }
}

/// Records no request but those whose caller decided so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoneSampler;

impl Sampler for NoneSampler {
    fn decide(&self, _: &SamplingRequest<'_>) -> SamplingDecision {
        false.into()
    }
}

/// Whether a rule's pattern matches what a request has. What it does not have matches every pattern; where matching is strict, only one
/// that matches the empty text.
fn matches(pattern: &str, value: Option<&str>, strict: bool) -> bool {
    match value.unwrap_or_default() {
        _ if pattern == "*" => true,
        "" if !strict => true,
        value => wildcard_match(pattern, value, true),
    }
}

/// The time, in Unix seconds.
fn unix_now() -> f64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}
