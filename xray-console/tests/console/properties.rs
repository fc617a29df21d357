//! What holds for any input.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;
use xray_console::{Assembler, Document, Format, Limits, Trace, View};

/// Documents with few ids, so that duplicates, orphans and circles are frequent, and with any text and times.
fn document() -> impl Strategy<Value = String> {
    let id = || "[a-e]";
    let time = prop_oneof![Just(None), any::<f64>().prop_map(Some), (1e9..1.0001e9).prop_map(Some)];
    let text = prop_oneof!["\\PC{0,20}", any::<String>()];
    let fields =
        (id(), proptest::option::of(id()), any::<bool>(), text, time.clone(), time, any::<[bool; 4]>());
    let nested = proptest::collection::vec((proptest::option::of(id()), any::<String>()), 0..7);
    (fields, nested).prop_map(|((id, parent, streamed, text, start, end, flags), nested)| {
        let children: Vec<_> = nested
            .into_iter()
            .map(|(id, name)| serde_json::json!({"id": id, "name": name, "start_time": start, "end_time": end}))
            .collect();
        serde_json::json!({
            "trace_id": "t", "id": id, "parent_id": parent, "type": if streamed { "subsegment" } else { "segment" },
            "name": text, "start_time": start, "end_time": end, "in_progress": flags[0], "fault": flags[1],
            "namespace": if flags[2] { "remote" } else { "local" }, "user": text,
            "http": {"request": {"method": text, "url": text}, "response": {"status": if flags[3] { 503 } else { 200 }}},
            "cause": {"exceptions": [{"type": text, "message": text, "stack": [{"path": text, "line": 1}]}]},
            "annotations": {"a": text}, "metadata": {"m": {"k": text}}, "subsegments": children,
        })
        .to_string()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parsing_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Document::parse(&bytes);
    }

    #[test]
    fn parsing_damaged_documents_never_panics(text in document(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(document) = Document::parse(&bytes) {
            let _ = Trace::of(vec![Arc::new(document)]).map(|trace| trace.waterfall(View::new()));
        }
    }

    #[test]
    fn lines_fit_and_obey_nobody(texts in proptest::collection::vec(document(), 1..12), width in 0usize..300, ascii: bool) {
        let documents: Vec<_> = texts.iter().map(|text| Arc::new(Document::parse(text.as_bytes()).unwrap())).collect();
        let trace = Trace::of(documents).unwrap();
        let view = View::new().width(width).ascii(ascii);
        let drawn = trace.waterfall(view);
        for line in drawn.lines() {
            prop_assert!(line.width() <= width.clamp(80, 240), "{} columns: {line}", line.width());
        }
        for text in [drawn, trace.line(Format::Human, view), trace.line(Format::Json, view), trace.line(Format::Logfmt, view)] {
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
            prop_assert!(!ascii || !text.contains("▕"));
        }
        prop_assert!(!ascii || trace.waterfall(view).is_ascii());
        let json = trace.line(Format::Json, view);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
        let drawn_rows = trace.waterfall(View::new().color(true));
        prop_assert_eq!(drawn_rows.matches("\x1b[0m").count() * 2, drawn_rows.matches('\x1b').count());
    }

    #[test]
    fn the_assembler_accounts_for_every_document(
        texts in proptest::collection::vec((0u8..20, document(), 0u64..700), 1..60),
        traces in 1usize..8,
    ) {
        let mut limits = Limits::default();
        limits.traces = traces;
        let mut assembler = Assembler::new(limits);
        let mut now = Instant::now();
        let mut seen = 0;
        for (trace, text, wait) in &texts {
            let text = text.replacen("\"t\"", &format!("\"t{trace}\""), 1);
            now += Duration::from_millis(*wait);
            assembler.add(Document::parse(text.as_bytes()).unwrap(), now);
            while assembler.next_finished(now).is_some() {
                seen += 1;
            }
            prop_assert!(assembler.next_due().is_none_or(|due| due > now));
        }
        seen += assembler.drain().len() as u64;
        prop_assert!(assembler.drain().is_empty());
        let stats = assembler.stats();
        prop_assert_eq!(stats.documents, texts.len() as u64);
        prop_assert_eq!(stats.traces + stats.updates, seen);
        prop_assert!(stats.traces as usize <= texts.len());
    }
}
