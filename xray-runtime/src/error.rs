//! How errors and panics are recorded: once, however many captured functions they pass.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::error::Error;
use std::panic::Location;
use std::sync::Arc;

use xray_error::{Borrowed, StackFrame, function_of, same_error};

use crate::context;
use crate::entity::Entity;
use crate::exception::Cause;
use crate::panic;
use crate::record::{Chunk, FIRST, Fact, Index, Key, LastError, NO_PARENT, flag, index_of, sibling_key};
use crate::trace_id::EntityId;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorClass {
    /// Ours: `fault`.
    #[default]
    Fault,
    /// The caller's: `error`.
    Error,
    /// The caller's, who asks too often: `throttle` and `error`.
    Throttle,
}

impl ErrorClass {
    pub(crate) const fn bits(self) -> u32 {
        match self {
            Self::Fault => flag::FAULT,
            Self::Error => flag::ERROR,
            Self::Throttle => flag::THROTTLE | flag::ERROR,
        }
    }
}

/// Where an error was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) location: &'static Location<'static>,
    /// The function's path, where it is known.
    pub(crate) function: Option<&'static str>,
}

impl From<&'static Location<'static>> for Seen {
    fn from(location: &'static Location<'static>) -> Self {
        Self { location, function: None }
    }
}

impl Seen {
    fn frame(&self) -> StackFrame {
        StackFrame {
            path: self.location.file().into(),
            line: self.location.line(),
            label: self.function.map(function_of).unwrap_or_default().into(),
        }
    }
}

pub(crate) fn cause_of<E: Error + ?Sized>(error: &E) -> Cause {
    // A trait object does not tell its type: what `type_name` has then begins with `dyn`.
    Cause::from_error(&Borrowed(error), std::any::type_name::<E>())
}

/// Records a cause on an entity, or a reference where something below it has recorded the same error.
#[cold]
pub(crate) fn record(entity: &Entity, mut cause: Cause, bits: u32, seen: Option<Seen>) {
    let key = entity.key();
    if key < FIRST {
        return;
    }
    entity.set_bits(bits);
    let frame = seen.map(|seen| seen.frame());
    let known = context::with_chunk(key, |chunk| find_known(chunk, key, &cause)).flatten();
    if let Some((holder, exception)) = known {
        if holder != index_of(key) {
            entity.note(Fact::SameAs(exception));
            if let Some(frame) = frame {
                context::note(sibling_key(key, holder), Fact::Frame(exception, Box::new(frame)));
            }
        }
        return;
    }
    let Some(first) = cause.exceptions.first_mut() else { return };
    let exception = first.id;
    let bare = first.stack.is_empty() && frame.is_none();
    if first.stack.is_empty() {
        first.stack.extend(frame);
    }
    entity.note(Fact::Exceptions(cause.exceptions));
    if bare {
        // Seen by a middleware, which has no place of its own: the functions that wait for it are the stack.
        entity.note(Fact::Stack(exception, Arc::new(Backtrace::force_capture())));
    }
    context::with_chunk(key, |chunk| {
        let index = index_of(key);
        chunk.last_error = Some(Box::new(LastError {
            reached: index,
            holder: index,
            exception,
            identities: cause.identities,
        }));
    });
}

/// The last error of this tree, where it is the same and came from below `key`.
fn find_known(chunk: &mut Chunk, key: Key, cause: &Cause) -> Option<(Index, EntityId)> {
    let mut last = chunk.last_error.take()?;
    let found = is_at_or_above(chunk, key, last.reached) && same_error(&last.identities, &cause.identities);
    let known = (last.holder, last.exception);
    if found {
        last.reached = index_of(key);
    }
    chunk.last_error = Some(last);
    found.then_some(known)
}

/// Whether `key` is `index` or stands above it. What was sent already cannot be asked: then the error's text decides.
fn is_at_or_above(chunk: &Chunk, key: Key, index: Index) -> bool {
    let mut at = index;
    loop {
        if at == index_of(key) {
            return true;
        }
        match chunk.parent_of(sibling_key(key, at)) {
            Some(NO_PARENT) => return false,
            Some(parent) => at = parent,
            None => return true,
        }
    }
}

thread_local! {
    /// The panic whose exceptions were recorded last on this thread.
    static RECORDED: Cell<(u64, Option<EntityId>)> = const { Cell::new((0, None)) };
}

/// Whether a panic is known to unwind through an entity; its guard may as well end in a destructor that the unwinding runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certain {
    Yes,
    No,
}

/// Records the panic that unwinds through an entity which began before it.
#[cold]
pub(crate) fn record_panic(entity: &Entity, started: u64, certain: Certain) {
    let key = entity.key();
    if key < FIRST {
        return;
    }
    let noted = panic::peek(|note| (note.sequence, note.id, note.ticks));
    let Some((sequence, id, ticks)) = noted else {
        // Without a note the hook was not told: it is not installed, or the panic was resumed.
        entity.set_bits(flag::FAULT);
        return;
    };
    if started > ticks {
        // It began in a destructor that the unwinding runs: the panic is not its own. Or the note is of an older panic, and this
        // one was resumed, of which the hook is not told.
        if certain == Certain::Yes {
            entity.set_bits(flag::FAULT);
        }
        return;
    }
    entity.set_bits(flag::FAULT);
    let recorded = RECORDED.try_with(|recorded| recorded.replace((sequence, Some(id)))).unwrap_or((0, None));
    if recorded.0 == sequence {
        entity.note(Fact::SameAs(id));
    } else if let Some(note) = panic::copy() {
        entity.note(Fact::Panic(Box::new(note)));
    }
}
