//! The trace header on a request that goes out.

use ::http::{HeaderMap, HeaderName, HeaderValue};

use crate::entity::Entity;
use crate::trace_header::{Sampled, TraceHeader};

const TRACE_HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Gives the request the header of `entity`, but where the user has set one.
pub(crate) fn inject(headers: &mut HeaderMap, entity: &Entity) {
    if headers.contains_key(&TRACE_HEADER) {
        return;
    }
    let Some(header) = entity.trace_header() else { return };
    let value = HeaderValue::try_from(header.to_string())
        // What the caller sent along with its ids may not stand in a header.
        .or_else(|_| HeaderValue::try_from(without_data(&header).to_string()));
    if let Ok(value) = value {
        headers.insert(TRACE_HEADER, value);
    }
}

fn without_data(header: &TraceHeader) -> TraceHeader {
    TraceHeader::default()
        .with_root(header.root().unwrap_or_default())
        .with_parent(header.parent().unwrap_or_default())
        .with_sampled(Sampled::from(header.sampled() == Sampled::Sampled))
}
