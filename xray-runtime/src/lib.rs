//! xray-runtime

mod annotation;
mod backtrace;
mod capture;
mod clock;
mod context;
mod daemon_address;
mod document;
mod entity;
mod error;
mod exception;
mod exporter;
mod future;
mod http;
mod naming;
mod note;
mod panic;
mod record;
mod recorder;
#[cfg(feature = "reqwest")]
mod reqwest;
mod sampling;
mod scope;
mod segment;
#[cfg(feature = "tokio")]
mod spawn;
mod subsegment;
#[cfg(feature = "tower")]
mod tower;
mod trace_header;
mod trace_id;
mod tree;
mod wildcard;

/// What the attributes expand to. No part of the public interface: it changes with each version.
#[doc(hidden)]
pub mod __private {
    pub use crate::capture::*;
}

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
pub use entity::{Entity, Namespace, current, current_segment};
pub use error::ErrorClass;
pub use exporter::{
    Batch, Captured, CapturedEntity, Document, DropCause, Exporter, JsonLinesExporter, UdpExporter,
};
pub use future::{FutureExt, InSegment};
pub use naming::{MAX_NAME_CHARS, SegmentNaming};
pub use recorder::{
    BuildError, ContextMissing, Entered, Flushed, InstallError, Recorder, RecorderBuilder, RecorderGuard,
    Stats,
};
#[cfg(feature = "reqwest")]
pub use reqwest::XRayMiddleware;
pub use sampling::{
    AllSampler, InvalidSamplingRules, LocalSampler, NoneSampler, Sampler, SamplingDecision, SamplingRequest,
    SamplingRulesFileError,
};
pub use segment::{Segment, SegmentBuilder, begin_segment, in_segment};
#[cfg(feature = "tokio")]
pub use spawn::{spawn, spawn_blocking};
pub use subsegment::{Subsegment, begin_subsegment, in_subsegment};
#[cfg(feature = "tower")]
pub use tower::{XRayBody, XRayLayer, XRayResponseFuture, XRayService};
pub use trace_header::{Sampled, TRACE_HEADER, TraceHeader, response_header};
pub use trace_id::{EntityId, InvalidEntityId, InvalidTraceId, TraceId};
pub use xray_macros::xray_capture;
