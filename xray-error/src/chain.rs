//! An error and what it is due to, as plain data.

use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::stack::{Stack, StackFrame, split_place};
use crate::text::{caught, cut, display_text, text_of};

/// Links of a source chain that are counted beyond those that are kept: a chain may be a ring.
const MAX_COUNTED: u32 = 1000;

/// What is read of an error's `Debug` text: reports of anyhow and eyre have their backtrace there.
const MAX_REPORT_CHARS: usize = 256 * 1024;

/// What is read of a `Debug` text for the type that it begins with.
const MAX_DEBUG_NAME_CHARS: usize = 128;

/// The type of an error that does not tell its own.
const UNTYPED: &str = "error";

/// How much is kept of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Links of the chain; one is kept in any case.
    pub links: usize,
    /// Unicode scalar values of a message.
    pub message_chars: usize,
}

/// An error and what it is due to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Outermost first; never empty.
    pub links: Vec<Link>,
    /// Links beyond the limit, counted up to 1,000: the chain may be a ring.
    pub skipped: u32,
    /// The error's own backtrace, where it has one.
    pub stack: Option<Stack>,
}

/// One error of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The name of its type, without generics and without the pointer round it; `error` where it is not known.
    pub type_name: String,
    /// Its `Display` text, within the limit.
    pub message: String,
    /// What tells it from other errors.
    pub identity: Identity,
}

impl Chain {
    /// The chain of an error whose static type is `type_name`, as [`std::any::type_name`] has it.
    pub fn from_error(error: &(dyn Error + '_), type_name: &str, limits: Limits) -> Self {
        let mut chain = Self { links: vec![], skipped: 0, stack: None };
        chain.push_error(error, plain_type(type_name), limits);
        let mut source = source_of(error);
        while let Some(error) = source {
            if chain.links.len() >= limits.links {
                chain.skipped = length_from(error);
                break;
            }
            // The `Debug` text of this one has the name of a private variant.
            let known = error.is::<std::io::Error>().then_some("std::io::Error");
            chain.push_error(error, known, limits);
            source = source_of(error);
        }
        chain
    }

    /// The chain of the error inside a report (`anyhow::Error`, `eyre::Report`), and the backtrace or the place that the
    /// `Debug` text of the report shows.
    ///
    /// ```
    /// # use xray_error::{Chain, Limits};
    /// let report = anyhow::anyhow!("no such row").context("loading");
    /// let limits = Limits { links: 10, message_chars: 4096 };
    /// let chain = Chain::from_report(report.as_ref(), &report, "anyhow::Error", limits);
    /// assert_eq!(chain.links[1].message, "no such row");
    /// ```
    pub fn from_report(error: &(dyn Error + '_), debug: &dyn Debug, type_name: &str, limits: Limits) -> Self {
        let mut chain = Self::from_error(error, type_name, limits);
        let report = text_of(MAX_REPORT_CHARS, |out| write!(out, "{debug:?}"));
        if let Some(sections) = report.strip_prefix(chain.links[0].message.as_str()) {
            chain.stack = stack_of_report(sections);
        }
        chain
    }

    /// A message with the type that it has, for what is no `Error`.
    pub fn from_message(type_name: &str, message: &str, limits: Limits) -> Self {
        let mut chain = Self { links: vec![], skipped: 0, stack: None };
        chain.push(plain_type(type_name), None, cut(message, limits.message_chars).to_owned());
        chain
    }

    /// What the links are known by, outermost first.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> + Clone {
        self.links.iter().map(|link| &link.identity)
    }

    fn push_error(&mut self, error: &(dyn Error + '_), known: Option<&str>, limits: Limits) {
        let debug = text_of(MAX_DEBUG_NAME_CHARS, |out| write!(out, "{error:?}"));
        self.push(known, type_in_debug(&debug), display_text(error, limits.message_chars));
    }

    fn push(&mut self, type_name: Option<&str>, debug_name: Option<&str>, message: String) {
        self.links.push(Link {
            type_name: type_name.or(debug_name).unwrap_or(UNTYPED).to_owned(),
            identity: Identity::new(type_name, debug_name, &message),
            message,
        });
    }
}

/// `source()` is the user's code.
fn source_of<'a>(error: &'a (dyn Error + '_)) -> Option<&'a (dyn Error + 'static)> {
    caught(|| error.source()).flatten()
}

/// How many links there are from `error` on, up to [`MAX_COUNTED`].
fn length_from(error: &(dyn Error + 'static)) -> u32 {
    let mut length = 1;
    let mut source = source_of(error);
    while let Some(error) = source
        && length < MAX_COUNTED
    {
        length += 1;
        source = source_of(error);
    }
    length
}

/// What an error is known by when it is seen again, perhaps within another error.
///
/// An error's own type is known where it is caught; within a chain only its `Debug` text tells, and there an enum has the
/// name of its variant. So a link can have two names, and none where its `Debug` text is a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    names: [Option<u64>; 2],
    text: u64,
}

impl Identity {
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
pub fn same_error<'a, 'b>(
    a: impl IntoIterator<Item = &'a Identity>,
    b: impl IntoIterator<Item = &'b Identity, IntoIter: Clone>,
) -> bool {
    let b = b.into_iter();
    a.into_iter().any(|link| b.clone().any(|other| link.agrees(other)))
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The stack of a report, after its message; where it has none, the place where it was made:
///
/// ```text
/// Caused by:
///     permission denied
///
/// Location:
///     src/main.rs:17:9
///
/// Stack backtrace:
///    0: app::main
/// ```
fn stack_of_report(sections: &str) -> Option<Stack> {
    let (sections, mut stack) = match sections.rsplit_once("Stack backtrace:\n") {
        Some((sections, backtrace)) => (sections, Stack::parse(backtrace)),
        None => (sections, Stack::default()),
    };
    if stack.frames.is_empty() {
        let mut lines = sections.lines().skip_while(|line| *line != "Location:").skip(1).map(str::trim);
        let (path, line) = split_place(lines.next()?);
        stack.push(StackFrame { path: path.to_owned().into(), line, label: "".into() });
    }
    Some(stack)
}

/// The name of a type, as `std::any::type_name` has it, without generics and without the pointer round it: the
/// [`type_name`](Link::type_name) of a link. `None` for a trait object.
pub fn plain_type(type_name: &str) -> Option<&str> {
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

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
