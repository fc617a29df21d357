//! Real traces as they are drawn.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "each test binary uses its part")]
mod support;

use support::{assert_snapshot, finish, golden, vector_traces};
use xray_console::{Format, View};

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
