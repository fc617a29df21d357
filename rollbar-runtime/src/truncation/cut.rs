//! The ways to make a payload smaller. Each tells whether it changed anything.

use serde_json::{Map, Value};

use super::size::{self, MAX_DEPTH};
use crate::tree::discard;

/// What is kept as it is while anything else is left to cut.
pub(super) const KEPT: [&str; 7] = ["environment", "body", "level", "uuid", "notifier", "language", "title"];

/// Texts whose meaning is gone when they are cut; all are short.
const WHOLE: [&str; 6] = ["code_version", "context", "fingerprint", "framework", "platform", "timestamp"];

/// What a body is, one of them.
const KINDS: [&str; 4] = ["trace", "trace_chain", "message", "crash_report"];

pub(super) fn data(payload: &mut Value) -> Option<&mut Map<String, Value>> {
    payload.get_mut("data")?.as_object_mut()
}

fn body(payload: &mut Value) -> Option<&mut Map<String, Value>> {
    payload.get_mut("data")?.get_mut("body")?.as_object_mut()
}

/// The trace, or each one of the chain.
fn traces(body: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    body.iter_mut()
        .filter(|(key, _)| matches!(key.as_str(), "trace" | "trace_chain"))
        .map(|(_, value)| value)
        .flat_map(|value| match value {
            Value::Array(traces) => traces.as_mut_slice(),
            trace => std::slice::from_mut(trace),
        })
        .filter_map(Value::as_object_mut)
}

fn frames(trace: &mut Map<String, Value>) -> Option<&mut Vec<Value>> {
    trace.get_mut("frames")?.as_array_mut()
}

/// What lies deeper than a reader would follow becomes null.
pub(super) fn depth(payload: &mut Value) -> bool {
    let mut changed = false;
    let mut left = vec![(payload, 0)];
    while let Some((value, depth)) = left.pop() {
        if depth == MAX_DEPTH {
            if value.is_array() || value.is_object() {
                discard(value.take());
                changed = true;
            }
            continue;
        }
        match value {
            Value::Array(values) => left.extend(values.iter_mut().map(|value| (value, depth + 1))),
            Value::Object(entries) => left.extend(entries.values_mut().map(|value| (value, depth + 1))),
            _ => {}
        }
    }
    changed
}

/// The values of the frames' variables and arguments.
pub(super) fn locals(payload: &mut Value) -> bool {
    let mut changed = false;
    for trace in body(payload).into_iter().flat_map(traces) {
        for frame in frames(trace).into_iter().flatten().filter_map(Value::as_object_mut) {
            for key in ["locals", "args", "kwargs"] {
                changed |= frame.remove(key).is_some();
            }
        }
    }
    changed
}

/// The frames between the first and the last few of each trace.
pub(super) fn middle_frames(payload: &mut Value, at_each_end: usize) -> bool {
    body(payload).is_some_and(|body| middle_frames_of(body, at_each_end))
}

fn middle_frames_of(body: &mut Map<String, Value>, at_each_end: usize) -> bool {
    let mut changed = false;
    for frames in traces(body).filter_map(frames) {
        if frames.len() > 2 * at_each_end {
            frames.drain(at_each_end..frames.len() - at_each_end);
            changed = true;
        }
    }
    changed
}

/// What is behind the first bytes of each text, but for the few that say what the item is.
pub(super) fn strings(payload: &mut Value, max_bytes: usize) -> bool {
    let mut changed = false;
    for (key, value) in payload.as_object_mut().into_iter().flatten() {
        match (key.as_str(), value) {
            ("access_token", _) => {}
            ("data", Value::Object(data)) => {
                for (key, value) in data {
                    match key.as_str() {
                        "body" => changed |= strings_below(value, max_bytes, true),
                        key if KEPT.contains(&key) || WHOLE.contains(&key) => {}
                        _ => changed |= strings_below(value, max_bytes, false),
                    }
                }
            }
            (_, value) => changed |= strings_below(value, max_bytes, false),
        }
    }
    changed
}

/// `of_body` spares the classes of exceptions.
fn strings_below(value: &mut Value, max_bytes: usize, of_body: bool) -> bool {
    let mut changed = false;
    let mut left = vec![(value, false)];
    while let Some((value, of_exception)) = left.pop() {
        match value {
            Value::String(text) => changed |= cut(text, max_bytes),
            Value::Array(values) => left.extend(values.iter_mut().map(|value| (value, false))),
            Value::Object(entries) => {
                for (key, value) in entries {
                    if !(of_exception && key == "class") {
                        left.push((value, of_body && key == "exception"));
                    }
                }
            }
            _ => {}
        }
    }
    changed
}

/// Leaves at most so many bytes, and whole characters.
fn cut(text: &mut String, max_bytes: usize) -> bool {
    if text.len() <= max_bytes {
        return false;
    }
    text.truncate(text.floor_char_boundary(max_bytes));
    text.shrink_to_fit();
    true
}

