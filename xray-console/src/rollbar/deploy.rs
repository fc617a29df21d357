//! Deploys: which revision went where, when.

use serde_json::{Map, Value, json};

/// The states of a deploy.
const STATES: [&str; 4] = ["started", "succeeded", "failed", "timed_out"];

/// The most characters of a comment: 64 kB are documented.
const MAX_COMMENT: usize = 64 * 1024;

/// One deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deploy {
    /// Its id, counted from 1.
    pub id: u64,
    /// Where to.
    pub environment: String,
    /// What: a git SHA, mostly.
    pub revision: String,
    /// `started`, `succeeded`, `failed` or `timed_out`.
    pub status: String,
    /// The user of Rollbar who did it.
    pub rollbar_username: Option<String>,
    /// The user of the machine who did it.
    pub local_username: Option<String>,
    /// A comment.
    pub comment: Option<String>,
    /// When it began, in Unix seconds.
    pub start_time: u64,
    /// When it ended, in Unix seconds; none while it runs.
    pub finish_time: Option<u64>,
}

/// What is wrong with a deploy: a reason for code, and a message.
pub(super) type Wrong = (&'static str, String);

impl Deploy {
    /// Reads the fields of `POST /api/1/deploy/`.
    pub(super) fn read(fields: &Map<String, Value>, now: u64) -> Result<Self, Wrong> {
        let required = |key: &str, value: Option<String>| {
            value
                .filter(|value| !value.is_empty())
                .ok_or(("missing:deploy", format!("{key} must not be undefined.")))
        };
        let revision = match text(fields, "revision", 255)? {
            None => text(fields, "head_long", 255)?,
            given => given,
        };
        // What a deploy without a state means is not documented: it is over.
        let status = state(fields)?.unwrap_or_else(|| "succeeded".to_owned());
        Ok(Self {
            id: 0,
            environment: required("environment", text(fields, "environment", 255)?)?,
            revision: required("revision", revision)?,
            finish_time: (status != "started").then_some(now),
            status,
            rollbar_username: text(fields, "rollbar_username", 255)?,
            local_username: text(fields, "local_username", 255)?,
            comment: text(fields, "comment", MAX_COMMENT)?,
            start_time: now,
        })
    }

    /// Changes it as `PATCH /api/1/deploy/<id>` asks.
    pub(super) fn change(&mut self, fields: &Map<String, Value>, now: u64) -> Result<(), Wrong> {
        let (status, comment) = (state(fields)?, text(fields, "comment", MAX_COMMENT)?);
        if let Some(status) = status {
            self.finish_time = (status != "started").then_some(now);
            self.status = status;
        }
        if comment.is_some() {
            self.comment = comment;
        }
        Ok(())
    }

    /// The deploy as the API gives it.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "project_id": 1,
            "environment": self.environment,
            "revision": self.revision,
            "status": self.status,
            "rollbar_username": self.rollbar_username,
            "local_username": self.local_username,
            "comment": self.comment,
            "start_time": self.start_time,
            "finish_time": self.finish_time,
        })
    }
}

fn state(fields: &Map<String, Value>) -> Result<Option<String>, Wrong> {
    let status = text(fields, "status", 255)?;
    match &status {
        Some(word) if !STATES.contains(&&**word) => {
            Err(("enum:deploy", format!("status should be one of {}.", STATES.join(", "))))
        }
        _ => Ok(status),
    }
}

fn text(fields: &Map<String, Value>, key: &str, limit: usize) -> Result<Option<String>, Wrong> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= limit => Ok(Some(text.clone())),
        Some(Value::String(_)) => {
            Err(("length:deploy", format!("{key} should be at most {limit} characters.")))
        }
        // A revision may be a number.
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(("type:deploy", format!("{key} should be string."))),
    }
}
