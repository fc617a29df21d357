//! What the arguments of the attribute say of a report. The expressions run before the function's body, which may move what
//! they look at; and only where a client takes reports.

use std::borrow::Cow;
use std::fmt::{self, Debug, Display};

use serde::Serialize;

use super::Guard;
use crate::Level;
use crate::current;
use crate::occurrence::{Extras, Occurrence};
use crate::report::guarded;
use crate::scope::json_of;

/// Characters of a captured argument's text, of a title and of a fingerprint.
const MAX_TEXT_CHARS: usize = 1_024;

/// A function that has begun, with arguments of its attribute.
#[derive(Debug)]
#[must_use = "the function ends at once where this is not used"]
pub struct Entry {
    details: Option<Box<Details>>,
}

/// What the arguments say.
#[derive(Debug, Default, Clone)]
pub struct Details {
    level: Option<Level>,
    extras: Extras,
}

/// Begins a function with arguments.
pub fn entry(_: &'static str) -> Entry {
    let takes = current::client().is_some_and(|client| client.is_enabled());
    Entry { details: takes.then(Box::default) }
}

impl Entry {
    /// Says something of a report, where one can be made. The expressions are the user's: what they report is theirs.
    pub fn with(mut self, say: impl FnOnce(&mut Details)) -> Self {
        if let Some(details) = &mut self.details {
            say(details);
        }
        self
    }

    /// An `Err` is reported as critical.
    pub fn critical(self) -> Self {
        self.at(Level::Critical)
    }

    /// An `Err` is reported as a warning.
    pub fn warning(self) -> Self {
        self.at(Level::Warning)
    }

    /// An `Err` is reported for information.
    pub fn info(self) -> Self {
        self.at(Level::Info)
    }

    /// An `Err` is reported for debugging.
    pub fn debug(self) -> Self {
        self.at(Level::Debug)
    }

    fn at(self, level: Level) -> Self {
        self.with(|details| details.level = Some(level))
    }

    /// The guard of a function that is not `async`.
    pub fn enter(self) -> Guard {
        Guard::of(self.details)
    }

    pub(super) fn into_details(self) -> Option<Box<Details>> {
        self.details
    }
}

impl Details {
    /// Where in the program it is.
    pub fn context(&mut self, context: impl Into<Cow<'static, str>>) {
        self.extras.context = Some(context.into());
    }

    /// What groups the occurrences into one item.
    pub fn fingerprint(&mut self, fingerprint: &dyn Display) {
        self.extras.fingerprint = Some(text(format_args!("{fingerprint}")));
    }

    /// A title.
    pub fn title(&mut self, title: &dyn Display) {
        self.extras.title = Some(text(format_args!("{title}")));
    }

    /// A value of the user's own.
    pub fn custom<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) {
        if let Some(value) = json_of(value) {
            self.extras.custom.insert(key.to_owned(), value);
        }
    }

    /// A variable, by its `Debug` text.
    pub fn local(&mut self, name: &'static str, value: &dyn Debug) {
        self.extras.locals.push((name.into(), text(format_args!("{value:?}"))));
    }

    pub(super) fn level(&self) -> Option<Level> {
        self.level
    }

    pub(super) fn extras(&self) -> Extras {
        self.extras.clone()
    }

    /// A panic keeps its level.
    pub(super) fn say_of_panic(&self, occurrence: &mut Occurrence) {
        occurrence.extras = self.extras();
    }
}

/// A text of the user's, within bounds; a panic of its `Display` or `Debug` is caught, and its reports are refused.
fn text(arguments: fmt::Arguments<'_>) -> String {
    guarded(|| xray_error::text_of(MAX_TEXT_CHARS, |out| fmt::write(out, arguments)))
}
