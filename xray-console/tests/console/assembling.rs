//! When a trace is finished.

use std::time::{Duration, Instant};

use xray_console::{Assembler, Document, Limits};

use crate::support::golden;

fn document(trace: &str, id: &str, rest: &str) -> Document {
    let text = format!(r#"{{"trace_id":"{trace}","id":"{id}","name":"n","start_time":1{rest}}}"#);
    Document::parse(text.as_bytes()).unwrap()
}

fn after(start: Instant, millis: u64) -> Instant {
    start + Duration::from_millis(millis)
}

const CLOSED: &str = r#","end_time":2"#;
const OPEN: &str = r#","in_progress":true"#;

#[test]
fn finished_is_closed_and_quiet_for_300_ms() {
    let start = Instant::now();
    let mut assembler = Assembler::new(Limits::default());
    assembler.add(document("t", "a", CLOSED), start);
    assert_eq!(assembler.next_due(), Some(after(start, 300)));
    assert!(assembler.next_finished(after(start, 299)).is_none());
    assembler.add(document("t", "b", CLOSED), after(start, 299));
    assert!(assembler.next_finished(after(start, 598)).is_none(), "the second one began a new wait");
    let finished = assembler.next_finished(after(start, 599)).unwrap();
    assert_eq!((finished.trace.entities(), finished.updated), (2, false));
    assert_eq!(assembler.next_due(), None);
    assert!(assembler.drain().is_empty());
}

#[test]
fn an_open_segment_is_waited_for_and_shown_when_it_stalls() {
    let start = Instant::now();
    let mut assembler = Assembler::new(Limits::default());
    assembler.add(document("t", "a", OPEN), start);
    assert!(assembler.next_finished(after(start, 9_999)).is_none());
    assert_eq!(assembler.next_due(), Some(after(start, 10_000)));
    let stalled = assembler.next_finished(after(start, 10_000)).unwrap();
    assert!(!stalled.trace.is_closed());
    assembler.add(document("t", "a", CLOSED), after(start, 11_000));
    let finished = assembler.next_finished(after(start, 11_300)).unwrap();
    assert!(finished.updated && finished.trace.is_closed());
    assert_eq!(finished.trace.entities(), 1);
}

#[test]
fn streamed_subsegments_wait_for_their_segment() {
    let start = Instant::now();
    let mut assembler = Assembler::new(Limits::default());
    let mut documents = golden("71_big_31");
    assert_eq!(documents.len(), 32);
    let segment = documents.pop().unwrap();
    for document in documents {
        assembler.add(document, start);
    }
    assert!(assembler.next_finished(after(start, 5_000)).is_none());
    assembler.add(segment, after(start, 5_000));
    let finished = assembler.next_finished(after(start, 5_300)).unwrap();
    assert_eq!(finished.trace.entities(), 32);
    assert!(finished.trace.is_closed());
}

#[test]
fn late_documents_show_the_trace_again() {
    let start = Instant::now();
    let mut assembler = Assembler::new(Limits::default());
    assembler.add(document("t", "a", CLOSED), start);
    assert!(!assembler.next_finished(after(start, 300)).unwrap().updated);
    assembler.add(document("t", "b", r#","parent_id":"a","end_time":2"#), after(start, 60_000));
    let again = assembler.next_finished(after(start, 60_300)).unwrap();
    assert!(again.updated);
    assert_eq!(again.trace.entities(), 2);
    let stats = assembler.stats();
    assert_eq!((stats.traces, stats.updates), (1, 1));
}

#[test]
fn room_is_made_by_what_was_shown_then_by_the_oldest() {
    let start = Instant::now();
    let mut limits = Limits::default();
    limits.traces = 2;
    let mut assembler = Assembler::new(limits);
    assembler.add(document("shown", "a", CLOSED), start);
    assert!(assembler.next_finished(after(start, 300)).is_some());
    assembler.add(document("old", "a", OPEN), after(start, 301));
    assembler.add(document("new", "a", OPEN), after(start, 302));
    assert_eq!(assembler.stats().evicted, 0, "the shown one made room");
    assembler.add(document("newest", "a", OPEN), after(start, 303));
    assert_eq!(assembler.stats().evicted, 1);
    let left: Vec<String> = assembler.drain().iter().map(|left| left.trace.id().to_owned()).collect();
    assert_eq!(left, ["new", "newest"]);
}

#[test]
fn memory_is_bounded_by_bytes() {
    let start = Instant::now();
    let mut limits = Limits::default();
    let one = document("t0", "a", OPEN).bytes();
    limits.bytes = one * 10;
    limits.trace_bytes = one * 3;
    let mut assembler = Assembler::new(limits);
    for id in 0..5 {
        assembler.add(document("large", &id.to_string(), OPEN), start);
    }
    assert!(assembler.stats().refused >= 2);
    for trace in 0..100 {
        assembler.add(document(&format!("t{trace}"), "a", OPEN), after(start, trace));
    }
    let stats = assembler.stats();
    let left = assembler.drain().len() as u64;
    assert!(left <= 10, "{left}");
    assert_eq!(stats.documents, 105);
    assert!(stats.evicted >= 105 - 10 - stats.refused, "{stats:?}");
}
