//! One occurrence of an item, as much of it as is shown, with all that was sent.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::grouping::{first, message_of, rust_fingerprint, said, text_of, title, traces};
use super::rust_names::is_foreign;

/// The most characters of a text that is shown; all of it is in [`Occurrence::data`].
const MAX_SHOWN: usize = 1_000;

/// The most causes that are shown.
const MAX_CAUSES: usize = 32;

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
    /// What it did to its item.
    pub change: Change,
    /// Its uuid: the sender's, or one of ours.
    pub uuid: String,
    /// When it came.
    pub received: SystemTime,
    /// When it happened, in Unix seconds; when it came, where the sender does not say.
    pub timestamp: f64,
    /// Its own level. (That of the item is the first occurrence's.)
    pub level: String,
    /// The environment.
    pub environment: String,
    /// What it is grouped by.
    pub fingerprint: String,
    /// Its own title.
    pub title: String,
    /// The class of the exception that was caught; none of a message and a crash report.
    pub class: Option<String>,
    /// What the exception says, the message, or the first line of the crash report.
    pub message: String,
    /// Class and message of each cause, the nearest first.
    pub causes: Vec<(String, String)>,
    /// The user's line: the most recent frame that is no library's.
    pub user_frame: Option<Place>,
    /// The context: a route, mostly.
    pub context: Option<String>,
    /// The id of the person.
    pub person: Option<String>,
    /// Method and URL of the request.
    pub request: Option<String>,
    /// The version of the code.
    pub code_version: Option<String>,
    /// The X-Ray trace that it happened in: `custom.trace_id`, `custom.xray.trace_id` or the attribute `trace_id`.
    pub trace_id: Option<String>,
    /// The segment or subsegment that it happened in, from the same places.
    pub segment_id: Option<String>,
    /// How many occurrences the sender made one of: 1 and `notifier.diagnostic.coalesced`.
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

impl Occurrence {
    /// Reads what is shown from the `data` of an item that was accepted. Its numbers come from the store.
    pub(super) fn read(mut data: Value, bytes: usize, remote: Option<IpAddr>, now: SystemTime) -> Self {
        place_remote_ip(&mut data, remote);
        let body = &data["body"];
        let links = traces(body);
        let exception = links.first().map_or(&Value::Null, |trace| &trace["exception"]);
        let received = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let cause = |trace: &Value| {
            let exception = &trace["exception"];
            (shown(&exception["class"]).unwrap_or_default(), first(said(exception), MAX_SHOWN))
        };
        let uuid = data["uuid"].as_str().filter(|uuid| !uuid.is_empty());
        Self {
            id: 0,
            item_id: 0,
            counter: 0,
            change: Change::New,
            uuid: uuid
                .map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), |uuid| first(uuid, MAX_SHOWN)),
            received: now,
            timestamp: data["timestamp"].as_f64().unwrap_or(received),
            level: shown(&data["level"]).unwrap_or_else(|| default_level(body).to_owned()),
            environment: shown(&data["environment"]).unwrap_or_default(),
            fingerprint: rust_fingerprint(&data),
            title: title(&data),
            class: (!links.is_empty()).then(|| shown(&exception["class"]).unwrap_or_default()),
            message: first(message_of(body).unwrap_or_else(|| said(exception)), MAX_SHOWN),
            causes: links.iter().skip(1).take(MAX_CAUSES).map(cause).collect(),
            user_frame: user_frame(links),
            context: shown(&data["context"]),
            person: shown(&data["person"]["id"]),
            request: request(&data["request"]),
            code_version: shown(&data["code_version"]),
            trace_id: trace_fact(&data, "trace_id"),
            segment_id: trace_fact(&data, "segment_id"),
            count: data["notifier"]["diagnostic"]["coalesced"].as_u64().unwrap_or(0).saturating_add(1),
            bytes,
            data,
        }
    }
}

/// Puts the sender's address where the item leaves that to Rollbar.
fn place_remote_ip(data: &mut Value, remote: Option<IpAddr>) {
    let ip = data.get_mut("request").and_then(|request| request.get_mut("user_ip"));
    if let (Some(ip), Some(remote)) = (ip, remote)
        && *ip == "$remote_ip"
    {
        *ip = remote.to_string().into();
    }
}

/// What Rollbar assumes: error, but info for messages.
fn default_level(body: &Value) -> &'static str {
    if body.get("message").is_some() { "info" } else { "error" }
}

/// A text as it is shown; a number, which many SDKs send for an id, too.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(first(text, MAX_SHOWN)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The most recent frame of the outermost trace that has one of the user's, else the most recent frame of all.
fn user_frame(links: &[Value]) -> Option<Place> {
    let all = || links.iter().filter_map(|trace| trace["frames"].as_array());
    let own = all().find_map(|frames| frames.iter().rev().find(|frame| !is_foreign(frame)));
    let frame = own.or_else(|| all().find_map(|frames| frames.last()))?;
    let file = shown(&frame["filename"]).filter(|file| !file.is_empty())?;
    let code = shown(&frame["code"]).map(|code| code.trim().to_owned()).filter(|code| !code.is_empty());
    Some(Place { file, line: frame["lineno"].as_u64(), method: shown(&frame["method"]), code })
}

fn request(request: &Value) -> Option<String> {
    let parts = [shown(&request["method"]), shown(&request["url"])];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn trace_fact(data: &Value, key: &str) -> Option<String> {
    let custom = &data["custom"];
    let attribute = || {
        let attributes = data["attributes"].as_array()?;
        shown(&attributes.iter().find(|attribute| text_of(&attribute["key"]) == key)?["value"])
    };
    shown(&custom[key]).or_else(|| shown(&custom["xray"][key])).or_else(attribute).filter(|id| !id.is_empty())
}
