//! What a document says of an error: the `cause` of an entity, as plain data.

use std::error::Error;
use std::fmt::{self, Debug, Display, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::annotation::cut;
use crate::backtrace::{Stack, StackFrame, split_place};
use crate::panic::PanicNote;
use crate::trace_id::EntityId;

/// Unicode scalar values of a message.
pub(crate) const MAX_MESSAGE_CHARS: usize = 4096;

/// Links of a source chain that are written.
pub(crate) const MAX_LINKS: usize = 10;

/// Links of a source chain that are counted: a chain may be a ring.
const MAX_COUNTED: u32 = 1000;

/// What is read of an error's `Debug` text: reports of anyhow and eyre have their backtrace there.
const MAX_REPORT_CHARS: usize = 256 * 1024;

/// The type of an error that does not tell its own.
const UNTYPED: &str = "error";

/// One error of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) id: EntityId,
    pub(crate) type_name: String,
    /// At most [`MAX_MESSAGE_CHARS`].
    pub(crate) message: String,
    /// Whether the error is that of a service that was called.
    pub(crate) remote: bool,
    /// The exception that this one is due to.
    pub(crate) cause: Option<EntityId>,
    pub(crate) stack: Vec<StackFrame>,
    /// Frames that were dropped.
    pub(crate) truncated: u32,
    /// Exceptions that this one is due to and that were dropped.
    pub(crate) skipped: u32,
}

impl Exception {
    fn new(type_name: &str, message: &str) -> Self {
        Self {
            id: EntityId::generate(),
            type_name: type_name.to_owned(),
            message: cut(message, MAX_MESSAGE_CHARS).to_owned(),
            remote: false,
            cause: None,
            stack: Vec::new(),
            truncated: 0,
            skipped: 0,
        }
    }

    pub(crate) fn set_stack(&mut self, stack: Stack) {
        self.stack = stack.frames;
        self.truncated = stack.truncated;
    }
}

/// What an error is known by when it passes further captured functions, perhaps within another error.
///
/// An error's own type is known as the attribute sees it; within a chain only its `Debug` text tells, and there an
/// enum has the name of its variant. So a link can have two names, and none where its `Debug` text is a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ErrorLink {
    names: [Option<u64>; 2],
    text: u64,
}

impl ErrorLink {
    fn new(type_name: Option<&str>, debug_name: Option<&str>, text: &str) -> Self {
        let last_segment = |name: &str| hash(name.rsplit("::").next().unwrap_or(name));
        Self { names: [type_name.map(last_segment), debug_name.map(last_segment)], text: hash(text) }
    }

    fn agrees(&self, other: &Self) -> bool {
        let names = |link: &Self| link.names.into_iter().flatten();
        self.text == other.text
            && (names(self).count() == 0
                || names(other).count() == 0
                || names(self).any(|name| names(other).any(|other| other == name)))
    }
}

/// Whether two chains are about one error: any link of the one is a link of the other.
pub(crate) fn same_error(a: &[ErrorLink], b: &[ErrorLink]) -> bool {
    a.iter().any(|link| b.iter().any(|other| link.agrees(other)))
}

/// An error as exceptions, outermost first, and what it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Never empty.
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) links: Vec<ErrorLink>,
}

