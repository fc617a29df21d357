//! One call from its beginning to its result, or to where it is dropped.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::Region;

use super::failure;
use super::members;
use super::parameters::{Parameters, Rules};
use crate::context;
use crate::document::AwsMembers;
use crate::entity::{Entity, Namespace};
use crate::error::{self, ErrorClass};
use crate::http::{HttpResponse as Answer, StatusFlags};
use crate::record::{FIRST, Fact};
use crate::scope::Scope;

/// How much sooner than the client's a clock of ours may say that the time is over: its clock started a little before.
const CLOCKS_DIFFER: Duration = Duration::from_millis(1);

/// The state of a call, which the client keeps with it and drops with it.
#[derive(Debug)]
pub(super) struct Call {
    /// Ends the subsegment when the call is dropped.
    scope: Scope,
    entity: Entity,
    /// What of its request and response is recorded.
    rules: Option<Arc<Rules>>,
    started: Instant,
    /// The time for the call with all its attempts: nobody is told when it is over, the call is just dropped.
    timeout: Option<Duration>,
    described: bool,
    finished: bool,
}

impl Storable for Call {
    type Storer = StoreReplace<Self>;
}

impl Call {
    /// Begins the subsegment of a call. None where nothing is recorded.
    pub(super) fn begin(config: &ConfigBag, parameters: &Parameters) -> Option<Self> {
        let outer = context::current();
        if outer < FIRST {
            // Says once in a while that no segment is current. No name is made for it.
            context::begin("aws-sdk");
            return None;
        }
        let service = service(config);
        let rules = config
            .load::<Metadata>()
            .and_then(|metadata| parameters.rules(&service, metadata.name()))
            .map(Arc::clone);
        let key = context::begin_named(service);
        if key < FIRST {
            return None;
        }
        let entity = Entity::new(key, context::current_tree());
        let scope = Scope::begun(key, None);
        // The call's other half runs in a later poll, and between them this thread does other things.
        context::set_current(outer);
        entity.set_namespace(Namespace::Aws);
        let timeout = config.load::<TimeoutConfig>().and_then(TimeoutConfig::operation_timeout);
        Some(Self {
            scope,
            entity,
            rules,
            started: Instant::now(),
            timeout,
            described: false,
            finished: false,
        })
    }

    pub(super) fn entity(&self) -> &Entity {
        &self.entity
    }

    /// What the request says.
    pub(super) fn requested(&self, config: &ConfigBag, request: &HttpRequest) -> AwsMembers {
        let mut members = called(config);
        if let Some(rules) = &self.rules {
            let endpoint = config.load::<EndpointResolverParams>();
            members::of_request(&mut members, &rules.request, request, endpoint);
        }
        members
    }

    pub(super) fn describe(&mut self, members: AwsMembers) {
        self.described = true;
        self.note(members);
    }

    fn note(&self, members: AwsMembers) {
        if members.left_out > 0
            && let Some(tree) = self.entity.tree()
        {
            let truncated = &tree.core.counts.truncated;
            truncated.fetch_add(members.left_out, std::sync::atomic::Ordering::Relaxed);
        }
        if let Some(fact) = members.into_fact() {
            self.entity.note(fact);
        }
    }

    /// Says what came of the call, and ends its subsegment.
    pub(super) fn finish(config: &mut ConfigBag, context: &FinalizerInterceptorContextRef<'_>) {
        let Some(call) = config.load::<Self>().filter(|call| !call.finished) else { return };
        let mut members = if call.described { AwsMembers::default() } else { called(config) };
        let attempts = config.load::<RequestAttempts>().map_or(0, RequestAttempts::attempts);
        let failed = context.output_or_error().and_then(Result::err);
        let response = context.response();
        let mut said = failure::Said::default();
        let mut answer = None;
        if let Some(response) = response {
            if failed.is_some() {
                said = failure::said(response);
            }
            let headers = Headers::of(response);
            headers.ids(&mut members, said.request_id.as_deref());
            answer = Some(headers.answer(response.status().as_u16()));
            if let Some(rules) = &call.rules {
                members::of_response(&mut members, &rules.response, response);
            }
        }
        if attempts > 1 {
            members.number("retries", (attempts - 1).into());
        }
        let cause = failed.map(|failed| failure::of(failed, response, said));
        let Some(call) = config.get_mut_from_interceptor_state::<Self>() else { return };
        call.end_with(|call| {
            call.note(members);
            if let Some(answer) = answer {
                call.entity.note(Fact::Response(answer));
            }
            match cause {
                Some(Some((cause, class))) => error::record(&call.entity, cause, class.bits(), None),
                Some(None) => {}
                None => {
                    // An operation may have an answer that other operations would fail with.
                    let status = answer.and_then(|answer| answer.status).unwrap_or_default();
                    call.entity.set_flags(StatusFlags::from_http(status));
                }
            }
        });
    }

