//! What the conformance runner and the fuzz targets need and no user should: not part of the public interface.

use std::borrow::Cow;

#[cfg(feature = "central-sampling")]
pub use crate::sampling::{CentralDecision, CentralHow, CentralRules, RuleReport, RuleStatistics};
pub use crate::sampling::{How, LocalDecision};
pub use crate::wildcard::wildcard_match;

use crate::annotation;

/// The name as a document may have it.
pub fn sanitise_name(name: &str) -> Cow<'_, str> {
    crate::naming::sanitise_name(name, "")
}

/// Whether the backend takes the key.
pub fn is_valid_annotation_key(key: &str) -> bool {
    annotation::is_valid_key(key)
}

/// The key made valid; `None` for an empty one.
pub fn fix_annotation_key(key: &str) -> Option<Cow<'_, str>> {
    annotation::fix_key(key)
}

/// The value as a document may have it, with whether its text was cut; `None` when it is refused.
pub fn valid_annotation_value(
    value: annotation::AnnotationValue,
) -> Option<(annotation::AnnotationValue, bool)> {
    value.into_valid()
}

/// The frames (label, path, line) of the user's code in the text of a backtrace, innermost first.
pub fn backtrace_frames(text: &str) -> Vec<(String, String, u32)> {
    let stack = xray_error::Stack::parse(text);
    stack.frames.into_iter().map(|frame| (frame.label.into(), frame.path.into(), frame.line)).collect()
}

/// Puts the panic hook in place, as installing a recorder does.
pub fn install_panic_hook() {
    crate::panic::install();
}

/// Label, path and line of a frame.
pub type PanicFrame = (String, String, u32);

/// Message and frames that a document would have of the last panic on this thread.
pub fn last_panic() -> Option<(String, Vec<PanicFrame>)> {
    let cause = crate::exception::Cause::from_panic(&crate::panic::copy()?);
    let exception = cause.exceptions.into_iter().next()?;
    let frame = |frame: xray_error::StackFrame| (frame.label.into(), frame.path.into(), frame.line);
    Some((exception.message, exception.stack.into_iter().map(frame).collect()))
}
