//! What holds of the double for any request.

use std::time::SystemTime;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;
use xray_console::rollbar::{
    Double, Event, Mode, Request, Settings, fingerprint, rust_fingerprint, title, violations,
};
use xray_console::{Format, View};

use crate::support::scalar;

/// Any JSON, with the names of an item's fields often.
fn value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("data"),
        Just("environment"),
        Just("body"),
        Just("trace"),
        Just("trace_chain"),
        Just("message"),
        Just("frames"),
        Just("exception"),
        Just("class"),
        Just("filename"),
        Just("method"),
        Just("telemetry"),
        Just("person"),
        Just("id"),
        Just("level"),
        Just("custom"),
        Just("request"),
        Just("user_ip"),
        Just("server"),
        Just("root"),
        Just("uuid"),
        Just("title"),
        Just("crash_report"),
        Just("raw"),
        Just("notifier"),
    ];
    let leaf = prop_oneof![
        5 => scalar(),
        1 => Just(json!("$remote_ip")),
        1 => Just(json!("error")),
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        let entries = proptest::collection::vec((key.clone(), inner.clone()), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            entries.prop_map(|entries| {
                Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

/// An item that is valid but for the texts that it is full of.
fn item() -> impl Strategy<Value = Value> {
    (any::<String>(), "\\PC{0,30}", value(), any::<u64>()).prop_map(|(wild, text, extra, number)| {
        json!({
            "environment": text, "level": "error", "title": extra, "context": wild, "timestamp": number,
            "custom": { "trace_id": wild, "segment_id": wild }, "code_version": text, "server": { "root": text },
            "person": { "id": wild }, "request": { "method": wild, "url": wild }, "language": "rust",
            "body": { "trace_chain": [
                { "frames": [{ "filename": wild, "lineno": number, "method": text, "code": wild }],
                  "exception": { "class": wild, "message": wild } },
                { "frames": [], "exception": { "class": text, "description": wild } },
            ] },
        })
    })
}

fn send(double: &Double, body: &[u8], headers: &[(&str, &str)]) -> xray_console::rollbar::Answer {
    double.answer(&Request { headers, body, ..Request::new("POST", "/api/1/item/", SystemTime::UNIX_EPOCH) })
}

const TOKEN: (&str, &str) = ("x-rollbar-access-token", "t");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_panic_it(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        kind in prop_oneof![Just("application/json"), Just("application/x-www-form-urlencoded"), Just("é")],
        encoding in prop_oneof![Just("identity"), Just("gzip"), Just("br")],
        path in "/api/1/[a-z_/0-9]{0,20}",
        method in prop_oneof![Just("GET"), Just("POST"), Just("PATCH"), Just("DELETE")],
    ) {
        let double = Double::new(Settings::default());
        let headers = [TOKEN, ("content-type", kind), ("content-encoding", encoding)];
        let request = Request { headers: &headers, body: &body, query: "page=0", ..Request::new(method, &path, SystemTime::UNIX_EPOCH) };
        let answer = double.answer(&request);
        prop_assert!((200..500).contains(&answer.status));
    }

    #[test]
    fn strict_refuses_what_breaks_a_rule_and_nothing_else(data in value()) {
        let payload = json!({ "data": data });
        let broken = violations(&payload);
        let mut settings = Settings::default();
        settings.mode = Mode::Strict;
        let answer = send(&Double::new(settings), payload.to_string().as_bytes(), &[TOKEN]);
        prop_assert_eq!(answer.status, if broken.is_empty() { 200 } else { 422 });
        if let Some(first) = broken.first() {
            prop_assert_eq!(&*answer.reason, &*first.reason);
        }
        let lenient = send(&Double::new(Settings::default()), payload.to_string().as_bytes(), &[TOKEN]);
        prop_assert_eq!(lenient.status == 200, !broken.iter().any(|broken| broken.is_refused(Mode::Lenient)));
        // Whatever it is, it has a fingerprint and a title.
        prop_assert!(!fingerprint(&data).is_empty() && !rust_fingerprint(&data).is_empty());
        prop_assert!(title(&data).chars().count() <= 255);
    }

    #[test]
    fn what_is_shown_fits_and_obeys_nobody(data in item(), width in 0usize..300, ascii: bool) {
        let double = Double::new(Settings::default());
        let answer = send(&double, json!({ "data": data }).to_string().as_bytes(), &[TOKEN]);
        if let Some(Event::Occurrence(occurrence)) = answer.event {
            let view = View::new().width(width).ascii(ascii);
            let drawn = occurrence.drawing(view);
            for line in drawn.lines() {
                prop_assert!(line.width() <= width.clamp(80, 240), "{line}");
            }
            let line = occurrence.line(Format::Human, view);
            prop_assert!(!drawn.chars().chain(line.chars()).any(|c| c.is_control() && c != '\n'), "{drawn:?}");
            prop_assert!(!line.contains('\n') && (!ascii || drawn.is_ascii()));
        }
    }

    #[test]
    fn every_accepted_item_is_kept_discarded_or_evicted(texts in proptest::collection::vec((0u8..12, 0u8..20), 1..60)) {
        let mut settings = Settings::default();
        (settings.max_items, settings.max_occurrences) = (4, 9);
        let double = Double::new(settings);
        for (text, uuid) in &texts {
            let data = json!({ "environment": "e", "uuid": format!("u{uuid}"), "body": { "message": { "body": format!("{}", char::from(b'g' + text)) } } });
            prop_assert_eq!(send(&double, json!({ "data": data }).to_string().as_bytes(), &[TOKEN]).status, 200);
        }
        let (stats, kept) = (double.stats(), double.occurrences(100));
        prop_assert_eq!(stats.occurrences + stats.duplicates, texts.len() as u64);
        prop_assert_eq!(kept.len() as u64 + stats.evicted_occurrences, stats.occurrences);
        prop_assert!(kept.len() <= 9 && double.items().len() <= 4);
        prop_assert!(kept.is_sorted_by_key(|occurrence| std::cmp::Reverse(occurrence.id)));
    }
}

#[test]
fn a_hostile_size_takes_no_time() {
    // Each is made for whoever looks at it twice.
    let size = 200_000;
    let texts = [
        "1".repeat(size),
        "a".repeat(size),
        "{{closure}}".repeat(size / 11),
        "::<a>".repeat(size / 5),
        "<".repeat(size),
    ];
    for text in texts {
        let mut data = Map::new();
        data.insert("environment".into(), "e".into());
        let frame = json!({ "filename": text, "method": null });
        data.insert("body".into(), json!({ "trace": { "frames": [frame], "exception": { "class": "c" } } }));
        let file = rust_fingerprint(&Value::Object(data));
        let method = json!({ "filename": "a.rs", "method": text });
        let method =
            rust_fingerprint(&json!({ "body": { "trace": { "frames": [method], "exception": {} } } }));
        let message = rust_fingerprint(&json!({ "body": { "message": { "body": text } } }));
        assert!([file, method, message].iter().all(|fingerprint| fingerprint.len() == 40));
    }
}
