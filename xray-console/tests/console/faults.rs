//! Hostile and broken documents: none panics, none reaches the terminal, none grows without bound.

use std::fmt::Write as _;
use std::sync::Arc;

use xray_console::{
    Document, DocumentError, Format, MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ENTITIES, Trace, View,
};

use crate::support::{finish, trace};

fn parse(text: &str) -> Result<Document, DocumentError> {
    Document::parse(text.as_bytes())
}

fn drawn(texts: &[&str]) -> String {
    let documents = texts.iter().map(|text| parse(text).unwrap()).collect();
    finish(documents).waterfall(View::new().width(100))
}

#[test]
fn what_is_no_document_says_why() {
    assert!(matches!(parse(""), Err(DocumentError::NotJson { .. })));
    assert!(matches!(parse("[\"id\",\"trace\"]"), Err(DocumentError::NotJson { .. })));
    assert!(matches!(parse("{\"id\":\"a\",\"trace_id\":\"t\"} {}"), Err(DocumentError::NotJson { .. })));
    assert!(matches!(Document::parse(b"{\"id\":\"\xff\"}"), Err(DocumentError::NotUtf8 { at: 7 })));
    assert_eq!(parse("{\"id\":\"a\"}").unwrap_err(), DocumentError::Missing { field: "trace_id" });
    assert_eq!(parse("{\"id\":7,\"trace_id\":\"t\"}").unwrap_err(), DocumentError::Missing { field: "id" });
    assert_eq!(
        parse("{\"id\":\" \",\"trace_id\":\"t\"}").unwrap_err(),
        DocumentError::Missing { field: "id" }
    );
    // The Python SDK writes these, and JSON has none of them.
    let error = parse("{\"id\":\"a\",\"trace_id\":\"t\",\"start_time\":NaN}").unwrap_err();
    assert!(error.to_string().contains("column"), "{error}");
    let large = format!("{{\"id\":\"{}\"}}", "x".repeat(MAX_DOCUMENT_BYTES));
    assert_eq!(parse(&large).unwrap_err(), DocumentError::TooLarge { bytes: large.len() });
}

#[test]
fn wrong_types_cost_the_field_only() {
    let text = r#"{"id":"a","trace_id":"t","name":5,"start_time":"now","end_time":1,"fault":"yes","http":[1],"sql":3,
        "aws":"x","cause":[],"user":{},"annotations":[1],"metadata":"m","subsegments":{"a":1},"namespace":7,"type":9}"#;
    let document = parse(text).unwrap();
    assert_eq!((document.entities(), document.name()), (1, ""));
    let drawn = drawn(&[text]);
    assert!(drawn.contains("(no name)"), "{drawn}");
    assert!(!trace(&[text]).has_problem());
}

