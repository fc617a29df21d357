//! `dynamic_naming` and `name_sanitise`: what a segment is called.

use serde_json::Value;
use xray_runtime::__conformance::sanitise_name;
use xray_runtime::SegmentNaming;

use super::{check, optional, required, text};
use crate::family::Outcome;

/// The choice among host and fallback; characters are the other family's matter.
pub(crate) fn run_dynamic(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let naming = SegmentNaming::dynamic(required(input, "pattern")?, required(input, "fallback")?);
        Ok(naming.choose(optional(input, "host")?).into())
    })
}

pub(crate) fn run_sanitise(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| Ok(sanitise_name(text(input)?).into()))
}
