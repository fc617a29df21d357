//! The guard of an annotated function: counts the function while it runs, and settles what crosses it.

use std::marker::PhantomData;
use std::thread::panicking;

use super::entry::Details;
use crate::crossing;
use crate::current::{ERROR_CROSSES, PANIC_WAITS, SETTLES, STATE, State};
use crate::panic;

/// Counts a function that runs on this thread, until it is dropped.
#[derive(Debug)]
#[must_use = "the function ends when this is dropped"]
pub struct Guard {
    /// What the attribute's arguments have to say of a report.
    pub(super) details: Option<Box<Details>>,
    not_send: PhantomData<*const ()>,
}

/// Begins a function that returns no `Result`.
#[inline]
pub fn enter(_: &'static str) -> Guard {
    Guard::begin("")
}

impl Guard {
    #[inline(always)]
    pub(crate) fn begin(_: &'static str) -> Self {
        Self::of(None)
    }

    #[inline(always)]
    pub(super) fn of(details: Option<Box<Details>>) -> Self {
        deeper();
        Self { details, not_send: PhantomData }
    }

    /// The usual end of a function whose body is a closure.
    #[inline(always)]
    pub(crate) fn end(self) {}

    /// Records an error that the function returns.
    pub(crate) fn record(&mut self, record: impl FnOnce()) {
        super::recording(self.details.take(), record);
    }
}

impl Drop for Guard {
    #[inline(always)]
    fn drop(&mut self) {
        let state = shallower();
        if state.flags & SETTLES != 0 {
            settle(state, self.details.as_deref(), true);
        }
    }
}

#[inline(always)]
pub(super) fn deeper() {
    let state = STATE.get();
    STATE.set(State { depth: state.depth + 1, ..state });
}

/// The state after the function is no more counted.
#[inline(always)]
pub(super) fn shallower() -> State {
    let state = STATE.get();
    let state = State { depth: state.depth.wrapping_sub(1), ..state };
    STATE.set(state);
    state
}

/// A function ends, with a panic or an error that it may be crossed by.
#[cold]
#[inline(never)]
pub(super) fn settle(state: State, details: Option<&Details>, over: bool) {
    if state.flags & PANIC_WAITS != 0 {
        match details {
            // A panic that is over was caught further in: it is not this function's.
            Some(details) if panicking() => {
                panic::settle(Some(&|occurrence| details.say_of_panic(occurrence)))
            }
            _ => panic::settle(None),
        }
    }
    if state.flags & ERROR_CROSSES != 0 && state.depth == 0 && over {
        crossing::forget();
    }
}
