//! What happened before: Rollbar's telemetry, called breadcrumbs elsewhere.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Level;

/// Characters of a message and of a URL: a scope keeps a hundred events.
const MAX_CHARS: usize = 4_096;

/// One event before the occurrence. Its message or URL is cut at 4,096 characters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Telemetry {
    level: Level,
    source: &'static str,
    timestamp_ms: u64,
    #[serde(flatten)]
    body: TelemetryBody,
}

/// What an event of the telemetry is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "body", rename_all = "lowercase")]
#[non_exhaustive]
pub enum TelemetryBody {
    /// A line of a log.
    Log {
        /// The line.
        message: String,
        /// Its fields.
        #[serde(flatten)]
        fields: Map<String, Value>,
    },
    /// A request to another service.
    Network {
        /// `GET`, `POST` and the like.
        method: String,
        /// Where it went.
        url: String,
        /// What came back, or null.
        status_code: Option<u16>,
    },
    /// An error that was handled.
    Error {
        /// Its text.
        message: String,
    },
    /// Anything else.
    Manual(Map<String, Value>),
}

impl Telemetry {
    /// An event at the present time.
    pub fn new(level: Level, mut body: TelemetryBody) -> Self {
        if let TelemetryBody::Log { message: text, .. }
        | TelemetryBody::Network { url: text, .. }
        | TelemetryBody::Error { message: text } = &mut body
            && text.len() > MAX_CHARS
        {
            text.truncate(xray_error::cut(text, MAX_CHARS).len());
            text.shrink_to_fit();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            level,
            source: "server",
            timestamp_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            body,
        }
    }

    /// A line of a log.
    pub fn log(level: Level, message: impl Into<String>) -> Self {
        Self::new(level, TelemetryBody::Log { message: message.into(), fields: Map::new() })
    }

    /// A request to another service.
    pub fn network(method: &str, url: impl Into<String>, status_code: Option<u16>) -> Self {
        let level = match status_code {
            Some(400..) | None => Level::Warning,
            Some(_) => Level::Info,
        };
        Self::new(level, TelemetryBody::Network { method: method.to_owned(), url: url.into(), status_code })
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What it is about.
    pub fn body(&self) -> &TelemetryBody {
        &self.body
    }
}
