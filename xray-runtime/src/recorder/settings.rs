//! The settings of a recorder, and the environment variables that win over them.

use std::borrow::Cow;
use std::time::Duration;

use crate::annotation::AnnotationKeyPolicy;
use crate::http::StatusOverrides;
use crate::wildcard::wildcard_match;

/// What happens where a subsegment begins and no segment is current.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContextMissing {
    /// One warning a minute through `tracing` (or `log`); the function runs as if it had no attribute.
    #[default]
    LogError,
    /// A panic in debug builds, a warning in release builds; see
    /// [`RecorderBuilder::context_missing_panics_in_release`](super::RecorderBuilder::context_missing_panics_in_release).
    RuntimeError,
    /// Nothing.
    IgnoreError,
}

/// What the recording path and the exporter read.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) service: Cow<'static, str>,
    pub(crate) service_version: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) context_missing: ContextMissing,
    pub(crate) context_missing_panics_in_release: bool,
    /// Records of a chunk from which an end streams: the segment, and more subsegments than the threshold.
    pub(crate) stream_at: usize,
    pub(crate) noop_ids: bool,
    pub(crate) annotation_keys: AnnotationKeyPolicy,
    pub(crate) trusted_hops: Option<usize>,
    pub(crate) status_overrides: StatusOverrides,
    pub(crate) queue_bytes: usize,
    pub(crate) open_children_patience: Duration,
    /// Patterns of paths that have no segment.
    pub(crate) skipped: Vec<Box<str>>,
    /// In AWS Lambda: segments are Lambda's.
    #[cfg(feature = "lambda")]
    pub(crate) in_lambda: bool,
}

impl Settings {
    /// Whether requests of this path have no segment.
    pub(crate) fn skips(&self, path: Option<&str>) -> bool {
        !self.skipped.is_empty()
            && path.is_some_and(|path| self.skipped.iter().any(|pattern| wildcard_match(pattern, path, true)))
    }
}

/// Subsegments that a segment may hold before it is streamed (Node's and Java's default).
pub(crate) const STREAMING_THRESHOLD: usize = 100;

/// Memory that may wait for the exporter.
pub(crate) const QUEUE_BYTES: usize = 64 << 20;

/// How long a segment that has ended waits for subsegments that are open (section 13 of the client's spec).
pub(crate) const OPEN_CHILDREN_PATIENCE: Duration = Duration::from_secs(30);

impl Default for Settings {
    fn default() -> Self {
        Self {
            service: Cow::Borrowed("unknown"),
            service_version: None,
            origin: None,
            enabled: true,
            context_missing: ContextMissing::default(),
            context_missing_panics_in_release: false,
            stream_at: stream_at(STREAMING_THRESHOLD),
            noop_ids: false,
            annotation_keys: AnnotationKeyPolicy::default(),
            trusted_hops: None,
            status_overrides: StatusOverrides::new(),
            queue_bytes: QUEUE_BYTES,
            open_children_patience: OPEN_CHILDREN_PATIENCE,
            skipped: Vec::new(),
            #[cfg(feature = "lambda")]
            in_lambda: false,
        }
    }
}

/// More subsegments than `threshold`, and the segment itself.
pub(crate) fn stream_at(threshold: usize) -> usize {
    threshold.saturating_add(2)
}

/// The environment variables of X-Ray's SDKs, as they were when the recorder was built.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) daemon_address: Option<String>,
    pub(crate) tracing_name: Option<String>,
    pub(crate) context_missing: Option<ContextMissing>,
    pub(crate) enabled: Option<bool>,
    pub(crate) noop_ids: Option<bool>,
    /// In AWS Lambda: there the service decides, and the daemon answers no questions.
    #[cfg(feature = "central-sampling")]
    pub(crate) lambda: bool,
    /// The same, for what begins segments.
    #[cfg(feature = "lambda")]
    pub(crate) task_root: bool,
}

impl Environment {
    /// Reads through `get`, so that tests need not change the process. A value that means nothing is warned of and
    /// left out: the environment never stops a program.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        let get =
            |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let context_missing =
            get("AWS_XRAY_CONTEXT_MISSING").and_then(|value| match value.to_ascii_uppercase().as_str() {
                "LOG_ERROR" => Some(ContextMissing::LogError),
                "RUNTIME_ERROR" => Some(ContextMissing::RuntimeError),
                "IGNORE_ERROR" => Some(ContextMissing::IgnoreError),
                _ => {
                    ignored("AWS_XRAY_CONTEXT_MISSING", &value, "LOG_ERROR, RUNTIME_ERROR or IGNORE_ERROR");
                    None
                }
            });
        let enabled = get("AWS_XRAY_SDK_ENABLED").and_then(|value| {
            let known = truth(&value);
            if known.is_none() {
                ignored("AWS_XRAY_SDK_ENABLED", &value, "true or false");
            }
            known
        });
        // Go's name for the same.
        let disabled = get("AWS_XRAY_SDK_DISABLED").is_some_and(|value| truth(&value) == Some(true));
        Self {
            daemon_address: get("AWS_XRAY_DAEMON_ADDRESS"),
            tracing_name: get("AWS_XRAY_TRACING_NAME"),
            context_missing,
            enabled: if disabled { Some(false) } else { enabled },
            noop_ids: get("AWS_XRAY_NOOP_ID").and_then(|value| truth(&value)),
            #[cfg(feature = "central-sampling")]
            lambda: get("LAMBDA_TASK_ROOT").is_some(),
            #[cfg(feature = "lambda")]
            task_root: get("LAMBDA_TASK_ROOT").is_some(),
        }
    }
}

fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "y" | "yes" | "t" | "true" | "on" | "1" => Some(true),
        "n" | "no" | "f" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn ignored(name: &str, value: &str, write: &str) {
    tracing::warn!(target: "xray_runtime", "{name}={value:?} is ignored: write {write}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::read(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn enabled_has_two_names() {
        assert_eq!(environment(&[]).enabled, None);
        assert_eq!(environment(&[("AWS_XRAY_SDK_ENABLED", "False")]).enabled, Some(false));
        assert_eq!(environment(&[("AWS_XRAY_SDK_ENABLED", "maybe")]).enabled, None);
        assert_eq!(environment(&[("AWS_XRAY_SDK_DISABLED", "TRUE")]).enabled, Some(false));
        assert_eq!(
            environment(&[("AWS_XRAY_SDK_ENABLED", "on"), ("AWS_XRAY_SDK_DISABLED", "true")]).enabled,
            Some(false)
        );
    }

    #[cfg(feature = "central-sampling")]
    #[test]
    fn lambda_tells_where_its_code_is() {
        assert!(environment(&[("LAMBDA_TASK_ROOT", "/var/task")]).lambda);
        assert!(!environment(&[]).lambda);
    }

    #[test]
    fn blank_values_are_no_values() {
        let environment = environment(&[("AWS_XRAY_TRACING_NAME", "  "), ("AWS_XRAY_DAEMON_ADDRESS", "")]);
        assert_eq!(environment.tracing_name, None);
        assert_eq!(environment.daemon_address, None);
    }

    #[test]
    fn a_bad_strategy_is_left_out() {
        assert_eq!(environment(&[("AWS_XRAY_CONTEXT_MISSING", "PANIC")]).context_missing, None);
        assert_eq!(
            environment(&[("AWS_XRAY_CONTEXT_MISSING", "ignore_error")]).context_missing,
            Some(ContextMissing::IgnoreError)
        );
    }
}