#[test]
fn numbers_may_be_integers_or_floats() {
    let shown =
        trace(&[r#"{"id":"a","trace_id":"t","name":"n","start_time":1579893132,"end_time":1.5798931325e9}"#]);
    assert_eq!(shown.seconds(), 0.5);
}

#[test]
fn nesting_is_bounded_without_recursion() {
    let nested = |levels: usize| {
        let mut text = String::from(r#"{"id":"a","trace_id":"t""#);
        text.push_str(&r#","subsegments":[{"id":"b""#.repeat(levels));
        text.push_str(&"}]".repeat(levels));
        text.push('}');
        text
    };
    assert_eq!(parse(&nested(MAX_DEPTH)).unwrap().entities(), MAX_DEPTH + 1);
    assert_eq!(parse(&nested(MAX_DEPTH + 1)).unwrap_err(), DocumentError::TooDeep);
    // 10,000 levels that are somebody's metadata are shown, cut.
    let deep = format!(
        r#"{{"id":"a","trace_id":"t","metadata":{{"n":{{"k":{}{}}}}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    assert!(drawn(&[&deep]).contains("metadata: n.k = [[["));
    let http = format!(r#"{{"id":"a","trace_id":"t","http":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(parse(&http).unwrap().entities(), 1);
}

#[test]
fn a_document_of_empty_subsegments_is_refused() {
    let text = format!(r#"{{"id":"a","trace_id":"t","subsegments":[{}{{}}]}}"#, "{},".repeat(MAX_ENTITIES));
    assert_eq!(parse(&text).unwrap_err(), DocumentError::TooMany);
}

#[test]
fn ten_thousand_streamed_subsegments_in_a_chain_and_side_by_side() {
    let root = r#"{"id":"0","trace_id":"t","name":"root","start_time":1,"end_time":2}"#;
    for chain in [true, false] {
        let mut documents = vec![Arc::new(parse(root).unwrap())];
        for id in 1..=10_000 {
            let parent = if chain { id - 1 } else { 0 };
            let name = if chain { "step".to_owned() } else { format!("step {id}") };
            let text = format!(
                r#"{{"id":"{id}","trace_id":"t","type":"subsegment","parent_id":"{parent}","name":"{name}","start_time":1,"end_time":2}}"#
            );
            documents.push(Arc::new(parse(&text).unwrap()));
        }
        let shown = Trace::of(documents).unwrap();
        assert_eq!(shown.entities(), 10_001);
        assert!(shown.is_closed());
        let drawn = finish_trace(shown);
        assert_eq!(drawn.lines().count(), 502, "header, 500 rows, the rest counted");
        assert!(drawn.ends_with(" and 9501 more\n"), "{drawn}");
        if chain {
            assert!(drawn.lines().nth(500).unwrap().starts_with(" 487> "), "{drawn}");
        }
    }
}

fn finish_trace(trace: Trace) -> String {
    let view = View::new().width(100);
    let drawn = trace.waterfall(view);
    for line in drawn.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    drawn
}

#[test]
fn equal_siblings_share_a_row() {
    let calls = |count: usize| {
        let mut text = String::from(
            r#"{"id":"a","trace_id":"t","name":"root","start_time":1,"end_time":2,"subsegments":["#,
        );
        for id in 0..count {
            let comma = if id == 0 { "" } else { "," };
            write!(text, r#"{comma}{{"id":"c{id}","name":"db","namespace":"remote","start_time":1.{id:03},"end_time":1.{:03},"sql":{{"sanitized_query":"SELECT 1"}}}}"#, id + 10).unwrap();
        }
        text.push_str("]}");
        text
    };
    assert_eq!(drawn(&[&calls(4)]).matches("db SELECT 1").count(), 4);
    let collapsed = drawn(&[&calls(37)]);
    assert!(collapsed.contains("└ ×37 db SELECT 1 N+1?"), "{collapsed}");
    assert!(collapsed.contains(" 370ms "), "the sum of all: {collapsed}");
}

#[test]
fn the_completed_document_counts_whatever_the_order() {
    let open = r#"{"id":"a","trace_id":"t","name":"api","start_time":1,"in_progress":true,"subsegments":[{"id":"b","name":"step","start_time":1.1,"in_progress":true}]}"#;
    let closed = r#"{"id":"a","trace_id":"t","name":"api","start_time":1,"end_time":3,"subsegments":[{"id":"b","name":"step","start_time":1.1,"end_time":2}]}"#;
    for order in [[open, closed], [closed, open]] {
        let shown = trace(&order);
        assert_eq!((shown.entities(), shown.is_closed(), shown.seconds()), (2, true, 2.0));
    }
    assert!(!trace(&[open]).is_closed());
    let later = closed.replace("\"end_time\":3", "\"end_time\":4");
    assert_eq!(trace(&[closed, &later]).seconds(), 3.0);
    // The same datagram twice is the same trace.
    assert_eq!(drawn(&[closed, closed]), drawn(&[closed]));
}

#[test]
fn nameless_children_of_a_document_sent_twice_are_not_doubled() {
    let text =
        r#"{"id":"a","trace_id":"t","start_time":1,"end_time":2,"subsegments":[{"name":"x"},{"name":"x"}]}"#;
    assert_eq!(trace(&[text, text]).entities(), 3);
}

#[test]
fn parents_in_a_circle_are_shown_once_each() {
    let a = r#"{"id":"a","trace_id":"t","name":"first","parent_id":"b","start_time":1,"end_time":2}"#;
    let b = r#"{"id":"b","trace_id":"t","name":"second","parent_id":"a","start_time":1,"end_time":2}"#;
    let own = r#"{"id":"c","trace_id":"t","name":"third","parent_id":"c","start_time":1,"end_time":2}"#;
    let below = r#"{"id":"d","trace_id":"t","name":"fourth","type":"subsegment","parent_id":"b","start_time":1,"end_time":2}"#;
    let nested =
        r#"{"id":"e","trace_id":"t","name":"fifth","subsegments":[{"id":"e","name":"fifth","end_time":1}]}"#;
    let drawn = drawn(&[below, a, b, own, nested]);
    for name in ["first", "second", "third", "fourth", "fifth"] {
        assert_eq!(drawn.matches(name).count(), 1, "{name}: {drawn}");
    }
    assert!(drawn.contains("has not been received"), "{drawn}");
}

#[test]
fn a_streamed_subsegment_without_its_parent_says_so() {
    let orphan = r#"{"id":"b","trace_id":"t","type":"subsegment","parent_id":"lost","name":"step","start_time":1,"end_time":2}"#;
    let shown = trace(&[orphan]);
    assert!(!shown.is_closed(), "its segment is still to come");
    let drawn = drawn(&[orphan]);
    assert!(drawn.contains("1 without their parent"), "{drawn}");
    assert!(drawn.contains("parent: lost has not been received"), "{drawn}");
}

#[test]
fn broken_clocks_are_marked_and_do_not_stretch_the_trace() {
    let text = r#"{"id":"a","trace_id":"t","name":"api","start_time":1000000,"end_time":1000001,"subsegments":[
        {"id":"b","name":"early","start_time":999999.9,"end_time":1000000.5},
        {"id":"c","name":"ancient","start_time":0,"end_time":1},
        {"id":"d","name":"future","start_time":250000000000,"end_time":250000000001},
        {"id":"e","name":"millis","start_time":1579893132000,"end_time":1579893133000},
        {"id":"f","name":"backwards","start_time":1000000.9,"end_time":1000000.1},
        {"id":"g","name":"timeless"}]}"#;
    let shown = trace(&[text]);
    assert!((shown.seconds() - 1.1).abs() < 1e-6, "{}", shown.seconds());
    let drawn = drawn(&[text]);
    let line = |name: &str| {
        drawn.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {drawn}"))
    };
    for skewed in ["early", "ancient", "future"] {
        assert!(line(skewed).ends_with('⏱'), "{drawn}");
    }
    assert!(line("backwards").contains(" 0µs "), "{drawn}");
    assert!(line("timeless").contains(" open "), "{drawn}");
}

#[test]
fn no_escape_reaches_the_terminal() {
    let evil = "\\u001b]0;owned\\u0007\\u001b[2J\\u009b31m\\u202e\\r\\n";
    let text = format!(
        r#"{{"id":"{evil}a","trace_id":"t{evil}","name":"n{evil}","start_time":1,"end_time":2,"fault":true,"user":"{evil}",
        "parent_id":"{evil}","http":{{"request":{{"method":"{evil}","url":"http://h/{evil}"}}}},
        "cause":{{"exceptions":[{{"type":"{evil}","message":"{evil}","stack":[{{"path":"{evil}","line":1,"label":"{evil}"}}]}}]}},
        "annotations":{{"{evil}":"{evil}"}},"metadata":{{"{evil}":{{"{evil}":"{evil}"}}}},
        "subsegments":[{{"id":"b","name":"q","sql":{{"sanitized_query":"{evil}"}}}},{{"id":"c","aws":{{"operation":"{evil}"}}}}]}}"#
    );
    let finished = finish(vec![parse(&text).unwrap()]);
    for ascii in [false, true] {
        let view = View::new().ascii(ascii);
        let mut all = finished.waterfall(view);
        for format in [Format::Human, Format::Json, Format::Logfmt] {
            let line = finished.line(format, view);
            assert!(!line.contains('\n'), "{line:?}");
            all.push_str(&line);
        }
        let bad = all.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(bad, None, "{all:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&finished.line(Format::Json, View::new())).unwrap();
    assert!(json["name"].as_str().unwrap().contains("\u{1b}]0;owned"), "JSON keeps what was sent, escaped");
}

#[test]
fn memory_is_told_honestly_and_is_no_multiple_of_the_document() {
    let one = parse(r#"{"id":"a","trace_id":"t"}"#).unwrap().bytes();
    let entries: Vec<String> = (0..2_000).map(|key| format!(r#""{key}":1"#)).collect();
    let text = format!(
        r#"{{"id":"a","trace_id":"t","metadata":{{"{}":{{{}}}}}}}"#,
        "n".repeat(30_000),
        entries.join(",")
    );
    let bytes = parse(&text).unwrap().bytes();
    assert!(bytes > one + text.len() + 2_000 * 48, "each entry counts: {bytes}");
    let exceptions =
        format!(r#"{{"id":"a","trace_id":"t","cause":{{"exceptions":[{}{{}}]}}}}"#, "{},".repeat(10_000));
    assert!(drawn(&[&exceptions]).lines().count() <= 12);
}

#[test]
fn ten_thousand_causes_that_refer_to_nothing_are_read_in_no_time() {
    let mut documents = Vec::new();
    for id in 0..10_000 {
        let text = format!(r#"{{"id":"{id}","trace_id":"t","fault":true,"cause":"lost{id}"}}"#);
        documents.push(Arc::new(parse(&text).unwrap()));
    }
    let shown = Trace::of(documents).unwrap();
    assert!(shown.line(Format::Logfmt, View::new()).contains("problem=fault"));
}
