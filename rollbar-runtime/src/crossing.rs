//! One error that crosses several annotated functions is one item.
//!
//! Where an annotated function returns an `Err`, its report is remembered with the depth of the function. A function
//! further out that returns the same error, by any link of its chain, only moves that mark outwards. A second failure at the
//! same depth is another occurrence. What is remembered goes when the outermost function ends, and travels with its
//! future between polls.

use std::cell::RefCell;

use xray_error::{Chain, Identity, same_error};

use crate::current::{ERROR_CROSSES, STATE, State, flags, set_flag};

/// Errors that are remembered; of more, the oldest is forgotten.
const MAX: usize = 8;

/// An error that was reported.
#[derive(Debug)]
struct Reported {
    links: Vec<Identity>,
    depth: u32,
}

/// The errors that may cross the functions of one thread or future.
#[derive(Debug, Default)]
pub(crate) struct Crossing(Vec<Reported>);

thread_local! {
    static CROSSING: RefCell<Crossing> = const { RefCell::new(Crossing(Vec::new())) };
}

/// Whether the error has been reported by a function further in. If so it is known to have come this far.
pub(crate) fn is_known(chain: &Chain) -> bool {
    if flags() & ERROR_CROSSES == 0 {
        return false;
    }
    let depth = STATE.get().depth;
    with(|crossing| {
        let known = crossing
            .0
            .iter_mut()
            .find(|reported| reported.depth > depth && same_error(&reported.links, chain.identities()));
        known.map(|known| known.depth = depth).is_some()
    })
    .unwrap_or(false)
}

/// Remembers an error that an annotated function has reported.
pub(crate) fn remember(chain: &Chain) {
    remember_at(STATE.get().depth, chain);
}

/// Remembers an error that was reported within the annotated function that the thread is in, if it is in one: that
/// function may return it.
#[cfg_attr(not(any(feature = "tracing", feature = "log")), allow(dead_code))]
pub(crate) fn remember_inside(chain: &Chain) {
    let State { depth, .. } = STATE.get();
    if depth > 0 {
        remember_at(depth + 1, chain);
    }
}

fn remember_at(depth: u32, chain: &Chain) {
    let links = chain.identities().copied().collect();
    let remembered = with(|crossing| {
        // What came from further in and was not passed on is over.
        crossing.0.retain(|reported| reported.depth <= depth);
        if crossing.0.len() == MAX {
            crossing.0.remove(0);
        }
        crossing.0.push(Reported { links, depth });
    });
    if remembered.is_some() {
        set_flag(ERROR_CROSSES, true);
    }
}

/// Forgets all: the outermost function has ended.
pub(crate) fn forget() {
    drop(take());
}

/// Takes what is remembered off the thread, for the time that a future is not polled.
pub(crate) fn take() -> Option<Crossing> {
    set_flag(ERROR_CROSSES, false);
    with(std::mem::take).filter(|crossing| !crossing.0.is_empty())
}

/// Puts it back.
pub(crate) fn put(crossing: Crossing) {
    if with(|current| *current = crossing).is_some() {
        set_flag(ERROR_CROSSES, true);
    }
}

fn with<R>(f: impl FnOnce(&mut Crossing) -> R) -> Option<R> {
    CROSSING
        .try_with(|crossing| crossing.try_borrow_mut().ok().map(|mut crossing| f(&mut crossing)))
        .ok()
        .flatten()
}
