//! What is recorded of a value that a captured function returns.

use std::any::type_name;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::ops::Deref;
use std::panic::Location;

use crate::capture::record_error;

/// An error, with what its type can do.
pub(crate) enum ErrorSeen<'a> {
    /// An `Error`.
    Error { error: &'a (dyn Error + 'a), type_name: &'static str },
    /// An owned `dyn Error`. The `Debug` text of anyhow and eyre holds the backtrace, which their `Error` does not give.
    Report { error: &'a (dyn Error + 'a), debug: &'a dyn Debug, type_name: &'static str },
    /// A text of the value itself, not yet formatted.
    Text { text: fmt::Arguments<'a>, type_name: &'static str },
    /// Nothing but a type.
    Name { type_name: &'static str },
}

/// Where an error left a captured function.
#[derive(Clone, Copy)]
pub struct Place {
    /// The attribute.
    pub(crate) location: &'static Location<'static>,
    /// The type's name of a closure or future in the function: `path::{{closure}}`, to be trimmed.
    pub(crate) function: &'static str,
}

/// What is recorded of a value of type `R` when a function returns it.
pub trait Outcome<R>: Copy {
    /// What is looked at: the `E` of a `Result<T, E>`.
    type Error;

    /// Records an error on the current entity. A function of its own for each `E`, whatever `T` is.
    const RECORD: fn(&Self::Error, Place);

    /// The error, if `value` is one.
    fn error(self, value: &R) -> Option<&Self::Error>;

    /// The place to record.
    fn place(self, place: Place) -> Place {
        place
    }

    /// Records the error, if `value` is one.
    fn observe(self, value: &R, place: Place) {
        if let Some(error) = self.error(value) {
            Self::RECORD(error, self.place(place));
        }
    }
}

impl Place {
    /// In the closure or future `F`.
    pub(crate) fn of<F>(location: &'static Location<'static>) -> Self {
        Self { location, function: type_name::<F>() }
    }
}

/// The error types without a size that report types lead to.
pub trait DynError {
    /// The error.
    fn as_error<'a>(&'a self) -> &'a (dyn Error + 'a);
}

impl DynError for dyn Error + '_ {
    fn as_error<'a>(&'a self) -> &'a (dyn Error + 'a) {
        self
    }
}

impl DynError for dyn Error + Send + '_ {
    fn as_error<'a>(&'a self) -> &'a (dyn Error + 'a) {
        self
    }
}

impl DynError for dyn Error + Send + Sync + '_ {
    fn as_error<'a>(&'a self) -> &'a (dyn Error + 'a) {
        self
    }
}

/// An outcome that observes an `Error`.
#[derive(Clone, Copy)]
pub struct AsError;
/// One that observes what dereferences to a `dyn Error`.
#[derive(Clone, Copy)]
pub struct AsReport;
/// One that observes a text.
#[derive(Clone, Copy)]
pub struct AsDisplay;
/// One that observes a text for developers.
#[derive(Clone, Copy)]
pub struct AsDebug;
/// One that observes a type.
#[derive(Clone, Copy)]
pub struct AsName;
/// One that observes nothing.
#[derive(Clone, Copy)]
pub struct Quiet;

impl<T, E: Error> Outcome<Result<T, E>> for AsError {
    type Error = E;
    const RECORD: fn(&E, Place) = record_as_error::<E>;

    fn error(self, value: &Result<T, E>) -> Option<&E> {
        value.as_ref().err()
    }
}

impl<T, E: Deref<Target: DynError> + Debug> Outcome<Result<T, E>> for AsReport {
    type Error = E;
    const RECORD: fn(&E, Place) = record_as_report::<E>;

    fn error(self, value: &Result<T, E>) -> Option<&E> {
        value.as_ref().err()
    }
}

impl<T, E: Display> Outcome<Result<T, E>> for AsDisplay {
    type Error = E;
    const RECORD: fn(&E, Place) = record_as_display::<E>;

    fn error(self, value: &Result<T, E>) -> Option<&E> {
        value.as_ref().err()
    }
}

impl<T, E: Debug> Outcome<Result<T, E>> for AsDebug {
    type Error = E;
    const RECORD: fn(&E, Place) = record_as_debug::<E>;

    fn error(self, value: &Result<T, E>) -> Option<&E> {
        value.as_ref().err()
    }
}

impl<T, E> Outcome<Result<T, E>> for AsName {
    type Error = E;
    const RECORD: fn(&E, Place) = record_as_name::<E>;

    fn error(self, value: &Result<T, E>) -> Option<&E> {
        value.as_ref().err()
    }
}

impl<R> Outcome<R> for Quiet {
    type Error = Infallible;
    const RECORD: fn(&Infallible, Place) = |error, _| match *error {};

    fn error(self, _: &R) -> Option<&Infallible> {
        None
    }
}

#[cold]
#[inline(never)]
fn record_as_error<E: Error>(error: &E, place: Place) {
    record_error(ErrorSeen::Error { error, type_name: type_name::<E>() }, place);
}

#[cold]
#[inline(never)]
fn record_as_report<E: Deref<Target: DynError> + Debug>(error: &E, place: Place) {
    record_error(
        ErrorSeen::Report { error: error.as_error(), debug: error, type_name: type_name::<E>() },
        place,
    );
}

#[cold]
#[inline(never)]
fn record_as_display<E: Display>(error: &E, place: Place) {
    record_error(ErrorSeen::Text { text: format_args!("{error}"), type_name: type_name::<E>() }, place);
}

#[cold]
#[inline(never)]
fn record_as_debug<E: Debug>(error: &E, place: Place) {
    record_error(ErrorSeen::Text { text: format_args!("{error:?}"), type_name: type_name::<E>() }, place);
}

#[cold]
#[inline(never)]
fn record_as_name<E>(_: &E, place: Place) {
    record_error(ErrorSeen::Name { type_name: type_name::<E>() }, place);
}
