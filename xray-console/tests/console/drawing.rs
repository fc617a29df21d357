//! Real traces as they are drawn.

use xray_console::{Document, Format, View};

use crate::support::{assert_snapshot, finish, golden, vector_traces};

#[test]
fn waterfalls_of_the_vector_traces() {
    for (name, view) in [
        ("waterfalls", View::new().width(110)),
        ("waterfalls_80", View::new().width(80)),
        ("waterfalls_ascii", View::new().width(110).ascii(true)),
        ("waterfalls_color", View::new().width(110).color(true)),
    ] {
        let drawn: Vec<String> =
            vector_traces().into_iter().map(|(_, documents)| finish(documents).waterfall(view)).collect();
        assert_snapshot(name, &drawn.join("\n"));
    }
}

#[test]
fn waterfalls_of_golden_requests() {
    for name in [
        "02_notifications",
        "23_status_429",
        "30_exception_500",
        "32_exception_through_two_captures",
        "34_exception_caught_200",
        "40_downstream_requests",
        "44_downstream_refused",
        "50_sqlite",
        "52_boto_dynamodb",
        "71_big_31",
        "73_big_150_nested",
        "82_names",
    ] {
        assert_snapshot(&format!("golden_{name}"), &finish(golden(name)).waterfall(View::new().width(100)));
    }
}

/// The SDK for Python writes numbers that JSON does not have.
const NOT_JSON: [&str; 2] = ["80_annotations", "81_metadata_user"];

#[test]
fn every_golden_document_is_read_and_drawn() {
    let mut drawn = 0;
    for file in std::fs::read_dir(crate::support::path("data/golden")).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let Ok(case) = serde_json::from_str::<serde_json::Value>(&text) else {
            assert!(NOT_JSON.contains(&name), "{name}");
            continue;
        };
        if case["documents"].as_array().unwrap().is_empty() {
            continue;
        }
        let finished = finish(crate::support::documents(&case["documents"]));
        assert!(finished.trace.is_closed(), "{name}");
        for width in [80, 240] {
            let waterfall = finished.waterfall(View::new().width(width));
            assert!(waterfall.lines().count() > 1, "{name}");
            assert!(waterfall.lines().all(|line| line.chars().count() <= width), "{name}: {waterfall}");
        }
        assert_eq!(finished.line(Format::Human, View::new()).lines().count(), 1, "{name}");
        drawn += 1;
    }
    assert!(drawn > 45, "{drawn}");
}

#[test]
fn lines_in_every_format() {
    let formats = [
        ("lines_human", Format::Human, View::new()),
        ("lines_human_ascii", Format::Human, View::new().ascii(true)),
        ("lines_human_color", Format::Human, View::new().color(true)),
        ("lines_json", Format::Json, View::new()),
        ("lines_logfmt", Format::Logfmt, View::new()),
    ];
    for (name, format, view) in formats {
        let mut lines = String::new();
        for (_, documents) in vector_traces() {
            lines.push_str(&finish(documents).line(format, view));
            lines.push('\n');
        }
        assert_snapshot(name, &lines);
    }
}

#[test]
fn a_line_of_json_is_json_that_tells_the_request() {
    let (_, documents) = vector_traces().swap_remove(11);
    let line = finish(documents).line(Format::Json, View::new());
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["trace_id"], "1-5e2b4150-00000000000000000000000c");
    assert_eq!(value["time"], "2020-01-24T19:23:12.000Z");
    assert_eq!((&value["status"], &value["method"]), (&500.into(), &"GET".into()));
    assert_eq!(value["problem"]["type"], "UpstreamError");
    assert_eq!(value["problem"]["at"], "src/handlers.rs:42");
    assert_eq!(value["duration_ms"], 3200.0);
}

#[test]
fn a_call_and_the_segment_it_led_to_share_a_row() {
    let caller = r#"{"trace_id":"t","id":"a","name":"cruddur","start_time":1579893132,"end_time":1579893132.2,
        "http":{"request":{"method":"GET","url":"http://localhost/api/recommendations"},"response":{"status":502}},
        "fault":true,"subsegments":[{"id":"b","name":"127.0.0.1","namespace":"remote","start_time":1579893132.05,
        "end_time":1579893132.15,"http":{"request":{"method":"get","url":"http://127.0.0.1:4568/rank"}}}]}"#;
    let called = r#"{"trace_id":"t","id":"c","parent_id":"b","name":"recommendations","start_time":1579893132.06,
        "end_time":1579893132.14,"fault":true,"http":{"response":{"status":500}},"annotations":{"model":"rank-v2"},
        "cause":{"exceptions":[{"id":"e","type":"RankError","message":"no model","stack":[{"path":"src/rank.rs","line":7,"label":"rank"}]}]},
        "subsegments":[{"id":"d","name":"load_model","start_time":1579893132.07,"end_time":1579893132.1}]}"#;
    let worker = r#"{"trace_id":"t","id":"f","parent_id":"a","name":"worker","start_time":1579893132.19,"in_progress":true}"#;
    let documents = [caller, called, worker].map(|text| Document::parse(text.as_bytes()).unwrap());
    let finished = finish(documents.to_vec());
    let mut drawn = finished.waterfall(View::new().width(100));
    drawn.push_str(&finished.line(Format::Human, View::new()));
    drawn.push('\n');
    assert_snapshot("two_services", &drawn);
}

/// What issue 2 ends with.
#[test]
fn the_notifications_request_shows_its_subsegments_and_the_metadata() {
    let drawn = finish(golden("02_notifications")).waterfall(View::new().width(100));
    let lines: Vec<&str> = drawn.lines().collect();
    let line_of = |text: &str| {
        lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {drawn}"))
    };
    assert!(line_of("127.0.0.1:8765 GET /api/activities") < line_of("└ notifications-activities"));
    assert!(line_of("└ notifications-activities") < line_of("  └ mock_data"));
    let metadata = line_of("metadata: namespace.key = {");
    assert_eq!(metadata, line_of("  └ mock_data") + 1);
    assert!(lines[metadata].contains(r#""results-size":1"#), "{drawn}");
}
