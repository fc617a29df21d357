//! Deploys: which revision went to which environment, and whether it arrived.

use std::fmt;

use bytes::Bytes;
use reqwest::{Method, Url};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::client::Rollbar;
use crate::response::mask_tokens;
use crate::transport::{HttpTransport, Response, TransportError, TransportSetupError};

/// Characters of an environment, a revision and a name.
const MAX_TEXT_CHARS: usize = 255;

/// Bytes of a comment.
const MAX_COMMENT_BYTES: usize = 64 * 1024;

/// A deploy, as Rollbar lists it.
///
/// ```
/// use rollbar_runtime::{Deploy, DeployStatus};
///
/// let deploy = Deploy::new("production", env!("CARGO_PKG_VERSION"))
///     .status(DeployStatus::Started)
///     .local_username("ada")
///     .comment("the new queue");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deploy {
    environment: String,
    revision: String,
    status: DeployStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollbar_username: Option<String>,
}

/// How far a deploy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployStatus {
    /// It began.
    Started,
    /// It is done.
    #[default]
    Succeeded,
    /// It was given up.
    Failed,
    /// It took too long.
    TimedOut,
}

/// What Rollbar calls a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeployId(pub u64);

/// Why a deploy was not recorded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeployError {
    /// There is no answer.
    #[error("the deploy was not reported to {url}: {source}")]
    Transport {
        /// Where to.
        url: String,
        /// What went wrong.
        source: TransportError,
    },
    /// Rollbar refused it.
    #[error("the deploy was refused with status {status}: {message}")]
    Refused {
        /// The answer's status.
        status: u16,
        /// What the answer says, with tokens masked.
        message: String,
    },
    /// The client is off, or its transport is not HTTP.
    #[error("there is no way to report deploys: the client is off, or has a transport of its own")]
    NoTransport,
    /// The way to Rollbar cannot be set up.
    #[error(transparent)]
    Setup(#[from] TransportSetupError),
    /// The system gives no event loop.
    #[error("cannot wait for the answer: {0}")]
    Runtime(#[source] std::io::Error),
    /// The answer says that all is well, but not what the deploy is called.
    #[error("the deploy was accepted, but the answer names no id")]
    NoId,
}

impl Deploy {
    /// A deploy of a revision to an environment, which has succeeded. Both are cut at 255 characters.
    pub fn new(environment: &str, revision: &str) -> Self {
        Self {
            environment: short(environment),
            revision: short(revision),
            status: DeployStatus::default(),
            comment: None,
            local_username: None,
            rollbar_username: None,
        }
    }

    /// How far it has come.
    #[must_use]
    pub fn status(mut self, status: DeployStatus) -> Self {
        self.status = status;
        self
    }

    /// What changed. Cut at 64 KiB.
    #[must_use]
    pub fn comment(mut self, comment: &str) -> Self {
        self.comment = Some(cut_comment(comment));
        self
    }

    /// Who deployed, by the name on the machine. Cut at 255 characters.
    #[must_use]
    pub fn local_username(mut self, name: &str) -> Self {
        self.local_username = Some(short(name));
        self
    }

    /// Who deployed, by the name in Rollbar. Cut at 255 characters.
    #[must_use]
    pub fn rollbar_username(mut self, name: &str) -> Self {
        self.rollbar_username = Some(short(name));
        self
    }
}

impl fmt::Display for DeployId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Rollbar {
    /// Reports a deploy: one try. Not for async code: see [`report_deploy_async`](Self::report_deploy_async).
    ///
    /// ```no_run
    /// use rollbar_runtime::{Deploy, Rollbar};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rollbar = Rollbar::builder().build()?;
    /// let id = rollbar.report_deploy(&Deploy::new("production", env!("CARGO_PKG_VERSION")))?;
    /// println!("deploy {id}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the client is off, there is no answer, or it is none that records the deploy.
    ///
    /// # Panics
    /// Within a tokio runtime, as `tokio::runtime::Runtime::block_on` does.
    pub fn report_deploy(&self, deploy: &Deploy) -> Result<DeployId, DeployError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(DeployError::Runtime)?.block_on(self.report_deploy_async(deploy))
    }

    /// Reports a deploy: one try, within the tokio runtime that it is polled in.
    ///
    /// # Errors
    /// As [`report_deploy`](Self::report_deploy).
    pub async fn report_deploy_async(&self, deploy: &Deploy) -> Result<DeployId, DeployError> {
        let http = self.http().ok_or(DeployError::NoTransport)?;
        HttpTransport::new(http)?.report_deploy(deploy, &http.token).await
    }

    /// Says how far a deploy has come that was reported before, within the tokio runtime that it is polled in.
    ///
    /// # Errors
    /// As [`report_deploy`](Self::report_deploy).
    pub async fn update_deploy_async(
        &self,
        id: DeployId,
        status: DeployStatus,
        comment: Option<&str>,
    ) -> Result<(), DeployError> {
        let http = self.http().ok_or(DeployError::NoTransport)?;
        HttpTransport::new(http)?.update_deploy(id, status, comment, &http.token).await
    }
}

