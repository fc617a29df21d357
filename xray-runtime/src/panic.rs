//! The panic hook: notes what a panic is about for the guards that it unwinds through.
//!
//! `std` tells a panic's message and place to the hook only; a guard that is dropped while unwinding learns no more
//! than that there is a panic. The hook leaves a note in a thread-local, and calls the hook before it.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;
use std::sync::{Arc, Once};

use xray_error::cut;

use crate::clock::Clock;
use crate::exception::MAX_MESSAGE_CHARS;
use crate::trace_id::EntityId;

/// What is known of a panic.
#[derive(Clone, Debug)]
pub(crate) struct PanicNote {
    /// Tells the panics of this thread apart, from 1.
    pub(crate) sequence: u64,
    /// The id of the exception: the same in each scope that the panic crosses.
    pub(crate) id: EntityId,
    /// At most [`MAX_MESSAGE_CHARS`].
    pub(crate) message: String,
    /// File and line of the `panic!`.
    pub(crate) location: Option<(String, u32)>,
    /// Resolved to names only when it is displayed.
    pub(crate) backtrace: Arc<Backtrace>,
    /// When the panic began, in the ticks of the records.
    pub(crate) ticks: u64,
}

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
    static HAS_NOTE: Cell<bool> = const { Cell::new(false) };
    /// The last panic: at most one note a thread, so nothing grows.
    static LAST: RefCell<Option<PanicNote>> = const { RefCell::new(None) };
}

/// Puts the hook before the one that is there. Only the first call does.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // `set_hook` panics in a thread that is panicking; a later call will do it.
    if std::thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            note(info);
            previous(info);
        }));
    });
}

fn note(info: &PanicHookInfo<'_>) {
    let sequence = PANICS.with(|panics| {
        panics.set(panics.get() + 1);
        panics.get()
    });
    let message = info.payload_as_str().unwrap_or("(the payload of the panic is no text)");
    let note = PanicNote {
        sequence,
        id: EntityId::generate(),
        message: cut(message, MAX_MESSAGE_CHARS).to_owned(),
        location: info.location().map(|place| (place.file().to_owned(), place.line())),
        backtrace: Arc::new(Backtrace::force_capture()),
        ticks: Clock::new().ticks(),
    };
    HAS_NOTE.set(true);
    // Neither a thread that is ending nor a panic while a note is read may panic here.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = Some(note);
        }
    });
}

/// Forgets a panic that is over. A panic that is resumed on this thread later calls no hook, and must not be taken for it.
#[inline]
pub(crate) fn forget_old() {
    if HAS_NOTE.get() && !std::thread::panicking() {
        HAS_NOTE.set(false);
        let _ = LAST.try_with(|last| last.try_borrow_mut().map(|mut last| last.take()));
    }
}

/// Reads the note of the last panic on this thread, and leaves it for the guards further out.
pub(crate) fn peek<R>(read: impl FnOnce(&PanicNote) -> R) -> Option<R> {
    LAST.try_with(|last| last.try_borrow().ok().and_then(|note| note.as_ref().map(read))).ok().flatten()
}

/// The note of the last panic on this thread.
pub(crate) fn copy() -> Option<PanicNote> {
    peek(PanicNote::clone)
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, panic_any};

    use super::*;
    use crate::exception::Cause;

    /// Takes the note away.
    fn take() -> Option<PanicNote> {
        LAST.with(|last| last.borrow_mut().take())
    }

    struct PeekOnDrop<'a>(&'a mut Vec<(u64, EntityId)>);

    impl Drop for PeekOnDrop<'_> {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.0.extend(peek(|note| (note.sequence, note.id)));
        }
    }

    #[test]
    fn guards_learn_of_the_panic_that_drops_them() {
        install();
        install();
        take();
        let mut seen = Vec::new();
        for text in ["one", "two"] {
            let caught = catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _outer = PeekOnDrop(&mut seen);
                panic!("number {text}");
            }));
            assert!(caught.is_err());
        }
        let [(first, first_id), (second, second_id)] = seen[..] else { panic!("{seen:?}") };
        assert_eq!(second, first + 1);
        assert_ne!(first_id, second_id);
        let cause = peek(Cause::from_panic).unwrap();
        let note = take().unwrap();
        assert_eq!((note.message.as_str(), note.sequence, note.id), ("number two", second, second_id));
        assert!(note.location.unwrap().0.ends_with("panic.rs"));
        let [exception] = cause.exceptions.as_slice() else { panic!("{cause:?}") };
        assert_eq!((exception.type_name.as_str(), exception.id), ("panic", second_id));
        assert!(
            exception.stack[0].path.ends_with("panic.rs") && exception.stack[0].line > 0,
            "{exception:?}"
        );
        assert!(take().is_none());
    }

    #[test]
    fn a_payload_that_is_no_text_is_said_to_be() {
        install();
        assert!(catch_unwind(|| panic_any(7)).is_err());
        assert!(take().unwrap().message.contains("no text"));
        assert!(catch_unwind(|| panic_any("é".repeat(5_000))).is_err());
        assert_eq!(take().unwrap().message.chars().count(), MAX_MESSAGE_CHARS);
    }
}
