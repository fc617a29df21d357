//! `XRayInterceptor`: a subsegment for each call of a client of the AWS SDK for Rust.

mod call;
mod failure;
mod members;
mod object;
mod parameters;

use std::sync::Arc;

use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{DisableInterceptor, Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use http_02x::HeaderName;

use crate::context;
use crate::entity::{Entity, current};
use crate::record::FIRST;

use call::Call;
use parameters::Parameters;

pub use parameters::InvalidAwsParameters;

/// An interceptor for clients of the AWS SDK for Rust: each call is a subsegment of what is current, with namespace `aws` and the
/// name of the service as the call is signed for it (`dynamodb`, `s3`, `sqs`), and carries `X-Amzn-Trace-Id`, so that the
/// service goes on with the trace.
///
/// It is one line, for any client:
///
/// ```
/// # fn example(shared: aws_sdk_sqs::Config) {
/// let config = shared.to_builder().interceptor(xray_runtime::XRayInterceptor::new()).build();
/// let queue = aws_sdk_sqs::Client::from_conf(config);
/// # }
/// ```
///
/// With a configuration of `aws_config`: `aws_sdk_sqs::config::Builder::from(&shared_config).interceptor(..)`.
///
/// The subsegment has, in `aws`, the operation, the region, the service's `request_id` (S3's second id as `id_2`), and
/// `retries` where there were any; in `http`, status and length of the last answer; and the parameters of a
/// [whitelist](Self::parameters). All attempts and the pauses between them are one subsegment. It ends when the call has its result, which
/// for a streamed answer (S3's `GetObject`) is before the body is read.
///
/// Errors of a service have its code as type and its message, and are `remote`: 4xx is an error, 429 and the codes of throttling
/// (`ThrottlingException`, `SlowDown`, ..) a throttle, 5xx a fault. What fails without an answer (no connection, a timeout, an
/// answer that makes no sense, no credentials) is a fault with the chain of its causes. A call that is dropped is cancelled.
///
/// The header is set before a request is signed, once for all attempts, and one that you have set stays as it is. The signature does
/// not cover it: the SDK leaves this header out of it, so that what stands between may change it. Where the segment is not
/// sampled the header is sent all the same. Where no segment is current the recorder's
/// [context-missing strategy](crate::ContextMissing) applies and the call is made as it is. Presigned requests, which are sent by
/// others, and the calls that carry X-Ray's own data (`PutTraceSegments`, sampling) are left alone.
///
/// A body is looked through for the parameters that stand in it, as far as they stand and at most 512 KiB; a stream never is.
#[derive(Clone, Debug)]
pub struct XRayInterceptor {
    parameters: Arc<Parameters>,
}

impl XRayInterceptor {
    /// An interceptor that records the parameters that X-Ray's SDKs for other languages record: tables, buckets and keys, queues, topics,
    /// functions, and some of what narrows a call down, such as an index or a limit. No contents.
    pub fn new() -> Self {
        Self { parameters: Parameters::built_in() }
    }

    /// Records more parameters: a whitelist in the JSON form of X-Ray's SDKs, on top of the built-in one. May be called more than
    /// once.
    ///
    /// Services are named as their subsegments are. The operation `*`, which is ours, stands for all operations of a service.
    /// Values larger than 4 KiB of JSON, or nested more than 5 deep, are left out and counted.
    ///
    /// # Errors
    ///
    /// Where the text is not in that form.
    ///
    /// ```
    /// # use xray_runtime::XRayInterceptor;
    /// let interceptor = XRayInterceptor::new().parameters(r#"{ "services": {
    ///     "states": { "operations": {
    ///         "StartExecution": { "request_parameters": ["stateMachineArn"], "response_parameters": ["executionArn"] }
    ///     } },
    ///     "dynamodb": { "operations": {
    ///         "Query": { "response_descriptors": { "Items": { "list": true, "get_count": true, "rename_to": "item_count" } } }
    ///     } }
    /// } }"#)?;
    /// # Ok::<(), xray_runtime::InvalidAwsParameters>(())
    /// ```
    pub fn parameters(mut self, json: &str) -> Result<Self, InvalidAwsParameters> {
        Arc::make_mut(&mut self.parameters).add(json)?;
        Ok(self)
    }
}

impl Default for XRayInterceptor {
    fn default() -> Self {
        Self::new()
    }
}

#[dyn_dispatch_hint]
impl Intercept for XRayInterceptor {
    fn name(&self) -> &'static str {
        "XRayInterceptor"
    }

    /// The first place that knows the operation.
    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Not sampled: no name is made.
        let unsampled = context::current() < FIRST && context::current_tree().is_some();
        // Of two interceptors, one of the client and one of this call, the first counts.
        if !unsampled
            && config.load::<Call>().is_none()
            && !is_left_alone(components, config)
            && let Some(call) = Call::begin(config, &self.parameters)
        {
            config.interceptor_state().store_put(call);
        }
        Ok(())
    }

    /// After it each attempt begins with a copy of the request as it is now, and is signed.
    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match config.load::<Call>() {
            Some(call) => {
                let members = call.requested(config, context.request());
                inject(context.request_mut(), call.entity());
                if let Some(call) = config.get_mut_from_interceptor_state::<Call>() {
                    call.describe(members);
                }
            }
            None if context::current() < FIRST
                && context::current_tree().is_some()
                && !is_left_alone(components, config) =>
            {
                inject(context.request_mut(), &current());
            }
            None => {}
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Call::finish(config, context);
        Ok(())
    }
}

/// Presigned requests are not sent, and what is recorded of X-Ray's own calls would have to be sent again.
fn is_left_alone(components: &RuntimeComponents, config: &ConfigBag) -> bool {
    call::carries_traces(config) || is_presigned(components, config)
}

/// To ask all interceptors for their names takes a copy of each: only where that one is off which presigning switches off.
fn is_presigned(components: &RuntimeComponents, config: &ConfigBag) -> bool {
    config.load::<DisableInterceptor<InvocationIdInterceptor>>().is_some()
        && components.interceptors().any(|interceptor| interceptor.name() == "SigV4PresigningInterceptor")
}

/// [`TRACE_HEADER`](crate::TRACE_HEADER) as the client has names of headers: else it makes one of the text for each request.
static HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Gives the request the header, but where the user has set one.
fn inject(request: &mut HttpRequest, entity: &Entity) {
    if request.headers().contains_key(&HEADER) {
        return;
    }
    let Some(header) = entity.trace_header() else { return };
    if request.headers_mut().try_insert(HEADER.clone(), header.value()).is_err() {
        // What the caller sent along with its ids may not stand in a header.
        let bare = header.without_data().value();
        let _ = request.headers_mut().try_insert(HEADER.clone(), bare);
    }
}
