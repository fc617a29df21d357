//! What the attribute `#[xray_capture]` expands to calls. Reached through the crate's `__private` only.

mod captured;
mod entry;
mod guard;
mod probe;

pub use captured::Captured;
pub use entry::{Entry, entry, segment};
pub(crate) use guard::unwound;
pub use guard::{Guard, enter};
pub use probe::{never, probe, quiet};

pub use probe::Quiet;
pub(crate) use probe::{ErrorSeen, Outcome, Place};

use crate::context;
use crate::entity::Entity;
use crate::error::{self, ErrorClass, Seen};
use crate::exception::Cause;
use crate::record::{FIRST, flag};

/// The type of what an `async fn` that never returns gives.
pub type Never = std::convert::Infallible;

/// Records the error of a captured function on the entity that is current, as its flags say.
#[cold]
#[inline(never)]
pub(crate) fn record_error(seen: ErrorSeen<'_>, place: Place) {
    let key = context::current();
    if key < FIRST {
        return;
    }
    let flags =
        context::with_chunk(key, |chunk| chunk.record(key).map(|record| record.flags)).flatten().unwrap_or(0);
    if flags & flag::ERR_IS_IGNORED != 0 {
        return;
    }
    let class = if flags & flag::ERR_IS_THROTTLE != 0 {
        ErrorClass::Throttle
    } else if flags & flag::ERR_IS_ERROR != 0 {
        ErrorClass::Error
    } else {
        ErrorClass::Fault
    };
    // Display and Debug are the user's: a panic in them must not become one of the captured function.
    let cause = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match &seen {
        ErrorSeen::Error { error, type_name } => Cause::from_error(*error, type_name),
        ErrorSeen::Report { error, debug, type_name } => Cause::from_report(*error, *debug, type_name),
        ErrorSeen::Text { text, type_name } => Cause::from_message(type_name, &text.to_string()),
        ErrorSeen::Name { type_name } => Cause::from_message(type_name, type_name),
    }));
    let cause =
        cause.unwrap_or_else(|_| Cause::from_message("error", "the error's Display or Debug panicked"));
    let seen = Seen { location: place.location, function: Some(place.function) };
    error::record(&Entity::local(key), cause, class.bits(), Some(seen));
}
