//! Reports made by hand: an error or a message, with what is to be said of it.

use std::any::type_name;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::Debug;
use std::ops::Deref;
use std::panic::Location;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Map;
use uuid::Uuid;
use xray_error::{Borrowed, Chain, Limits};

use crate::Level;
use crate::addresses;
use crate::client::Rollbar;
use crate::current::{self, REPORTING, flags, set_flag};
use crate::item::Person;
use crate::occurrence::{Extras, Occurrence, Place, What};
use crate::scope::{Scope, json_of};

/// Links of a chain of causes that are reported, and characters of each text.
pub(crate) const LIMITS: Limits = Limits { links: 32, message_chars: 64 * 1024 };

/// Reports an error with its causes, at level `error`, to the client in force.
///
/// The result is the occurrence's uuid, by which Rollbar finds it; `None` where nothing is reported: no client is
/// installed, it is disabled, or the error is filtered out.
///
/// ```
/// use rollbar_runtime::{Rollbar, report_error};
///
/// let (rollbar, captured) = Rollbar::in_memory();
/// let error = "seven".parse::<u32>().unwrap_err();
/// let uuid = rollbar.enter(|| report_error(&error));
/// let item = captured.only();
/// assert_eq!(item.class(), Some("core::num::error::ParseIntError"));
/// assert_eq!(item.message(), Some("invalid digit found in string"));
/// assert_eq!(uuid, Some(item.uuid()));
/// ```
#[track_caller]
pub fn report_error<E: Error + ?Sized>(error: &E) -> Option<Uuid> {
    Report::error(error).send()
}

/// Reports a message to the client in force; the result is as that of [`report_error`].
///
/// ```
/// use rollbar_runtime::{Level, Rollbar, report_message};
///
/// let (rollbar, captured) = Rollbar::in_memory();
/// rollbar.enter(|| report_message("Hello World!", Level::Warning));
/// assert_eq!(captured.only().message(), Some("Hello World!"));
/// ```
#[track_caller]
pub fn report_message(message: impl Into<String>, level: Level) -> Option<Uuid> {
    Report::message(message, level).send()
}

/// A report in the making: [`send`](Self::send) gives it to the client in force.
///
/// ```
/// use rollbar_runtime::{Level, Report, Rollbar};
///
/// let (rollbar, captured) = Rollbar::in_memory();
/// rollbar.enter(|| {
///     Report::message("payment is slow", Level::Warning)
///         .fingerprint("slow-payment")
///         .custom("seconds", 15.2)
///         .send()
/// });
/// assert_eq!(captured.only().json()["custom"]["seconds"], 15.2);
/// ```
#[derive(Debug)]
#[must_use = "a report does nothing before `send`"]
pub struct Report {
    /// `None` where nobody would take it: then all else is skipped too.
    draft: Option<Box<Draft>>,
}

#[derive(Debug)]
struct Draft {
    client: Rollbar,
    what: What,
    level: Level,
    place: &'static Location<'static>,
    extras: Extras,
    backtrace: bool,
}

impl Report {
    #[track_caller]
    fn new(level: Level, what: impl FnOnce() -> What) -> Self {
        let place = Location::caller();
        let draft = taker(level).map(|client| {
            let backtrace = client.settings().backtraces;
            let what = guarded(what);
            Box::new(Draft { client, what, level, place, extras: Extras::default(), backtrace })
        });
        Self { draft }
    }

    /// An error with its causes; level `error`.
    #[track_caller]
    pub fn error<E: Error + ?Sized>(error: &E) -> Self {
        Self::new(Level::Error, || What::Error(Chain::from_error(&Borrowed(error), type_name::<E>(), LIMITS)))
    }

    /// An error in a box of some kind, such as `anyhow::Error`, `eyre::Report` or `Box<dyn Error>`, with its causes and, where
    /// it has one, its own backtrace; level `error`.
    #[track_caller]
    pub fn boxed<E>(error: &E) -> Self
    where
        E: Deref + Debug,
        E::Target: Error,
    {
        Self::new(Level::Error, || {
            What::Error(Chain::from_report(&Borrowed(&**error), error, type_name::<E>(), LIMITS))
        })
    }

    /// A message.
    #[track_caller]
    pub fn message(message: impl Into<String>, level: Level) -> Self {
        let mut report = Self::new(level, || {
            let mut text = message.into();
            if text.len() > MAX_MESSAGE_BYTES {
                text.truncate(xray_error::cut(&text, MAX_MESSAGE_BYTES / 4).len());
                text.shrink_to_fit();
            }
            What::Message { text, fields: Map::new() }
        });
        if let Some(draft) = &mut report.draft {
            draft.backtrace = false;
        }
        report
    }