impl HttpTransport {
    /// Reports a deploy: one try. `token` is masked in what an answer says.
    ///
    /// # Errors
    /// When there is no answer, or it is none that records the deploy.
    pub(crate) async fn report_deploy(&self, deploy: &Deploy, token: &str) -> Result<DeployId, DeployError> {
        let answer = self.deploy_request(Method::POST, self.deploy.clone(), json!(deploy), token).await?;
        deploy_id(&answer).ok_or(DeployError::NoId)
    }

    /// Says how far a deploy has come that was reported before.
    ///
    /// # Errors
    /// When there is no answer, or it is none that records the change.
    pub(crate) async fn update_deploy(
        &self,
        id: DeployId,
        status: DeployStatus,
        comment: Option<&str>,
        token: &str,
    ) -> Result<(), DeployError> {
        let mut url = self.deploy.clone();
        url.set_path(&format!("{}/{id}", url.path().trim_end_matches('/')));
        let mut change = json!({ "status": status });
        if let Some(comment) = comment {
            change["comment"] = cut_comment(comment).into();
        }
        self.deploy_request(Method::PATCH, url, change, token).await.map(drop)
    }

    async fn deploy_request(
        &self,
        method: Method,
        url: Url,
        body: Value,
        token: &str,
    ) -> Result<Value, DeployError> {
        let at = url.to_string();
        let body = Bytes::from(body.to_string());
        match self.request(method, url, body, false).await {
            Ok(answer) => read(&answer, token),
            Err(source) => Err(DeployError::Transport { url: at, source }),
        }
    }
}

/// The answer, unless it is a refusal.
fn read(answer: &Response, token: &str) -> Result<Value, DeployError> {
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let is_fine = matches!(json["err"].as_u64(), None | Some(0));
    if answer.status.is_success() && is_fine {
        return Ok(json);
    }
    let message = json["message"].as_str().unwrap_or(match answer.status.as_u16() {
        300..=399 | 404 | 405 => "check the endpoint",
        401 | 403 => "check the access token",
        _ => "the answer says no more",
    });
    Err(DeployError::Refused { status: answer.status.as_u16(), message: mask_tokens(message, token) })
}

/// Rollbar's own client for Ruby finds it at `data.deploy_id`; other answers of the API have a `result`.
fn deploy_id(answer: &Value) -> Option<DeployId> {
    ["/data/deploy_id", "/result/deploy_id", "/data/id", "/result/id"]
        .into_iter()
        .find_map(|path| answer.pointer(path)?.as_u64())
        .map(DeployId)
}

fn short(text: &str) -> String {
    xray_error::cut(text, MAX_TEXT_CHARS).to_owned()
}

fn cut_comment(comment: &str) -> String {
    comment[..comment.floor_char_boundary(MAX_COMMENT_BYTES)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let long = "\u{e9}".repeat(100_000);
        let deploy = Deploy::new(&long, &long)
            .comment(&format!("x{long}"))
            .local_username(&long)
            .rollbar_username(&long);
        for text in [&deploy.environment, &deploy.revision] {
            assert_eq!(text.chars().count(), 255);
        }
        assert_eq!(deploy.local_username.unwrap().chars().count(), 255);
        assert_eq!(deploy.rollbar_username.unwrap().chars().count(), 255);
        assert_eq!(deploy.comment.unwrap().len(), 64 * 1024 - 1);
    }

    #[test]
    fn the_json_is_that_of_the_api() {
        let deploy = Deploy::new("production", "abc").status(DeployStatus::TimedOut).comment("c");
        let expected =
            json!({ "environment": "production", "revision": "abc", "status": "timed_out", "comment": "c" });
        assert_eq!(json!(deploy), expected);
        assert_eq!(json!(Deploy::new("e", "r"))["status"], "succeeded");
    }

    #[test]
    fn an_answer_is_an_id_or_a_refusal() {
        let answer = |status: u16, body: &str| {
            read(&Response::new(StatusCode::from_u16(status).unwrap(), body.to_owned()), "secret-token")
        };
        let id = |body| deploy_id(&answer(200, body).unwrap());
        assert_eq!(id(r#"{"data":{"deploy_id":7}}"#), Some(DeployId(7)));
        assert_eq!(id(r#"{"err":0,"result":{"deploy_id":8}}"#), Some(DeployId(8)));
        assert_eq!(id("<html>"), None);
        let refused =
            answer(403, r#"{"err":1,"message":"access token not found: secret-token"}"#).unwrap_err();
        assert!(refused.to_string().contains("status 403: access token not found: ****"), "{refused}");
        assert!(!refused.to_string().contains("secret"));
        assert!(
            answer(200, r#"{"err":1,"message":"no"}"#).unwrap_err().to_string().ends_with("status 200: no")
        );
        assert!(answer(302, "<html>").unwrap_err().to_string().ends_with("check the endpoint"));
    }
}