impl Cause {
    /// The chain of an error whose static type is `type_name`, as `std::any::type_name` has it.
    pub(crate) fn from_error(error: &(dyn Error + '_), type_name: &str) -> Self {
        let mut cause = Self { exceptions: Vec::new(), links: Vec::new() };
        let debug = text_of(128, |out| write!(out, "{error:?}"));
        cause.push(plain_type(type_name), type_in_debug(&debug), &display_text(error));
        let mut source = error.source();
        while let Some(error) = source {
            if cause.exceptions.len() == MAX_LINKS {
                cause.skip(error);
                break;
            }
            let debug = text_of(128, |out| write!(out, "{error:?}"));
            // Its `Debug` text has the name of a private variant.
            let known = error.is::<std::io::Error>().then_some("std::io::Error");
            cause.push(known, type_in_debug(&debug), &display_text(error));
            source = error.source();
        }
        cause
    }

    /// A message with the type that it has, for what is no `Error`.
    pub(crate) fn from_message(type_name: &str, message: &str) -> Self {
        let mut cause = Self { exceptions: Vec::new(), links: Vec::new() };
        cause.push(plain_type(type_name), None, message);
        cause
    }

    /// A value that is no `Error` but displays as its message, and whose `Debug` text may be a report: `anyhow::Error`,
    /// `eyre::Report`. Of a report the causes and the backtrace are taken.
    pub(crate) fn from_report(display: &dyn Display, debug: &dyn Debug, type_name: &str) -> Self {
        let message = display_text(display);
        let report = text_of(MAX_REPORT_CHARS, |out| write!(out, "{debug:?}"));
        let mut cause = Self { exceptions: Vec::new(), links: Vec::new() };
        let Some(sections) = report.strip_prefix(message.as_str()) else {
            cause.push(plain_type(type_name), type_in_debug(&report), &message);
            return cause;
        };
        cause.push(plain_type(type_name), None, &message);
        let (causes, stack) = read_report(sections);
        for (n, message) in causes.iter().enumerate() {
            if n + 1 == MAX_LINKS {
                cause.set_skipped((causes.len() - n) as u32);
                break;
            }
            cause.push(None, None, message);
        }
        if let Some(outermost) = cause.exceptions.first_mut() {
            outermost.set_stack(stack);
        }
        cause
    }

    /// A panic that crosses the scope.
    pub(crate) fn from_panic(note: &PanicNote) -> Self {
        let mut cause = Self::from_message("panic", &note.message);
        let mut stack = Stack::parse(&text_of(MAX_REPORT_CHARS, |out| write!(out, "{}", note.backtrace)));
        if stack.frames.is_empty()
            && let Some((path, line)) = &note.location
        {
            stack.push(StackFrame { path: path.clone().into(), line: *line, label: "".into() });
        }
        if let Some(exception) = cause.exceptions.first_mut() {
            exception.id = note.id;
            exception.set_stack(stack);
        }
        cause
    }

    fn push(&mut self, type_name: Option<&str>, debug_name: Option<&str>, message: &str) {
        let exception = Exception::new(type_name.or(debug_name).unwrap_or(UNTYPED), message);
        if let Some(outer) = self.exceptions.last_mut() {
            outer.cause = Some(exception.id);
        }
        self.exceptions.push(exception);
        self.links.push(ErrorLink::new(type_name, debug_name, message));
    }

    /// Counts the links from `error` on.
    fn skip(&mut self, error: &(dyn Error + 'static)) {
        let mut skipped = 1;
        let mut source = error.source();
        while let Some(error) = source
            && skipped < MAX_COUNTED
        {
            skipped += 1;
            source = error.source();
        }
        self.set_skipped(skipped);
    }

    fn set_skipped(&mut self, skipped: u32) {
        if let Some(last) = self.exceptions.last_mut() {
            last.skipped = skipped;
        }
    }
}

/// The causes and the stack of a report, after its message:
///
/// ```text
/// Caused by:
///     0: cannot open the file
///     1: permission denied
///
/// Location:
///     src/main.rs:17:9
///
/// Stack backtrace:
///    0: app::main
/// ```
fn read_report(sections: &str) -> (Vec<String>, Stack) {
    let (sections, mut stack) = match sections.split_once("Stack backtrace:\n") {
        Some((sections, backtrace)) => (sections, Stack::parse(backtrace)),
        None => (sections, Stack::default()),
    };
    let mut causes: Vec<String> = Vec::new();
    let mut section = "";
    for line in sections.lines() {
        let text = line.trim();
        match (section, text) {
            _ if !line.starts_with(' ') && !text.is_empty() => section = text,
            (_, "") => {}
            ("Caused by:", _) => match (numbered(text), causes.last_mut()) {
                (Some(cause), _) => causes.push(cause.to_owned()),
                (None, None) => causes.push(text.to_owned()),
                (None, Some(cause)) => {
                    cause.push('\n');
                    cause.push_str(text);
                }
            },
            ("Location:", _) if stack.frames.is_empty() => {
                let (path, line) = split_place(text);
                stack.push(StackFrame { path: path.to_owned().into(), line, label: "".into() });
            }
            _ => {}
        }
    }
    (causes, stack)
}

fn numbered(line: &str) -> Option<&str> {
    let (number, text) = line.split_once(": ")?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

/// The name of a type without generics and without the pointer round it; `None` for a trait object.
fn plain_type(type_name: &str) -> Option<&str> {
    const POINTERS: [&str; 5] = ["&", "mut ", "alloc::boxed::Box<", "alloc::sync::Arc<", "alloc::rc::Rc<"];
    let mut name = type_name;
    while let Some(inner) = POINTERS.iter().find_map(|pointer| name.strip_prefix(pointer)) {
        name = inner;
    }
    if name.starts_with("dyn ") {
        return None;
    }
    let end = name.find(['<', '>', ',']).unwrap_or(name.len());
    Some(&name[..end]).filter(|name| !name.is_empty())
}

/// The type that a `Debug` text begins with, as derived ones do: `NotFound`, `Io(..)`, `ParseError { .. }`.
fn type_in_debug(text: &str) -> Option<&str> {
    // Some write their path: `hyper_util::client::legacy::Error(Connect, ..)`.
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let derived = rest.is_empty() || rest.starts_with('(') || rest.starts_with(" {");
    let last = name.rsplit("::").next().unwrap_or(name);
    (derived && last.starts_with(char::is_uppercase) && !last.contains(':')).then_some(name)
}

fn display_text(value: &(impl Display + ?Sized)) -> String {
    text_of(MAX_MESSAGE_CHARS, |out| write!(out, "{value}"))
}

/// What is written, cut at `max` Unicode scalar values. The user's code may write without end, and may panic.
fn text_of(max: usize, write: impl FnOnce(&mut Bounded) -> fmt::Result) -> String {
    let mut out = Bounded { text: String::new(), left: max };
    let written = catch_unwind(AssertUnwindSafe(|| write(&mut out)));
    if written.is_err() && out.text.is_empty() {
        out.text.push_str("(formatting the error panicked)");
    }
    out.text
}

struct Bounded {
    text: String,
    left: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let kept = cut(text, self.left);
        self.text.push_str(kept);
        self.left -= kept.chars().count();
        // An error ends the formatting: there is no use in more.
        if kept.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "exception_tests.rs"]
mod tests;