    fn with(mut self, say: impl FnOnce(&mut Draft)) -> Self {
        if let Some(draft) = &mut self.draft {
            say(draft);
        }
        self
    }

    /// At this level.
    pub fn level(self, level: Level) -> Self {
        self.with(|draft| draft.level = level)
    }

    /// With what groups its occurrences into one item.
    pub fn fingerprint(self, fingerprint: impl Into<String>) -> Self {
        self.with(|draft| draft.extras.fingerprint = Some(fingerprint.into()))
    }

    /// With a title of your own; cut at 255 characters.
    pub fn title(self, title: impl Into<String>) -> Self {
        self.with(|draft| draft.extras.title = Some(title.into()))
    }

    /// With where in the program it happened; cut at 255 characters.
    pub fn context(self, context: impl Into<String>) -> Self {
        self.with(|draft| draft.extras.context = Some(Cow::Owned(context.into())))
    }

    /// With whom it happened to.
    pub fn person(self, person: Person) -> Self {
        self.with(|draft| draft.extras.person = Some(person))
    }

    /// With a value of your own, beside those of the scope: anything that serde can write as JSON.
    pub fn custom(self, key: impl Into<String>, value: impl Serialize) -> Self {
        self.with(|draft| {
            if let Some(value) = json_of(value) {
                draft.extras.custom.insert(key.into(), value);
            }
        })
    }

    /// With the stack of the caller, or without; by default as
    /// [`RollbarBuilder::backtraces`](crate::RollbarBuilder::backtraces) says for errors, without for messages.
    pub fn backtrace(self, backtrace: bool) -> Self {
        self.with(|draft| draft.backtrace = backtrace)
    }

    /// Gives it to the client. The result is as that of [`report_error`].
    pub fn send(self) -> Option<Uuid> {
        let Draft { client, what, level, place, extras, backtrace } = *self.draft?;
        let place = Place { file: place.file().into(), line: place.line(), method: None };
        submit(&client, level, what, Some(place), extras, backtrace)
    }
}

/// Bytes of a message that are kept on the way: the API takes 512 KiB in all.
const MAX_MESSAGE_BYTES: usize = 512 * 1024;

/// The client that would take a report of this level here.
pub(crate) fn taker(level: Level) -> Option<Rollbar> {
    let client = current::client()?;
    if !client.settings().enabled {
        return None;
    }
    let client = client.of_this_process();
    if flags() & REPORTING != 0 {
        client.refuse_recursive();
        return None;
    }
    if level < client.settings().report_level {
        client.filter();
        return None;
    }
    Some(client)
}

/// Makes what is reported out of the user's values. Whatever these report while they are read is refused.
pub(crate) fn guarded<R>(f: impl FnOnce() -> R) -> R {
    struct Reporting {
        before: bool,
    }
    impl Drop for Reporting {
        fn drop(&mut self) {
            set_flag(REPORTING, self.before);
        }
    }
    // What is read within a report, by a scope's method in a `Display`, does not end it.
    let _reporting = Reporting { before: flags() & REPORTING != 0 };
    set_flag(REPORTING, true);
    f()
}

/// Completes an occurrence and gives it in.
pub(crate) fn submit(
    client: &Rollbar,
    level: Level,
    what: What,
    place: Option<Place>,
    extras: Extras,
    backtrace: bool,
) -> Option<Uuid> {
    if client.ignores(&what) || level < client.settings().report_level {
        client.filter();
        return None;
    }
    let occurrence = capture(client, level, what, place, extras, backtrace);
    let uuid = occurrence.uuid;
    deliver(client, Box::new(occurrence)).then_some(uuid)
}

/// What is known here and now.
pub(crate) fn capture(
    client: &Rollbar,
    level: Level,
    what: What,
    place: Option<Place>,
    extras: Extras,
    backtrace: bool,
) -> Occurrence {
    let scope = current::scope();
    let addresses = if backtrace { addresses::capture() } else { Box::default() };
    let known = scope.as_ref().map_or_else(|| client.root_scope().snapshot(), Scope::snapshot);
    if let Some(served) = &known.served
        && (level >= Level::Error || !matches!(what, What::Message { .. }))
    {
        served.mark_reported(matches!(what, What::Panic(_)));
    }
    let uuid = client.next_uuid();
    Occurrence {
        uuid,
        level,
        time: SystemTime::now(),
        what,
        place,
        addresses,
        known,
        extras,
        trace: crate::trace::join(uuid),
        thread: std::thread::current().name().map(Into::into),
        coalesced: 0,
    }
}

/// Gives an occurrence in; false where it is lost at once.
pub(crate) fn deliver(client: &Rollbar, occurrence: Box<Occurrence>) -> bool {
    guarded(|| client.take_in(occurrence))
}
