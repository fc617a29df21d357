//! `status_mapping`: the flags of an HTTP status.

use serde_json::{Value, json};
use xray_runtime::StatusFlags;

use super::check;
use crate::family::Outcome;

pub(crate) fn run(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let status = input.as_i64().ok_or_else(|| format!("not a status: {input}"))?;
        // What no u16 holds is no status.
        let flags = u16::try_from(status).map_or(StatusFlags::NONE, StatusFlags::from_http);
        Ok(json!({ "error": flags.error, "throttle": flags.throttle, "fault": flags.fault }))
    })
}
