//! What the debug information says of one address.

use std::ffi::c_void;
use std::fmt::Write as _;
use std::sync::OnceLock;

use xray_error::{Origin, label_of, text_of};

/// Inlined functions of one address that are kept, from the innermost.
const MAX_INLINED: usize = 64;

/// Unicode scalar values of a function's name: of generic code they grow without a limit.
const MAX_NAME_CHARS: usize = 512;

/// Looks an address up, which is a return address: what is meant is the call before it. Innermost first, the inlined
/// functions before the one that they are inlined into; empty where nothing is known.
///
/// The first look-up of a process maps its debug information, which takes milliseconds.
pub(super) fn calls_at(address: usize) -> Vec<Call> {
    let mut calls = Vec::new();
    backtrace::resolve(std::ptr::without_provenance_mut::<c_void>(address), |symbol| {
        if calls.len() == MAX_INLINED {
            return;
        }
        let name = symbol.name();
        let name = name.map(|name| text_of(MAX_NAME_CHARS, |out| write!(out, "{name:#}")));
        let path = symbol.filename().map(|path| path.to_string_lossy());
        let mut call =
            Call::at(&name.unwrap_or_default(), &path.unwrap_or_default(), symbol.lineno().unwrap_or(0));
        call.column = symbol.colno().filter(|column| *column > 0);
        calls.push(call);
    });
    calls
}

/// What `panic!`, `panic_any` and the panics of the compiler go through; an inlined function has its bare name.
const PANIC_ENTRIES: [&str; 3] = ["panic_with_hook", "begin_panic", "rust_begin_unwind"];

/// A function and the place in it, as the debug information has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) method: Option<Box<str>>,
    /// Empty when unknown.
    pub(super) path: Box<str>,
    /// The path as a frame has it, once one was made.
    pub(super) filename: OnceLock<Box<str>>,
    pub(super) line: Option<u32>,
    pub(super) column: Option<u32>,
    pub(super) origin: Origin,
}

impl Call {
    /// A call of this function, at this place; the line is 0 and a text is empty when it is unknown.
    pub(super) fn at(symbol: &str, path: &str, line: u32) -> Self {
        let label = label_of(symbol);
        Self {
            origin: Origin::of(&label, path),
            method: method_of(&label),
            path: path.into(),
            filename: OnceLock::new(),
            line: (line > 0).then_some(line),
            column: None,
        }
    }

    /// Whether it is a function of std's that calls the panic hook.
    pub(super) fn begins_panic(&self) -> bool {
        self.origin == Origin::Std
            && self
                .method
                .as_deref()
                .is_some_and(|name| PANIC_ENTRIES.iter().any(|entry| name.contains(entry)))
    }
}

/// An inlined closure or future may have no name but its kind: `{async_fn#0}` is shown as `{async_fn}`, since the number
/// changes with the code before it, and the method is part of what items are grouped by.
fn method_of(label: &str) -> Option<Box<str>> {
    let kind =
        label.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).and_then(|rest| rest.split_once('#'));
    match kind {
        Some((kind, _number)) => Some(format!("{{{kind}}}").into()),
        None => (!label.is_empty()).then(|| label.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_without_what_changes_from_build_to_build() {
        for (symbol, method) in [
            ("app::place::{{closure}}::h0123456789abcdef", Some("app::place")),
            ("app[1f2e3d4c5b6a7988]::place::{closure#0}::{closure#1}", Some("app::place")),
            ("{async_fn#0}", Some("{async_fn}")),
            ("{closure#12}", Some("{closure}")),
            ("map<u8>", Some("map<u8>")),
            ("", None),
        ] {
            assert_eq!(Call::at(symbol, "src/a.rs", 1).method.as_deref(), method, "{symbol}");
        }
    }

    #[test]
    fn an_address_of_nothing_has_no_calls() {
        for address in [0, 1, usize::MAX] {
            assert_eq!(calls_at(address), []);
        }
    }
}
