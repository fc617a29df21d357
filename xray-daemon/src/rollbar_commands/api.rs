//! Calls of Rollbar's API.

use std::io;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderName, LOCATION};
use reqwest::{Client, Method, Response, redirect};
use serde_json::Value;
use thiserror::Error;
use tokio::runtime::Runtime;

use super::printable;
use super::target::Target;

const TOKEN: HeaderName = HeaderName::from_static("x-rollbar-access-token");

/// The longest that a call may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The most bytes of an answer that are read.
const ANSWER: usize = 1 << 20;

/// Why a call failed.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    #[error("cannot start: {0}")]
    Start(String),
    #[error("cannot reach {url}: {why}{hint}")]
    Reach { url: String, why: String, hint: &'static str },
    #[error("{url} refused it with {status}: {message}")]
    Refused { url: String, status: u16, message: String },
    #[error("{url} answered {status}, and not as Rollbar's API does{what}")]
    Strange { url: String, status: u16, what: String },
}

impl CallError {
    /// Whether any other call will fail in the same way.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Start(_) | Self::Reach { .. } | Self::Refused { status: 401 | 403 | 429, .. })
    }
}

/// A client with its target.
pub(super) struct Api {
    target: Target,
    client: Client,
    runtime: Runtime,
}

impl Api {
    pub(super) fn new(target: Target) -> Result<Self, CallError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| CallError::Start(error.to_string()))?;
        // A redirect would take the token elsewhere.
        let mut client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("xray-daemon/", env!("CARGO_PKG_VERSION")));
        if target.is_local() {
            client = client.no_proxy();
        }
        if target.base.scheme() != "https" {
            // The system's certificates are read only where they are needed.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| CallError::Start(error.to_string()))?;
        Ok(Self { target, client, runtime })
    }

    /// Calls `path` below the root with JSON, and returns the answer's JSON.
    pub(super) fn call(&self, method: Method, path: &str, json: Vec<u8>) -> Result<Value, CallError> {
        let url = format!("{}{path}", self.target.base);
        let request = self.client.request(method, &url).header(CONTENT_TYPE, "application/json").body(json);
        let request = match self.target.header() {
            Some(token) => request.header(TOKEN, token),
            None => request,
        };
        let answer = self.runtime.block_on(async {
            let response = request.send().await?;
            let location = response
                .headers()
                .get(LOCATION)
                .map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, location, read(response).await?))
        });
        let (status, location, body) = answer.map_err(|error| self.unreached(&url, &error))?;
        let json = serde_json::from_slice::<Value>(&body)
            .ok()
            .filter(|json| json.get("err").is_some() || json.get("data").is_some());
        let message = json.as_ref().and_then(|json| json.get("message")?.as_str());
        let message = message.map(|message| printable(&self.target.masked(message)));
        match (status, json, message) {
            (200..=299, Some(json), _) if json.get("err").and_then(Value::as_i64).unwrap_or(0) == 0 => {
                Ok(json)
            }
            (_, Some(_), Some(message)) => Err(CallError::Refused { url, status, message }),
            _ => {
                let what = match location {
                    Some(to) => format!(": it redirects to {}; give that with `-u`", printable(&to)),
                    None => ": check the address, and any proxy on the way".to_owned(),
                };
                Err(CallError::Strange { url, status, what })
            }
        }
    }

    fn unreached(&self, url: &str, error: &reqwest::Error) -> CallError {
        // The innermost cause says what happened.
        let mut why: &dyn std::error::Error = error;
        while let Some(source) = why.source() {
            why = source;
        }
        let nobody_listens = why
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        let why = if error.is_timeout() {
            format!("no answer within {} s", TIMEOUT.as_secs())
        } else {
            self.target.masked(&why.to_string())
        };
        let hint = if self.target.is_local() && nobody_listens {
            "; start a daemon with `xray-daemon tail`, or give a token to send to rollbar.com"
        } else {
            ""
        };
        CallError::Reach { url: url.to_owned(), why, hint }
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < ANSWER {
        let Some(chunk) = response.chunk().await? else { break };
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
