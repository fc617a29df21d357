//! Stacks out of a backtrace's text, which is all that `std::backtrace::Backtrace` gives away on stable; functions as a
//! reader knows them.

use std::borrow::Cow;

use crate::origin::{is_runtime, is_runtime_path, short_path};

/// Frames that a [`Stack`] keeps.
pub const MAX_FRAMES: usize = 50;

/// One place of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFrame {
    /// As rustc gives it: relative to the workspace, or absolute for code from elsewhere. Empty when unknown.
    pub path: Cow<'static, str>,
    /// From 1; 0 when unknown.
    pub line: u32,
    /// The function; empty when unknown.
    pub label: Cow<'static, str>,
}

/// The frames of the user's code, innermost first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stack {
    /// At most [`MAX_FRAMES`].
    pub frames: Vec<StackFrame>,
    /// How many frames beyond [`MAX_FRAMES`] were dropped.
    pub truncated: u32,
}

impl Stack {
    /// Adds a frame at the outer end.
    pub fn push(&mut self, frame: StackFrame) {
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(frame);
        } else {
            self.truncated += 1;
        }
    }

    /// Reads what `Backtrace` displays. Frames of [the runtime](is_runtime) are left out.
    ///
    /// ```text
    ///    3: app::orders::place::{{closure}}
    ///              at ./src/orders.rs:17:9
    ///       app::orders::inlined
    ///              at ./src/orders.rs:40:5
    /// ```
    pub fn parse(text: &str) -> Self {
        let mut stack = Self::default();
        // The label is known one line before the place, if the place is known at all.
        let mut pending: Option<String> = None;
        for line in text.lines() {
            let line = line.trim();
            if let Some(place) = line.strip_prefix("at ") {
                let (path, line) = split_place(place);
                if let Some(label) = pending.take()
                    && !is_runtime_path(path)
                {
                    stack.push(StackFrame {
                        path: short_path(path).to_owned().into(),
                        line,
                        label: label.into(),
                    });
                }
                continue;
            }
            if let Some(label) = pending.take() {
                stack.push(StackFrame { path: "".into(), line: 0, label: label.into() });
            }
            if !line.is_empty() && !line.starts_with("note:") {
                pending = own_label(without_index(line));
            }
        }
        if let Some(label) = pending {
            stack.push(StackFrame { path: "".into(), line: 0, label: label.into() });
        }
        stack
    }
}

/// `src/main.rs:17:9` as path and line; the column is of no use to the backend.
pub fn split_place(place: &str) -> (&str, u32) {
    let mut parts = place.rsplitn(3, ':');
    let (last, middle, path) = (parts.next(), parts.next(), parts.next());
    let (path, line) = match (path, middle, last) {
        (Some(path), Some(line), Some(column)) if column.parse::<u32>().is_ok() => (path, line),
        _ => place.rsplit_once(':').unwrap_or((place, "")),
    };
    match line.parse() {
        Ok(line) => (path.strip_prefix("./").unwrap_or(path), line),
        Err(_) => (place.strip_prefix("./").unwrap_or(place), 0),
    }
}

/// `12: name`, or in the full form `12: 0x55d0c0ffee - name`.
fn without_index(line: &str) -> &str {
    let name = match line.split_once(':') {
        Some((index, name)) if index.bytes().all(|byte| byte.is_ascii_digit()) => name.trim_start(),
        _ => line,
    };
    match name.split_once(" - ") {
        Some((address, name)) if address.starts_with("0x") => name.trim_start(),
        _ => name,
    }
}

/// The function's name for a reader, or `None` when it is [the runtime's](is_runtime).
pub fn own_label(symbol: &str) -> Option<String> {
    let label = label_of(symbol);
    (!is_runtime(&label)).then(|| label.into_owned())
}

/// The function's name for a reader: without hash and disambiguators, and of a closure or future the function that it is in.
///
/// ```
/// use xray_error::label_of;
///
/// assert_eq!(label_of("app::orders::place::{{closure}}::h0123456789abcdef"), "app::orders::place");
/// assert_eq!(label_of("app[1f2e3d4c5b6a7988]::run::{closure#0}"), "app::run");
/// ```
pub fn label_of(symbol: &str) -> Cow<'_, str> {
    let mut label = without_disambiguators(symbol);
    if let Some(at) = label.rfind("::h")
        && label.len() == at + 19
        && label[at + 3..].bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        truncate(&mut label, at);
    }
    let mut end = label.len();
    loop {
        let rest = &label[..end];
        let shorter = rest
            .strip_suffix("{{vtable.shim}}")
            .or_else(|| rest.strip_suffix("::{{closure}}"))
            .or_else(|| rest.strip_suffix('}').and_then(|rest| numbered_closure(rest)));
        match shorter {
            Some(shorter) => end = shorter.len(),
            None => break,
        }
    }
    truncate(&mut label, end);
    label
}

