//! The calls: `GetSamplingRules` and `SamplingTargets` of the daemon's TCP address, which signs and forwards them to X-Ray or answers
//! them itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;
use ureq::Agent;

use super::rules::RuleReport;
use crate::daemon_address::Endpoint;

/// Bytes of one answer that are read.
const MAX_ANSWER: u64 = 1 << 20;

/// Pages of rules that are read. X-Ray has 25 rules where no more were asked for.
const MAX_PAGES: usize = 64;

/// Statistics in one call: the API takes no more.
pub(super) const MAX_STATISTICS: usize = 25;

/// Why the daemon did not tell.
#[derive(Debug, Error)]
pub(super) enum CallError {
    #[error("{0}")]
    Http(Box<ureq::Error>),
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("its answer is not JSON: {0}")]
    Json(serde_json::Error),
    #[error("its answer has no `{0}`")]
    Member(&'static str),
    #[error("its rules have more than {MAX_PAGES} pages")]
    Pages,
    #[error("the HTTP client panicked")]
    Panicked,
}

impl From<ureq::Error> for CallError {
    fn from(error: ureq::Error) -> Self {
        Self::Http(Box::new(error))
    }
}

/// The daemon, as the poller sees it.
#[derive(Debug)]
pub(super) struct Daemon {
    agent: Agent,
    endpoint: Endpoint,
    /// 24 hexadecimal digits: how the service tells clients apart when it divides a reservoir.
    client_id: String,
}

/// The answer to statistics.
#[derive(Debug, Default)]
pub(super) struct Targets {
    pub(super) documents: Vec<Value>,
    /// When a rule was changed last.
    pub(super) modified_at: Option<f64>,
    /// What was wrong with which rule's statistics.
    pub(super) unprocessed: Vec<Unprocessed>,
}

/// Statistics that the service did not take.
#[derive(Debug)]
pub(super) struct Unprocessed {
    pub(super) rule: String,
    code: String,
    message: String,
}

impl Unprocessed {
    fn read(document: &Value) -> Self {
        let text = |key| match document.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Self { rule: text("RuleName"), code: text("ErrorCode"), message: text("Message") }
    }

    /// The service knows better rules than we do.
    pub(super) fn is_of_client(&self) -> bool {
        self.code.starts_with('4')
    }

    /// The service failed.
    pub(super) fn is_of_service(&self) -> bool {
        self.code.starts_with('5')
    }
}

impl std::fmt::Display for Unprocessed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} for rule `{}`: {}", self.code, self.rule, self.message)
    }
}

impl Daemon {
    /// Calls wait `patience` for a connection and as long for each half of the answer.
    pub(super) fn new(endpoint: Endpoint, patience: Duration) -> Self {
        let agent = Agent::config_builder()
            // The daemon is near: the proxies of the environment lead out.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // A name is resolved at each call, as pods move; the daemon closes idle connections before the next one anyway.
            .max_idle_connections(0)
            // Not the one timeout over all: for that one the library starts a thread at each call.
            .timeout_connect(Some(patience))
            .timeout_send_request(Some(patience))
            .timeout_send_body(Some(patience))
            .timeout_recv_response(Some(patience))
            .timeout_recv_body(Some(patience))
            .user_agent(concat!("xray-runtime/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let client_id: String =
            std::iter::repeat_with(|| format!("{:02x}", fastrand::u8(..))).take(12).collect();
        Self { agent, endpoint, client_id }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// All pages of rules, record by record.
    pub(super) fn rules(&self) -> Result<Vec<Value>, CallError> {
        let mut records = Vec::new();
        let mut request = json!({});
        for _ in 0..MAX_PAGES {
            let mut page = self.call("GetSamplingRules", &request)?;
            let Some(Value::Array(of_page)) = page.get_mut("SamplingRuleRecords").map(Value::take) else {
                return Err(CallError::Member("SamplingRuleRecords"));
            };
            // A record that is none becomes a rule that is none.
            records.extend(
                of_page
                    .into_iter()
                    .map(|mut record| record.get_mut("SamplingRule").map(Value::take).unwrap_or_default()),
            );
            match page.get("NextToken").and_then(Value::as_str).filter(|token| !token.is_empty()) {
                Some(token) => request = json!({ "NextToken": token }),
                None => return Ok(records),
            }
        }
        Err(CallError::Pages)
    }

    /// Tells statistics, at most [`MAX_STATISTICS`].
    pub(super) fn targets(&self, reports: &[RuleReport], unix_seconds: f64) -> Result<Targets, CallError> {
        let documents: Vec<Value> = reports
            .iter()
            .map(|report| {
                json!({
                    "RuleName": &*report.name,
                    "ClientID": self.client_id,
                    "Timestamp": unix_seconds as u64,
                    "RequestCount": report.statistics.requests,
                    "SampledCount": report.statistics.sampled,
                    "BorrowCount": report.statistics.borrowed,
                })
            })
            .collect();
        let mut answer =
            self.call("SamplingTargets", &json!({ "SamplingStatisticsDocuments": documents }))?;
        let mut list = |key| match answer.get_mut(key).map(Value::take) {
            Some(Value::Array(list)) => Some(list),
            _ => None,
        };
        let (documents, unprocessed) = (list("SamplingTargetDocuments"), list("UnprocessedStatistics"));
        if documents.is_none() && unprocessed.is_none() {
            return Err(CallError::Member("SamplingTargetDocuments"));
        }
        Ok(Targets {
            documents: documents.unwrap_or_default(),
            modified_at: answer.get("LastRuleModification").and_then(Value::as_f64),
            unprocessed: unprocessed.unwrap_or_default().iter().map(Unprocessed::read).collect(),
        })
    }

    fn call(&self, operation: &str, body: &Value) -> Result<Value, CallError> {
        // The poller outlives a fault of the library.
        catch_unwind(AssertUnwindSafe(|| {
            let mut response = self
                .agent
                .post(format!("http://{}/{operation}", self.endpoint))
                .content_type("application/json")
                .send(body.to_string())?;
            let status = response.status();
            if !status.is_success() {
                return Err(CallError::Status(status.as_u16()));
            }
            let answer = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec()?;
            serde_json::from_slice(&answer).map_err(CallError::Json)
        }))
        .unwrap_or(Err(CallError::Panicked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_s_id_is_24_digits_of_its_own() {
        let daemon = || {
            let address = crate::DaemonAddress::default();
            Daemon::new(address.tcp().clone(), Duration::from_secs(1)).client_id
        };
        let (one, other) = (daemon(), daemon());
        assert_eq!(one.len(), 24);
        assert!(one.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn an_error_code_may_be_a_number() {
        let of =
            |code: Value| Unprocessed::read(&json!({"RuleName": "a", "ErrorCode": code, "Message": "no"}));
        assert!(of("400".into()).is_of_client());
        assert!(of(404.into()).is_of_client());
        assert!(of("500".into()).is_of_service());
        assert!(!of("InternalFailure".into()).is_of_service());
        assert_eq!(of("400".into()).to_string(), "400 for rule `a`: no");
        assert!(!Unprocessed::read(&Value::Null).is_of_client());
    }
}
