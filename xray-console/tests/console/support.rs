//! Shared by the tests of this folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Value, json};
use xray_console::{Assembler, Document, FinishedTrace, Limits, Trace};

/// A file of this crate's `tests` folder.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The documents of a JSON list, as a daemon receives them.
pub(crate) fn documents(list: &serde_json::Value) -> Vec<Document> {
    list.as_array()
        .expect("a list of documents")
        .iter()
        .map(|document| Document::parse(document.to_string().as_bytes()).expect("a real document"))
        .collect()
}

/// The documents of a golden file.
pub(crate) fn golden(name: &str) -> Vec<Document> {
    let file = path("data/golden").join(format!("{name}.json"));
    let text = std::fs::read(file).expect("golden file");
    documents(&serde_json::from_slice::<serde_json::Value>(&text).expect("JSON")["documents"])
}

/// The traces of `data/traces.json` with their labels.
pub(crate) fn vector_traces() -> Vec<(String, Vec<Document>)> {
    let text = std::fs::read(path("data/traces.json")).expect("traces.json");
    let value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let traces = value["traces"].as_array().expect("traces");
    traces
        .iter()
        .map(|trace| (trace["label"].as_str().expect("label").to_owned(), documents(&trace["documents"])))
        .collect()
}

/// What is shown once all of these have come.
pub(crate) fn finish(documents: Vec<Document>) -> FinishedTrace {
    let mut assembler = Assembler::new(Limits::default());
    let now = Instant::now();
    for document in documents {
        assembler.add(document, now);
    }
    let mut all = assembler.drain();
    assert_eq!(all.len(), 1, "one trace");
    all.remove(0)
}

/// The tree of documents given as JSON text.
pub(crate) fn trace(texts: &[&str]) -> Trace {
    let parse = |text: &&str| Arc::new(Document::parse(text.as_bytes()).expect("a document"));
    Trace::of(texts.iter().map(parse).collect()).expect("a trace")
}

/// Compares with the file of this name in `tests/snapshots`; `UPDATE_SNAPSHOTS=1` rewrites it.
pub(crate) fn assert_snapshot(name: &str, actual: &str) {
    let file = path("snapshots").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, actual).expect("snapshot written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        expected == actual,
        "{name} differs (UPDATE_SNAPSHOTS=1 rewrites it)\n--- expected\n{expected}\n--- got\n{actual}"
    );
}

/// Any JSON without anything in it.
pub(crate) fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::from),
    ]
}
