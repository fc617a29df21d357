//! What a document says of an error: the `cause` of an entity, as plain data.

use std::error::Error;
use std::fmt::{Debug, Write as _};

use xray_error::{Chain, Identity, Limits, Link, Stack, StackFrame, text_of};

use crate::panic::PanicNote;
use crate::trace_id::EntityId;

/// Unicode scalar values of a message.
pub(crate) const MAX_MESSAGE_CHARS: usize = 4096;

/// What is written of a source chain.
const LIMITS: Limits = Limits { links: 10, message_chars: MAX_MESSAGE_CHARS };

/// What is read of the text of a panic's backtrace.
const MAX_BACKTRACE_CHARS: usize = 256 * 1024;

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
    fn new(link: Link) -> Self {
        Self {
            id: EntityId::generate(),
            type_name: link.type_name,
            message: link.message,
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

/// An error as exceptions, outermost first, and what it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Never empty.
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) identities: Vec<Identity>,
}

impl Cause {
    /// The chain of an error whose static type is `type_name`, as `std::any::type_name` has it.
    pub(crate) fn from_error(error: &(dyn Error + '_), type_name: &str) -> Self {
        Chain::from_error(error, type_name, LIMITS).into()
    }

    /// A message with the type that it has, for what is no `Error`.
    pub(crate) fn from_message(type_name: &str, message: &str) -> Self {
        Chain::from_message(type_name, message, LIMITS).into()
    }

    /// The chain of the error inside a report (`anyhow::Error`, `eyre::Report`), and the report's backtrace.
    pub(crate) fn from_report(error: &(dyn Error + '_), debug: &dyn Debug, type_name: &str) -> Self {
        Chain::from_report(error, debug, type_name, LIMITS).into()
    }

    /// A panic that crosses the scope.
    pub(crate) fn from_panic(note: &PanicNote) -> Self {
        let mut cause = Self::from_message("panic", &note.message);
        let mut stack = Stack::parse(&text_of(MAX_BACKTRACE_CHARS, |out| write!(out, "{}", note.backtrace)));
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
}

impl From<Chain> for Cause {
    fn from(chain: Chain) -> Self {
        let identities = chain.identities().copied().collect();
        let mut exceptions: Vec<_> = chain.links.into_iter().map(Exception::new).collect();
        for inner in 1..exceptions.len() {
            exceptions[inner - 1].cause = Some(exceptions[inner].id);
        }
        if let Some(innermost) = exceptions.last_mut() {
            innermost.skipped = chain.skipped;
        }
        if let (Some(outermost), Some(stack)) = (exceptions.first_mut(), chain.stack) {
            outermost.set_stack(stack);
        }
        Self { exceptions, identities }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no such order")]
    struct ApiError(#[source] RepoError);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read")]
    struct RepoError(#[source] io::Error);

    #[test]
    fn each_link_is_an_exception_due_to_the_next() {
        let error = ApiError(RepoError(io::Error::other("disk gone")));
        let cause = Cause::from_error(&error, "app::ApiError");
        let [outer, middle, inner] = cause.exceptions.as_slice() else { panic!("{cause:?}") };
        assert_eq!(
            [outer, middle, inner]
                .map(|exception| (exception.type_name.as_str(), exception.message.as_str())),
            [
                ("app::ApiError", "no such order"),
                ("RepoError", "cannot read"),
                ("std::io::Error", "disk gone")
            ]
        );
        assert_eq!((outer.cause, middle.cause, inner.cause), (Some(middle.id), Some(inner.id), None));
        assert_eq!(cause.identities.len(), 3);
    }

    #[test]
    fn what_a_chain_dropped_is_counted_at_its_end_and_its_stack_stands_at_its_head() {
        let error = ApiError(RepoError(io::Error::other("disk gone")));
        let mut chain = Chain::from_error(&error, "app::ApiError", Limits { links: 2, ..LIMITS });
        let frame = StackFrame { path: "src/a.rs".into(), line: 3, label: "app::f".into() };
        chain.stack = Some(Stack { frames: vec![frame.clone()], truncated: 4 });
        let [outer, inner] = Cause::from(chain).exceptions.try_into().unwrap();
        assert_eq!((outer.skipped, outer.stack, outer.truncated), (0, vec![frame], 4));
        assert_eq!((inner.skipped, inner.stack, inner.truncated), (1, vec![], 0));
    }
}
