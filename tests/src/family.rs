//! The families of vectors, and what a case of theirs comes to.

use serde_json::Value;

use crate::{cloudwatch_otlp, rollbar, xray};

/// One kind of vector file.
pub(crate) struct Family {
    /// The name of its file.
    pub(crate) file: &'static str,
    /// Runs the real code on each case of the file; an error says what is wrong with the file.
    pub(crate) run: fn(&Value) -> Result<Vec<Outcome>, String>,
}

/// What the real code made of a case.
pub(crate) struct Outcome {
    pub(crate) id: String,
    pub(crate) failure: Option<Failure>,
}

/// Why a case failed.
pub(crate) enum Failure {
    /// The answer is another one.
    Differs { expected: Value, got: Value },
    /// There is no answer: the case cannot be read, or the code panicked.
    Broken(String),
}

/// Each family that this build knows.
pub(crate) const FAMILIES: &[Family] = &[
    Family { file: "annotation.json", run: xray::annotation::run },
    Family { file: "client_ip.json", run: xray::client_ip::run },
    Family { file: "daemon_address.json", run: xray::daemon_address::run },
    Family { file: "dynamic_naming.json", run: xray::naming::run_dynamic },
    Family { file: "name_sanitise.json", run: xray::naming::run_sanitise },
    Family { file: "response_header.json", run: xray::trace_header::run_response },
    Family { file: "sampling_decision_central.json", run: xray::sampling_central::run },
    Family { file: "sampling_decision_local.json", run: xray::sampling::run_decision },
    Family { file: "sampling_rule_file.json", run: xray::sampling::run_rule_file },
    Family { file: "sql_url.json", run: xray::sql::run },
    Family { file: "status_mapping.json", run: xray::status::run },
    Family { file: "trace_header_format.json", run: xray::trace_header::run_format },
    Family { file: "trace_header_parse.json", run: xray::trace_header::run_parse },
    Family { file: "trace_id_valid.json", run: xray::trace_header::run_trace_id },
    Family { file: "wildcard_match.json", run: xray::wildcard::run },
    Family { file: "baggage.json", run: rollbar::request::run_baggage },
    Family { file: "grouping_pair.json", run: rollbar::grouping::run_pair },
    Family { file: "ip_extract.json", run: rollbar::request::run_ip_extract },
    Family { file: "ip_filter.json", run: rollbar::request::run_ip_filter },
    Family { file: "item_duplicate.json", run: rollbar::item::run_duplicate },
    Family { file: "item_validity.json", run: rollbar::item::run_validity },
    Family { file: "item_validity_raw.json", run: rollbar::item::run_validity_raw },
    Family { file: "level_from_rust.json", run: rollbar::level::run_from_rust },
    Family { file: "level_from_str.json", run: rollbar::level::run_from_str },
    Family { file: "level_threshold.json", run: rollbar::level::run_threshold },
    Family { file: "response_action.json", run: rollbar::answer::run_response },
    Family { file: "scrub_object.json", run: rollbar::scrub::run_object },
    Family { file: "scrub_string.json", run: rollbar::scrub::run_string },
    Family { file: "title.json", run: rollbar::grouping::run_title },
    Family { file: "transport_error_action.json", run: rollbar::answer::run_transport_error },
    Family { file: "truncate_invariant.json", run: rollbar::truncation::run_invariant },
    Family { file: "truncate_payload.json", run: rollbar::truncation::run_payload },
    Family { file: "sigv4.json", run: cloudwatch_otlp::sigv4::run },
];

/// Whether a vector file of this name is run.
pub fn knows(file: &str) -> bool {
    find(file).is_some()
}

pub(crate) fn find(file: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.file == file)
}
