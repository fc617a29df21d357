//! A note in place of an item that is too large.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What is kept of the item, where it is short.
const KEPT: [&str; 8] =
    ["environment", "level", "timestamp", "code_version", "platform", "language", "framework", "fingerprint"];

/// Bytes of a text that is kept.
const MAX_TEXT_BYTES: usize = 255;

/// The note's JSON and its uuid, which is a new one: the item's own was refused, and stands in the note.
pub(super) fn note(item: &Value, uuid: Uuid, host: Option<&str>) -> (Bytes, Uuid) {
    let note_uuid = Uuid::new_v4();
    let mut data = Map::new();
    for key in KEPT {
        let kept = &item["data"][key];
        if kept.is_number() || kept.as_str().is_some_and(|text| text.len() <= MAX_TEXT_BYTES) {
            data.insert(key.to_owned(), kept.clone());
        }
    }
    // Required, but a hook may have taken it away.
    data.entry("environment").or_insert_with(|| "unknown".into());
    let body = format!(
        "Failsafe from {}: an item was too large for Rollbar, however much of it was cut: {}",
        env!("CARGO_PKG_NAME"),
        subject(&item["data"]),
    );
    data.insert("body".to_owned(), json!({ "message": { "body": body } }));
    let host = host.or_else(|| item["data"]["server"]["host"].as_str());
    data.insert("custom".to_owned(), json!({ "orig_uuid": uuid.to_string(), "orig_host": host }));
    data.insert("uuid".to_owned(), note_uuid.to_string().into());
    data.insert("failsafe".to_owned(), true.into());
    data.insert("internal".to_owned(), true.into());
    let notifier = json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") });
    data.insert("notifier".to_owned(), notifier);
    let note = json!({ "data": data });
    // As `Display` has it, JSON without spaces; it cannot fail.
    (note.to_string().into(), note_uuid)
}

/// What the item was about, in short: its title, its error's class and text, or its message.
fn subject(data: &Value) -> String {
    let body = &data["body"];
    let text = |value: &Value| value.as_str().map(|text| xray_error::cut(text, MAX_TEXT_BYTES).to_owned());
    let exception = ["trace", "trace_chain"].into_iter().find_map(|kind| {
        let trace = if kind == "trace" { &body[kind] } else { &body[kind][0] };
        let class = text(&trace["exception"]["class"])?;
        Some(match text(&trace["exception"]["message"]) {
            Some(message) => format!("{class}: {message}"),
            None => class,
        })
    });
    text(&data["title"])
        .or(exception)
        .or_else(|| text(&body["message"]["body"]))
        .or_else(|| text(&body["crash_report"]["raw"]))
        .unwrap_or_else(|| "it has no text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note_of(item: &Value) -> Value {
        let (note, _) = note(item, Uuid::nil(), None);
        serde_json::from_slice(&note).unwrap()
    }

    #[test]
    fn a_note_says_which_item_it_stands_for() {
        let note = note_of(&json!({ "data": {
            "environment": "test", "level": "critical", "timestamp": 5.5, "uuid": "x", "code_version": "1.2",
            "server": { "host": "h1" }, "custom": { "large": "y".repeat(1000) },
            "body": { "trace_chain": [{ "frames": [], "exception": { "class": "a::B", "message": "no" } }] },
        } }));
        let data = &note["data"];
        assert_eq!(data["environment"], "test");
        assert_eq!(data["level"], "critical");
        assert_eq!(data["timestamp"], 5.5);
        assert_eq!(data["code_version"], "1.2");
        assert_eq!(data["failsafe"], true);
        assert_eq!(data["internal"], true);
        assert_eq!(data["custom"], json!({ "orig_uuid": Uuid::nil().to_string(), "orig_host": "h1" }));
        assert!(data["body"]["message"]["body"].as_str().unwrap().ends_with(": a::B: no"));
        assert_ne!(data["uuid"], json!(Uuid::nil().to_string()));
    }

    #[test]
    fn a_note_is_short_and_valid_whatever_the_item_is() {
        let long = "\u{1f600}".repeat(100_000);
        for item in [
            Value::Null,
            json!({ "data": { "environment": long, "title": long, "fingerprint": long, "level": 7 } }),
            json!({ "data": { "environment": "e", "body": { "message": { "body": long } } } }),
            json!({ "data": { "body": { "trace": { "exception": { "class": long, "message": long } } } } }),
        ] {
            let (bytes, uuid) = note(&item, Uuid::nil(), Some("h"));
            assert!(bytes.len() < 4096, "{}", bytes.len());
            let note: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(note["data"]["uuid"], json!(uuid.to_string()));
            assert!(note["data"]["environment"].is_string());
            assert!(note["data"]["body"]["message"]["body"].is_string());
        }
    }
}