fn truncate(text: &mut Cow<'_, str>, end: usize) {
    match text {
        Cow::Borrowed(text) => *text = &text[..end],
        Cow::Owned(text) => text.truncate(end),
    }
}

/// `app::f::{closure#0` without its last part.
fn numbered_closure(label: &str) -> Option<&str> {
    label.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix("::{closure#")
}

/// `app[1f2e3d4c5b6a7988]::f` as `app::f`.
fn without_disambiguators(symbol: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(symbol);
    let mut from = 0;
    while let Some(start) = out[from..].find('[').map(|at| from + at) {
        let Some(length) = out[start + 1..].find(']') else { break };
        let inside = &out[start + 1..start + 1 + length];
        if start > 0 && (1..=16).contains(&length) && inside.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            out.to_mut().replace_range(start..start + length + 2, "");
            from = start;
        } else {
            from = start + 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "   0: std::backtrace_rs::backtrace::libunwind::trace
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/../../backtrace/src/backtrace/libunwind.rs:117:9
      std::backtrace::Backtrace::create
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/backtrace.rs:331:13
   1: anyhow::error::<impl core::convert::From<E> for anyhow::Error>::from
             at /home/me/.cargo/registry/src/index/anyhow-1.0.105/src/error.rs:10:5
   2: app::orders::place::{{closure}}::{{closure}}
             at ./src/orders.rs:17:9
      app::orders::inlined::h0123456789abcdef
             at ./src/orders.rs:40:5
   3: <app::Order as core::str::traits::FromStr>::from_str
             at /home/me/app/src/lib.rs:3:1
   4: <core::pin::Pin<P> as core::future::future::Future>::poll
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/future/future.rs:133:9
   5: <F as core::ops::function::FnOnce<A>>::call_once{{vtable.shim}}
   6: app::no_place
   7: app[1f2e3d4c5b6a7988]::run::{closure#0}
             at C:\\src\\main.rs:5:1
   8: catch_unwind<!, core::panic::unwind_safe::AssertUnwindSafe<app::f::{closure_env#0}>>
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/panicking.rs:544:19
      poll<app::f::{async_fn_env#0}>
             at /home/me/.cargo/registry/src/index/tokio-1.54.1/src/runtime/task/core.rs:365:24
      inlined<u8>
             at ./core/src/tower.rs:7:8
      __rust_begin_short_backtrace
   9: main
  10: __libc_start_main_impl
             at ./csu/../csu/libc-start.c:360:3
  11: _start
note: Some details are omitted
";

    #[test]
    fn the_user_s_frames_remain() {
        let stack = Stack::parse(TEXT);
        let frames: Vec<_> = stack
            .frames
            .iter()
            .map(|frame| (frame.label.as_ref(), frame.path.as_ref(), frame.line))
            .collect();
        assert_eq!(
            frames,
            [
                ("app::orders::place", "src/orders.rs", 17),
                ("app::orders::inlined", "src/orders.rs", 40),
                ("<app::Order as core::str::traits::FromStr>::from_str", "/home/me/app/src/lib.rs", 3),
                ("app::no_place", "", 0),
                ("app::run", "C:\\src\\main.rs", 5),
                ("inlined<u8>", "core/src/tower.rs", 7),
            ]
        );
        assert_eq!(stack.truncated, 0);
    }

    #[test]
    fn a_deep_stack_is_cut_at_its_outer_end() {
        let text: String = (0..60).map(|n| format!("{n}: app::f{n}\n at src/a.rs:{n}:1\n")).collect();
        let stack = Stack::parse(&text);
        assert_eq!((stack.frames.len(), stack.truncated), (50, 10));
        assert_eq!(stack.frames.last().unwrap().label, "app::f49");
    }

    #[test]
    fn the_full_form_is_read_too() {
        let stack = Stack::parse("   0:     0x55d0c0ffee - app::f::h0123456789abcdef\n     at src/a.rs:1\n");
        let frame = StackFrame { path: "src/a.rs".into(), line: 1, label: "app::f".into() };
        assert_eq!(stack.frames, [frame]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), near in "( ?[0-9]{1,2}: |at )?[<\\[\\]a-f:{}#0é]{0,30}(\n|:1:2\n){0,3}") {
            Stack::parse(&text);
            Stack::parse(&near.repeat(3));
        }
    }
}
