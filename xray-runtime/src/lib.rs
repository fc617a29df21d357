//! xray-runtime

mod annotation;
mod naming;
mod trace_header;
mod trace_id;
mod wildcard;

#[doc(hidden)]
#[path = "conformance.rs"]
pub mod __conformance;

pub use annotation::{
    AnnotationKeyPolicy, AnnotationValue, MAX_ANNOTATION_KEY_CHARS, MAX_ANNOTATION_VALUE_CHARS,
    MAX_ANNOTATIONS, ToAnnotation,
};
pub use naming::{MAX_NAME_CHARS, SegmentNaming};
pub use trace_header::{Sampled, TRACE_HEADER, TraceHeader, response_header};
pub use trace_id::{EntityId, InvalidEntityId, InvalidTraceId, TraceId};
