//! The panic hook: a panic is one item, with what the annotated function that it crosses has to say of it.
//!
//! `std` tells a panic's message and place to the hook only. Where the thread is in an annotated function, the hook leaves the
//! occurrence for the innermost of them, which adds its arguments on the way out; else it gives it in at once. The hook that
//! was there before is called in any case.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::panic::PanicHookInfo;
use std::sync::Once;

use xray_error::Chain;

use crate::Level;
use crate::client::Rollbar;
use crate::current::{PANIC_WAITS, REPORTING, STATE, flags, set_flag};
use crate::occurrence::{Extras, Occurrence, Place, What};
use crate::report::{LIMITS, capture, deliver, guarded, taker};

/// A panic that waits.
struct Waiting {
    client: Rollbar,
    occurrence: Box<Occurrence>,
}

thread_local! {
    static NOTED: Cell<u32> = const { Cell::new(0) };
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
    NOTED.set(NOTED.get().wrapping_add(1));
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
    let what = What::Panic(chain_in_hook(info.payload()));
    if client.ignores(&what) {
        client.filter();
        return;
    }
    let occurrence = Box::new(capture(&client, Level::OF_PANIC, what, place, Extras::default(), true));
    if aborts {
        deliver(&client, occurrence);
        client.flush_before_abort();
    } else if STATE.get().depth > 0 {
        wait(Waiting { client, occurrence });
    } else {
        deliver(&client, occurrence);
    }
}

/// How many panics of this thread the hook has seen: so it is known whether it is in its place.
#[cfg_attr(not(feature = "tower"), allow(dead_code))]
pub(crate) fn noted() -> u32 {
    NOTED.get()
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
pub(crate) fn chain(payload: &dyn Any) -> Chain {
    let text = payload.downcast_ref::<&str>().copied();
    if let Some(message) = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)) {
        return Chain::from_message("panic", message, LIMITS);
    }
    match error_in(payload) {
        Some(error) => Chain::from_error(error, "panic", LIMITS),
        None => Chain::from_message("panic", "(the payload of the panic is no text)", LIMITS),
    }
}

/// The same within the hook. There a panic of an error's `Display` would abort the program: who can be read from another thread is.
fn chain_in_hook(payload: &(dyn Any + Send)) -> Chain {
    let unread =
        || Chain::from_message("panic", "(the error in the payload of the panic cannot be read)", LIMITS);
    match payload.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        Some(error) => beside(|| Chain::from_error(&**error, "panic", LIMITS)).unwrap_or_else(unread),
        None if payload.is::<Box<dyn Error + Send>>() => unread(),
        None => chain(payload),
    }
}

/// Runs the user's code for a thread that panics, on another one: in the panic hook a second panic of the same thread aborts the
/// program, even where it would be caught.
pub(crate) fn beside<T: Send>(user: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("rollbar".to_owned());
        thread.spawn_scoped(scope, || guarded(user)).ok()?.join().ok()
    })
}

/// The error in a box of the usual kinds.
pub(crate) fn error_in(boxed: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = boxed.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(&**error);
    }
    boxed.downcast_ref::<Box<dyn Error + Send>>().map(|error| &**error as _)
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