fn cut_at(entries: &mut Map<String, Value>, key: &str, max_bytes: usize) -> bool {
    match entries.get_mut(key) {
        Some(Value::String(text)) => cut(text, max_bytes),
        _ => false,
    }
}

fn name_at(entries: &mut Map<String, Value>, key: &str, max_chars: usize) {
    if let Some(Value::String(text)) = entries.get_mut(key) {
        text.truncate(xray_error::cut(text, max_chars).len());
    }
}

/// Of each trace the first and the last frame and a short message, without its description; of others a short text.
pub(super) fn min_body(body: &mut Map<String, Value>) -> bool {
    const MESSAGE_BYTES: usize = 255;
    let mut changed = middle_frames_of(body, 1);
    for exception in traces(body).filter_map(|trace| trace.get_mut("exception")?.as_object_mut()) {
        changed |= exception.remove("description").is_some();
        changed |= cut_at(exception, "message", MESSAGE_BYTES);
    }
    for (kind, text) in [("message", "body"), ("crash_report", "raw")] {
        if let Some(Value::Object(entries)) = body.get_mut(kind) {
            changed |= cut_at(entries, text, MESSAGE_BYTES);
        }
    }
    changed
}

/// The largest entries, as many as take at least `excess` bytes; the names of those that went.
pub(super) fn largest(entries: &mut Map<String, Value>, excess: usize, kept: &[&str]) -> Vec<String> {
    let mut gone = Vec::new();
    let mut freed = 0_usize;
    for (bytes, key) in size::of_entries(entries) {
        if freed >= excess {
            break;
        }
        if !kept.contains(&key.as_str()) {
            entries.remove(&key);
            freed = freed.saturating_add(bytes);
            gone.push(key);
        }
    }
    gone
}

/// The telemetry, and what the body has besides what it must.
pub(super) fn telemetry(payload: &mut Value) -> bool {
    let Some(body) = body(payload) else { return false };
    let before = body.len();
    body.retain(|key, _| KINDS.contains(&key.as_str()));
    body.len() < before
}

/// What a message or a report has besides its text.
pub(super) fn extras(payload: &mut Value) -> bool {
    let mut changed = false;
    for (kind, text) in [("message", "body"), ("crash_report", "raw")] {
        if let Some(Value::Object(entries)) = body(payload).and_then(|body| body.get_mut(kind)) {
            let before = entries.len();
            entries.retain(|key, _| key == text);
            changed |= entries.len() < before;
        }
    }
    changed
}

/// The links of a chain before the last, nearest to it first, as many as take `excess` bytes; then the last itself. The
/// first is what was caught.
pub(super) fn chain(payload: &mut Value, excess: usize) -> bool {
    let Some(Value::Array(traces)) = body(payload).and_then(|body| body.get_mut("trace_chain")) else {
        return false;
    };
    let before = traces.len();
    let mut freed = 0_usize;
    let Some(last) = traces.pop_if(|_| before > 1) else { return false };
    while freed < excess && traces.len() > 1 {
        freed = freed.saturating_add(traces.pop().as_ref().map_or(0, |trace| size::of(trace) + 1));
    }
    if freed < excess {
        return true;
    }
    traces.push(last);
    traces.len() < before
}

/// All but what the schema asks for, in short.
pub(super) fn bare(payload: &mut Value) -> bool {
    /// Of the texts that say what the item is: as many as the API takes.
    const NAME_CHARS: usize = 255;
    const TEXT_BYTES: usize = 64;
    if let Some(body) = body(payload) {
        for trace in traces(body) {
            trace.retain(|key, _| key == "frames" || key == "exception");
            if let Some(Value::Object(exception)) = trace.get_mut("exception") {
                exception
                    .retain(|key, value| matches!(key.as_str(), "class" | "message") && value.is_string());
                name_at(exception, "class", NAME_CHARS);
                cut_at(exception, "message", TEXT_BYTES);
            }
            for frame in frames(trace).into_iter().flatten().filter_map(Value::as_object_mut) {
                frame.retain(|key, value| match key.as_str() {
                    "filename" | "method" => value.is_string(),
                    "lineno" => value.is_number(),
                    _ => false,
                });
                cut_at(frame, "filename", TEXT_BYTES);
                cut_at(frame, "method", TEXT_BYTES);
            }
        }
        for (kind, text) in [("message", "body"), ("crash_report", "raw")] {
            if let Some(Value::Object(entries)) = body.get_mut(kind) {
                cut_at(entries, text, TEXT_BYTES);
            }
        }
    }
    let Some(data) = data(payload) else { return true };
    for key in KEPT {
        name_at(data, key, NAME_CHARS);
    }
    if let Some(Value::Object(notifier)) = data.get_mut("notifier") {
        notifier.retain(|key, value| matches!(key.as_str(), "name" | "version") && value.is_string());
        name_at(notifier, "name", TEXT_BYTES);
        name_at(notifier, "version", TEXT_BYTES);
    }
    true
}
