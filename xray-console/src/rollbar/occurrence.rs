//! One occurrence of an item, as much of it as is shown, with all that was sent.

use std::time::SystemTime;

use serde_json::Value;

/// One report that was accepted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Occurrence {
    /// The id of `GET /api/1/instance/<id>`.
    pub id: u64,
    /// The id of its item, of `GET /api/1/item/<id>`.
    pub item_id: u64,
    /// The item's number, counted from 1: the `#17` of Rollbar's pages.
    pub counter: u64,
    /// What happened to its item by it.
    pub change: Change,
    /// Its uuid: the sender's, or one of ours.
    pub uuid: String,
    /// When it came.
    pub received: SystemTime,
    /// When it happened, in Unix seconds; when it came, where the sender says nothing.
    pub timestamp: f64,
    /// Its own level. (That of the item is the first occurrence's.)
    pub level: String,
    /// The environment.
    pub environment: String,
    /// What it is grouped by.
    pub fingerprint: String,
    /// Its own title.
    pub title: String,
    /// The class of the exception that was caught; of a message and a crash report none.
    pub class: Option<String>,
    /// The exception's message, the message, or the first line of the crash report.
    pub message: String,
    /// Classes and messages of the causes, the nearest first.
    pub causes: Vec<(String, String)>,
    /// The user's line: the most recent frame that is the user's own code.
    pub user_frame: Option<Place>,
    /// The context: a route, mostly.
    pub context: Option<String>,
    /// The id of the person.
    pub person: Option<String>,
    /// Method and URL of the request.
    pub request: Option<String>,
    /// The version of the code.
    pub code_version: Option<String>,
    /// The X-Ray trace that it happened in.
    pub trace_id: Option<String>,
    /// The segment or subsegment that it happened in.
    pub segment_id: Option<String>,
    /// How many occurrences the sender made one of; 1 mostly.
    pub count: u64,
    /// How many bytes of JSON it came in.
    pub bytes: usize,
    /// All of `data`, as it was sent but for `$remote_ip`.
    pub data: Value,
}

/// What an occurrence did to its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It made it.
    New,
    /// It reactivated it: it had been resolved.
    Reactivated,
    /// It is one more.
    Again,
}

/// A place in the code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file, as it was sent.
    pub file: String,
    /// The line, counted from 1.
    pub line: Option<u64>,
    /// The function.
    pub method: Option<String>,
    /// The line itself.
    pub code: Option<String>,
}
