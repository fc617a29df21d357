//! `cause`: the exceptions of an entity, with their stacks.

use std::sync::LazyLock;

use xray_error::{Stack, StackFrame};

use super::json;
use crate::exception::{Cause, Exception};
use crate::record::{Fact, Note};

/// Writes why an entity failed, where it did.
pub(super) fn cause(out: &mut Vec<u8>, notes: &[Note]) {
    for note in notes.iter().rev() {
        match &note.fact {
            Fact::SameAs(id) => return json::member(out, "cause", id.as_str()),
            Fact::Exceptions(exceptions) => return cause_object(out, exceptions, notes),
            Fact::Panic(panic) => return cause_object(out, &Cause::from_panic(panic).exceptions, notes),
            _ => {}
        }
    }
}

fn cause_object(out: &mut Vec<u8>, exceptions: &[Exception], notes: &[Note]) {
    static WORKING_DIRECTORY: LazyLock<String> = LazyLock::new(|| {
        std::env::current_dir().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
    });

    out.extend_from_slice(b",\"cause\":{\"working_directory\":");
    json::string(out, &WORKING_DIRECTORY);
    out.extend_from_slice(b",\"exceptions\":[");
    for (n, exception) in exceptions.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"id\":");
        json::string(out, exception.id.as_str());
        json::member(out, "type", &exception.type_name);
        json::member(out, "message", &exception.message);
        out.extend_from_slice(if exception.remote { b",\"remote\":true" } else { b",\"remote\":false" });
        if let Some(cause) = &exception.cause {
            json::member(out, "cause", cause.as_str());
        }
        for (key, count) in [("truncated", exception.truncated), ("skipped", exception.skipped)] {
            if count > 0 {
                out.extend_from_slice(b",\"");
                out.extend_from_slice(key.as_bytes());
                out.extend_from_slice(b"\":");
                json::number(out, count);
            }
        }
        let passed = notes.iter().filter_map(|note| match &note.fact {
            Fact::Frame(id, frame) if *id == exception.id => Some(frame.as_ref()),
            _ => None,
        });
        let seen = notes.iter().find_map(|note| match &note.fact {
            Fact::Stack(id, backtrace) if *id == exception.id => Some(Stack::parse(&backtrace.to_string())),
            _ => None,
        });
        let seen = seen.map(|stack| stack.frames).unwrap_or_default();
        stack(out, exception.stack.iter().chain(&seen).chain(passed));
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

/// Frames of a stack that are written.
const MAX_FRAMES: usize = 50;

fn stack<'f>(out: &mut Vec<u8>, frames: impl Iterator<Item = &'f StackFrame>) {
    out.extend_from_slice(b",\"stack\":[");
    for (n, frame) in frames.take(MAX_FRAMES).enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"path\":");
        json::string(out, &frame.path);
        out.extend_from_slice(b",\"line\":");
        json::number(out, frame.line);
        json::member(out, "label", &frame.label);
        out.push(b'}');
    }
    out.push(b']');
}
