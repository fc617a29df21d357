//! What the attribute `#[rollbar_report]` expands to calls. Reached through the crate's `__private` only.
//!
//! `probe.rs` and the folder of its name are those of xray-runtime: one text, compiled into both crates, since the methods
//! that the compiler chooses between must be inherent ones of types of the crate.

mod captured;
mod entry;
mod guard;
mod probe;
mod seen;
mod when;

use std::borrow::Cow;
use std::cell::RefCell;

pub use captured::Captured;
pub use entry::{Details, Entry, entry};
pub use guard::{Guard, enter};
pub(crate) use probe::{Direct, ErrorSeen, InBox, Outcome, Pick, Place};
pub use probe::{Quiet, never, probe, quiet};
pub use seen::seen;

use xray_error::{Chain, function_of};

use crate::Level;
use crate::crossing;
use crate::occurrence::{self, What};
use crate::report::{LIMITS, guarded, submit, taker};

/// The type of what an `async fn` that never returns gives.
pub type Never = std::convert::Infallible;

thread_local! {
    /// What the arguments of the function whose error is being recorded say.
    static DETAILS: RefCell<Option<Box<Details>>> = const { RefCell::new(None) };
}

/// Records an error, with what the function's arguments say of it.
#[cold]
fn recording(details: Option<Box<Details>>, record: impl FnOnce()) {
    let put =
        |details| DETAILS.try_with(|slot| slot.try_borrow_mut().map(|mut slot| *slot = details).is_ok());
    if details.is_some() {
        let _ = put(details);
    }
    record();
}

/// Reports the error of an annotated function, if it is not one that a function further in has reported.
#[cold]
#[inline(never)]
pub(crate) fn record_error(seen: ErrorSeen<'_>, place: Place) {
    let details =
        DETAILS.try_with(|slot| slot.try_borrow_mut().ok().and_then(|mut slot| slot.take())).ok().flatten();
    let level = details.as_ref().and_then(|details| details.level()).unwrap_or(Level::Error);
    let Some(client) = taker(level) else { return };
    let chain = guarded(|| chain(&seen));
    if crossing::is_known(&chain) {
        return;
    }
    crossing::remember(&chain);
    let place = occurrence::Place {
        file: Cow::Borrowed(place.location.file()),
        line: place.location.line(),
        method: Some(Cow::Borrowed(function_of(place.function))),
    };
    let extras = details.map(|details| details.extras()).unwrap_or_default();
    let backtrace = client.settings().backtraces;
    submit(&client, level, What::Error(chain), Some(place), extras, backtrace);
}

fn chain(seen: &ErrorSeen<'_>) -> Chain {
    match seen {
        ErrorSeen::Error { error, type_name } => Chain::from_error(*error, type_name, LIMITS),
        ErrorSeen::Report { error, debug, type_name } => {
            Chain::from_report(*error, *debug, type_name, LIMITS)
        }
        ErrorSeen::Text { text, type_name } => {
            let text = xray_error::text_of(LIMITS.message_chars, |out| std::fmt::write(out, *text));
            Chain::from_message(type_name, &text, LIMITS)
        }
        ErrorSeen::Name { type_name } => Chain::from_message(type_name, type_name, LIMITS),
    }
}
