//! Joined to the trace: the item knows its segment, and the segment its item.

use uuid::Uuid;

/// The trace and the segment that are current, where xray-runtime records one. It gets the item's uuid as the annotation
/// `rollbar_uuid`, and a link to the occurrence as metadata.
#[cfg(feature = "xray")]
pub(crate) fn join(uuid: Uuid) -> Option<(String, String)> {
    let segment = xray_runtime::current_segment();
    let trace = segment.trace_id()?;
    let id = segment.id()?;
    segment.put_annotation("rollbar_uuid", uuid.to_string());
    segment.put_metadata_in("rollbar", "occurrence", format!("{OCCURRENCE}{uuid}"));
    Some((trace.to_string(), id.to_string()))
}

#[cfg(not(feature = "xray"))]
pub(crate) fn join(_: Uuid) -> Option<(String, String)> {
    None
}

/// Where Rollbar shows an occurrence.
#[cfg(feature = "xray")]
const OCCURRENCE: &str = "https://rollbar.com/occurrence/uuid/?uuid=";
