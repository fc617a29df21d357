//! The trace header on a request that goes out.

use ::http::{HeaderMap, HeaderName, HeaderValue};

use crate::entity::Entity;

const TRACE_HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Gives the request the header of `entity`, but where the user has set one.
pub(crate) fn inject(headers: &mut HeaderMap, entity: &Entity) {
    if headers.contains_key(&TRACE_HEADER) {
        return;
    }
    let Some(header) = entity.trace_header() else { return };
    let value = HeaderValue::try_from(header.to_string())
        // What the caller sent along with its ids may not stand in a header.
        .or_else(|_| HeaderValue::try_from(header.without_data().to_string()));
    if let Ok(value) = value {
        headers.insert(TRACE_HEADER, value);
    }
}
