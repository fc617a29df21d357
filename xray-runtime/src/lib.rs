//! xray-runtime

mod trace_header;
mod trace_id;
mod wildcard;

#[doc(hidden)]
#[path = "conformance.rs"]
pub mod __conformance;

pub use trace_header::{Sampled, TRACE_HEADER, TraceHeader, response_header};
pub use trace_id::{EntityId, InvalidEntityId, InvalidTraceId, TraceId};
