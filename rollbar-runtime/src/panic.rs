//! The panic hook: a panic is one item, with what the annotated function that it crosses has to say of it.
//!
//! `std` tells a panic's message and place to the hook only. Where the thread is in an annotated function, the hook leaves the
//! occurrence for the innermost of them, which adds its arguments on the way out; else it gives it in at once. The hook that
//! was there before is called in any case.

use std::cell::RefCell;
use std::error::Error;
use std::panic::PanicHookInfo;
use std::sync::Once;
use std::time::Duration;

use xray_error::Chain;

use crate::Level;
use crate::client::Rollbar;
use crate::current::{PANIC_WAITS, REPORTING, STATE, flags, set_flag};
use crate::occurrence::{Extras, Occurrence, Place, What};
use crate::report::{LIMITS, capture, deliver, guarded, taker};

/// How long a program that is about to abort waits for its last item.
const ABORT_FLUSH: Duration = Duration::from_secs(2);

/// A panic that waits.
struct Waiting {
    client: Rollbar,
    occurrence: Box<Occurrence>,
}

thread_local! {
    static WAITING: RefCell<Option<Waiting>> = const { RefCell::new(None) };
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
    // In a report, and on the worker, a panic is that of the user's own `Display` or hook: it is caught there.
    if flags() & REPORTING != 0 {
        return;
    }
    let aborts = cfg!(panic = "abort") || is_last(info);
    if aborts {
        settle(None);
    }
    let Some(client) = taker(Level::OF_PANIC) else { return };
    if !client.settings().panics {
        return;
    }
    let place = info.location().map(|place| Place {
        file: place.file().to_owned().into(),
        line: place.line(),
        method: None,
    });
    let what = guarded(|| What::Panic(chain(info)));
    if client.ignores(&what) {
        client.filter();
        return;
    }
    let occurrence = Box::new(capture(&client, Level::OF_PANIC, what, place, Extras::default(), true));
    if aborts {
        deliver(&client, occurrence);
        client.flush(ABORT_FLUSH);
    } else if STATE.get().depth > 0 {
        wait(Waiting { client, occurrence });
    } else {
        deliver(&client, occurrence);
    }
}

/// Whether the program is aborted after this panic, as `core` says: a destructor panicked while another panic unwound, or a
/// function that must not unwind did.
fn is_last(info: &PanicHookInfo<'_>) -> bool {
    info.payload_as_str().is_some_and(|message| {
        message.starts_with("panic in a destructor during cleanup")
            || message.starts_with("panic in a function that cannot unwind")
    })
}

/// A payload that is text is the message; one that is an error brings its causes.
fn chain(info: &PanicHookInfo<'_>) -> Chain {
    if let Some(message) = info.payload_as_str() {
        return Chain::from_message("panic", message, LIMITS);
    }
    let payload = info.payload();
    let error: Option<&(dyn Error + 'static)> = payload
        .downcast_ref::<Box<dyn Error + Send + Sync>>()
        .map(|error| &**error as &(dyn Error + 'static))
        .or_else(|| {
            payload.downcast_ref::<Box<dyn Error + Send>>().map(|error| &**error as &(dyn Error + 'static))
        });
    match error {
        Some(error) => Chain::from_error(error, "panic", LIMITS),
        None => Chain::from_message("panic", "(the payload of the panic is no text)", LIMITS),
    }
}

fn wait(waiting: Waiting) {
    // An earlier one was caught by the program, and no function has ended since.
    settle(None);
    let kept = WAITING.try_with(|slot| match slot.try_borrow_mut() {
        Ok(mut slot) => {
            *slot = Some(waiting);
            None
        }
        Err(_) => Some(waiting),
    });
    match kept {
        Ok(None) => set_flag(PANIC_WAITS, true),
        Ok(Some(waiting)) => {
            deliver(&waiting.client, waiting.occurrence);
        }
        Err(_) => {}
    }
}

/// Gives in the panic that waits, with what the function that it crosses has to say.
#[cold]
pub(crate) fn settle(say: Option<&dyn Fn(&mut Occurrence)>) {
    set_flag(PANIC_WAITS, false);
    let waiting = WAITING.try_with(|slot| slot.try_borrow_mut().ok().and_then(|mut slot| slot.take()));
    if let Ok(Some(Waiting { client, mut occurrence })) = waiting {
        if let Some(say) = say {
            say(&mut occurrence);
        }
        deliver(&client, occurrence);
    }
}