    /// Makes the subsegment current, lets something be said of it, and ends it.
    fn end_with(&mut self, say: impl FnOnce(&Self)) {
        self.finished = true;
        let mut scope = std::mem::replace(&mut self.scope, Scope::off());
        let entered = scope.enter();
        say(self);
        entered.finish();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.finished || std::thread::panicking() {
            return;
        }
        if let Some(timeout) = self.timeout
            && self.started.elapsed() + CLOCKS_DIFFER >= timeout
        {
            self.end_with(|call| {
                // As the caller's error has it, so that it is known again.
                let mut cause = error::cause_of(&MaybeTimeoutError { duration: timeout });
                cause.exceptions.iter_mut().for_each(|exception| exception.remote = true);
                error::record(&call.entity, cause, ErrorClass::Fault.bits(), None);
            });
        }
    }
}

/// The SDK's error of a call whose time is over, which nobody but the caller is given. One error is one exception: name and text are the
/// SDK's.
#[derive(Debug)]
struct MaybeTimeoutError {
    duration: Duration,
}

impl std::fmt::Display for MaybeTimeoutError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "operation timeout (all attempts including retries) occurred after {:?}", self.duration)
    }
}

impl std::error::Error for MaybeTimeoutError {}

/// Services whose name is not made for each call.
const OFTEN_CALLED: [&str; 12] = [
    "dynamodb",
    "events",
    "kinesis",
    "kms",
    "lambda",
    "s3",
    "sagemaker",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "states",
];

/// The service as X-Ray's SDK for Python has it: mostly the name that is signed for.
fn service(config: &ConfigBag) -> Cow<'static, str> {
    let name = match (config.load::<SigningName>(), config.load::<Metadata>()) {
        (Some(name), _) => name.as_ref(),
        (None, Some(metadata)) => metadata.service(),
        (None, None) => "aws",
    };
    // A name that is signed for is in small letters.
    match OFTEN_CALLED.iter().find(|known| **known == name) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(name.to_ascii_lowercase()),
    }
}

/// Whether the call is one of those that carry what is recorded, or that decide what is.
pub(super) fn carries_traces(config: &ConfigBag) -> bool {
    config.load::<SigningName>().is_some_and(|name| name.as_ref() == "xray")
        && config.load::<Metadata>().is_some_and(|metadata| {
            ["PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets"]
                .contains(&metadata.name())
        })
}

fn called(config: &ConfigBag) -> AwsMembers {
    let mut members = AwsMembers::default();
    if let Some(metadata) = config.load::<Metadata>() {
        members.text("operation", metadata.name());
    }
    if let Some(region) = config.load::<Region>() {
        members.text("region", region.as_ref());
    }
    members
}

/// What the headers of an answer say, found in one pass: to look each up takes longer. Of two with one name the first counts.
#[derive(Default)]
struct Headers<'r> {
    request_id: Option<&'r str>,
    /// As S3 names it.
    amz_request_id: Option<&'r str>,
    id_2: Option<&'r str>,
    content_length: Option<&'r str>,
}

impl<'r> Headers<'r> {
    fn of(response: &'r HttpResponse) -> Self {
        let mut found = Self::default();
        for (name, value) in response.headers() {
            let place = match name {
                "x-amzn-requestid" => &mut found.request_id,
                "x-amz-request-id" => &mut found.amz_request_id,
                "x-amz-id-2" => &mut found.id_2,
                "content-length" => &mut found.content_length,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        found
    }

    fn ids(&self, members: &mut AwsMembers, in_body: Option<&str>) {
        let said = |id: Option<&'r str>| id.filter(|id| !id.is_empty());
        if let Some(id) = said(self.request_id).or_else(|| said(self.amz_request_id)).or(in_body) {
            members.text("request_id", id);
        }
        if let Some(id) = said(self.id_2) {
            members.text("id_2", id);
        }
    }

    fn answer(&self, status: u16) -> Answer {
        let answer = Answer::new().with_status(status);
        match self.content_length.and_then(|length| length.trim().parse().ok()) {
            Some(length) => answer.with_content_length(length),
            None => answer,
        }
    }
}
