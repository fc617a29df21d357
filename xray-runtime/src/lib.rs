//! xray-runtime

mod annotation;
mod backtrace;
mod daemon_address;
mod exception;
mod http;
mod naming;
mod panic;
mod sampling;
mod trace_header;
mod trace_id;
mod wildcard;

#[doc(hidden)]
#[path = "conformance.rs"]
pub mod __conformance;

pub use self::http::{
    ClientIp, HttpRequest, HttpResponse, MAX_HTTP_TEXT_CHARS, StatusFlags, StatusOverrides,
    url_without_secrets,
};
pub use annotation::{
    AnnotationKeyPolicy, AnnotationValue, MAX_ANNOTATION_KEY_CHARS, MAX_ANNOTATION_VALUE_CHARS,
    MAX_ANNOTATIONS, ToAnnotation,
};
pub use daemon_address::{DaemonAddress, Endpoint, InvalidDaemonAddress};
pub use naming::{MAX_NAME_CHARS, SegmentNaming};
pub use sampling::{
    AllSampler, InvalidSamplingRules, LocalSampler, NoneSampler, Sampler, SamplingDecision, SamplingRequest,
    SamplingRulesFileError,
};
pub use trace_header::{Sampled, TRACE_HEADER, TraceHeader, response_header};
pub use trace_id::{EntityId, InvalidEntityId, InvalidTraceId, TraceId};
