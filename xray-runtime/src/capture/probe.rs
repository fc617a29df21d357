//! What can be said of a function's error, found out by the compiler while it resolves a method.
//!
//! `probe::<R>()` has an inherent method `shape` for each kind of `R` that is worth a look: a `Result`, a boxed future of
//! one, a boxed future. Where none applies, the probe dereferences to the next step. What `shape` returns has
//! an inherent `pick` in the same way, one step for each thing that the error may be able to do:
//!
//! | step | bound on `E` | recorded |
//! |---|---|---|
//! | 1 | `Error` | its text, the chain of its sources, the type's name |
//! | 2 | `Deref` to a `dyn Error`, `Debug` | the same: `anyhow::Error`, `eyre::Report`, `Box<dyn Error>` |
//! | 3 | `Display` | its text |
//! | 4 | `Debug` | its text |
//! | 5 | none | the type's name |
//!
//! Since the methods are inherent, no trait has to be in the user's scope; since resolution sees the function's where
//! clauses, a generic `E: Display` is recorded by its text; and since a probe knows the type alone, it
//! runs before the body and what it returns has no size. Report types stand before `Display`, which they have as well: their sources would be lost.

use std::any::type_name;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;

use super::{Captured, Entry, Guard, record_error};

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

/// Step 1 of `shape`: a `Result`, or a boxed future of one.
pub struct Probe<R>(Other<R>);
/// Step 2 of `shape`: a boxed future of anything else.
pub struct Other<R>(Anything<R>);
/// Step 3 of `shape`: neither.
pub struct Anything<R>(PhantomData<fn() -> R>);

/// A probe for functions that return `R`.
pub const fn probe<R>() -> Probe<R> {
    Probe(Other(Anything(PhantomData)))
}

/// The pick of functions that return no `Result`.
pub const fn quiet<R>() -> Pick<Quiet, Direct<R>> {
    Pick(Quiet, PhantomData)
}

/// A future that is `Send`, as `async_trait` and `BoxFuture` make it.
type SendFuture<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;
/// A future that need not be, as `async_trait(?Send)` and `LocalBoxFuture` make it.
type LocalFuture<'a, R> = Pin<Box<dyn Future<Output = R> + 'a>>;

impl<T, E> Probe<Result<T, E>> {
    /// The error decides.
    pub fn shape(&self) -> ErrorProbe<E, Direct<Result<T, E>>> {
        ErrorProbe::new()
    }
}

impl<T, E> Probe<SendFuture<'_, Result<T, E>>> {
    /// The error of the future's output decides.
    pub fn shape(&self) -> ErrorProbe<E, InBox> {
        ErrorProbe::new()
    }
}

impl<T, E> Probe<LocalFuture<'_, Result<T, E>>> {
    /// The error of the future's output decides.
    pub fn shape(&self) -> ErrorProbe<E, InBox> {
        ErrorProbe::new()
    }
}

impl<R> Other<SendFuture<'_, R>> {
    /// A future of something that is no `Result`.
    pub fn shape(&self) -> Picked<InBox> {
        Picked(PhantomData)
    }
}

impl<R> Other<LocalFuture<'_, R>> {
    /// A future of something that is no `Result`.
    pub fn shape(&self) -> Picked<InBox> {
        Picked(PhantomData)
    }
}

impl<R> Anything<R> {
    /// Nothing to observe but a panic.
    pub fn shape(&self) -> Picked<Direct<R>> {
        Picked(PhantomData)
    }
}

impl<R> Deref for Probe<R> {
    type Target = Other<R>;
    fn deref(&self) -> &Other<R> {
        &self.0
    }
}

impl<R> Deref for Other<R> {
    type Target = Anything<R>;
    fn deref(&self) -> &Anything<R> {
        &self.0
    }
}

/// The shape decided already.
pub struct Picked<W>(PhantomData<fn() -> W>);

impl<W> Picked<W> {
    /// Records no error.
    pub fn pick(&self) -> Pick<Quiet, W> {
        Pick(Quiet, PhantomData)
    }
}

/// Step 1 of `pick`; `W` says whether the `Result` is returned or is the output of a boxed future.
pub struct ErrorProbe<E, W>(ReportProbe<E, W>);
/// Step 2 of `pick`.
pub struct ReportProbe<E, W>(DisplayProbe<E, W>);
/// Step 3 of `pick`.
pub struct DisplayProbe<E, W>(DebugProbe<E, W>);
/// Step 4 of `pick`.
pub struct DebugProbe<E, W>(NameProbe<E, W>);
/// Step 5 of `pick`.
pub struct NameProbe<E, W>(PhantomData<fn() -> E>, PhantomData<fn() -> W>);

impl<E, W> ErrorProbe<E, W> {
    const fn new() -> Self {
        Self(ReportProbe(DisplayProbe(DebugProbe(NameProbe(PhantomData, PhantomData)))))
    }
}

impl<E: Error, W> ErrorProbe<E, W> {
    /// The text and the chain of sources.
    pub fn pick(&self) -> Pick<AsError, W> {
        Pick(AsError, PhantomData)
    }
}

impl<E: Deref<Target: DynError> + Debug, W> ReportProbe<E, W> {
    /// The text and the chain of sources, of the error inside.
    pub fn pick(&self) -> Pick<AsReport, W> {
        Pick(AsReport, PhantomData)
    }
}

impl<E: Display, W> DisplayProbe<E, W> {
    /// The text.
    pub fn pick(&self) -> Pick<AsDisplay, W> {
        Pick(AsDisplay, PhantomData)
    }
}

impl<E: Debug, W> DebugProbe<E, W> {
    /// The text for developers.
    pub fn pick(&self) -> Pick<AsDebug, W> {
        Pick(AsDebug, PhantomData)
    }
}

impl<E, W> NameProbe<E, W> {
    /// The type's name.
    pub fn pick(&self) -> Pick<AsName, W> {
        Pick(AsName, PhantomData)
    }
}

impl<E, W> Deref for ErrorProbe<E, W> {
    type Target = ReportProbe<E, W>;
    fn deref(&self) -> &ReportProbe<E, W> {
        &self.0
    }
}

impl<E, W> Deref for ReportProbe<E, W> {
    type Target = DisplayProbe<E, W>;
    fn deref(&self) -> &DisplayProbe<E, W> {
        &self.0
    }
}

impl<E, W> Deref for DisplayProbe<E, W> {
    type Target = DebugProbe<E, W>;
    fn deref(&self) -> &DebugProbe<E, W> {
        &self.0
    }
}

impl<E, W> Deref for DebugProbe<E, W> {
    type Target = NameProbe<E, W>;
    fn deref(&self) -> &NameProbe<E, W> {
        &self.0
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

/// The value, of type `R`, is returned as it is. Named, so that the body's type settles what `R` leaves open (`impl Trait`).
pub struct Direct<R>(PhantomData<fn() -> R>);
/// The value is the output of a boxed future.
pub struct InBox;

/// What `pick` found: calls the function's body, and observes what it returns.
pub struct Pick<K, W>(K, PhantomData<fn() -> W>);

impl<K: Outcome<R>, R> Pick<K, Direct<R>> {
    /// Begins a function that is not `async`.
    pub fn begin(self, name: &'static str) -> Begun<K, R> {
        Begun { guard: Guard::begin(name), outcome: self.0, value: PhantomData }
    }

    /// As `begin`, with an entry.
    pub fn begin_entry(self, entry: Entry) -> Begun<K, R> {
        Begun { guard: entry.enter(), outcome: self.0, value: PhantomData }
    }

    /// The future of an `async fn`, begun at its first poll.
    #[track_caller]
    pub fn future<F: Future<Output = R>>(self, name: &'static str, future: F) -> Captured<F, K> {
        Captured::new(name, future, self.0)
    }

    /// As `future`, with an entry.
    #[track_caller]
    pub fn future_entry<F: Future<Output = R>>(self, entry: Entry, future: F) -> Captured<F, K> {
        Captured::from_entry(entry, future, self.0)
    }

    /// The future that the body `f` returns; its parent is the entity current now.
    #[track_caller]
    pub fn returned<T: Future<Output = R>, F: FnOnce() -> T>(
        self,
        name: &'static str,
        f: F,
    ) -> Captured<T, Within<K>> {
        Captured::here(name, f(), Within::new::<F>(self.0))
    }

    /// As `returned`, with an entry.
    #[track_caller]
    pub fn returned_entry<T: Future<Output = R>, F: FnOnce() -> T>(
        self,
        entry: Entry,
        f: F,
    ) -> Captured<T, Within<K>> {
        Captured::from_entry(entry, f(), Within::new::<F>(self.0))
    }
}

impl<K> Pick<K, InBox> {
    /// Begins a function that returns a boxed future: its parent is the entity current now.
    pub fn begin(self, name: &'static str) -> BegunBox<K> {
        BegunBox(Opening::Name(name), self.0)
    }

    /// As `begin`, with an entry.
    pub fn begin_entry(self, entry: Entry) -> BegunBox<K> {
        BegunBox(Opening::Entry(entry), self.0)
    }
}

/// A function that has begun.
pub struct Begun<K, R> {
    guard: Guard,
    outcome: K,
    value: PhantomData<fn() -> R>,
}

impl<K: Outcome<R>, R> Begun<K, R> {
    /// Runs the body.
    //
    // One instance a function, so little of it: the guard comes begun, `f` is moved at once, and a panic in the recorder
    // leaks the value and leaves the guard to the callee. Each spares a cleanup block; where the body cannot panic none
    // is left. Inlined always, or LLVM works on the body of the closure three times over.
    #[inline(always)]
    #[track_caller]
    pub fn call<F: FnOnce() -> R>(self, f: F) -> R {
        let Self { guard, outcome, .. } = self;
        let value = ManuallyDrop::new(f());
        conclude(guard, outcome.error(&value), K::RECORD, Location::caller(), type_name::<F>());
        ManuallyDrop::into_inner(value)
    }
}

/// Ends a function, with its error if it returned one.
#[inline]
fn conclude<E>(
    guard: Guard,
    error: Option<&E>,
    record: fn(&E, Place),
    location: &'static Location<'static>,
    function: &'static str,
) {
    match error {
        None => guard.end(),
        Some(error) => fail(guard, error, record, location, function),
    }
}

#[cold]
#[inline(never)]
fn fail<E>(
    guard: Guard,
    error: &E,
    record: fn(&E, Place),
    location: &'static Location<'static>,
    function: &'static str,
) {
    record(error, Place { location, function });
    guard.end();
}

/// A function that returns a boxed future.
pub struct BegunBox<K>(Opening, K);

/// What the future opens.
enum Opening {
    Name(&'static str),
    Entry(Entry),
}

impl<K> BegunBox<K> {
    /// Runs the body and captures the future that it returns.
    #[track_caller]
    pub fn call<R: Boxed<Within<K>>, F: FnOnce() -> R>(self, f: F) -> R {
        let outcome = Within::new::<F>(self.1);
        match self.0 {
            Opening::Name(name) => R::here(name, f(), outcome),
            Opening::Entry(entry) => R::from_entry(entry, f(), outcome),
        }
    }
}

/// Boxed futures, captured in a box of the same type.
pub trait Boxed<K>: Sized {
    /// Captured by its name.
    #[track_caller]
    fn here(name: &'static str, future: Self, outcome: K) -> Self;
    /// Captured by an entry.
    #[track_caller]
    fn from_entry(entry: Entry, future: Self, outcome: K) -> Self;
}

impl<'a, R: 'a, K: Outcome<R> + 'a> Boxed<K> for LocalFuture<'a, R> {
    #[track_caller]
    fn here(name: &'static str, future: Self, outcome: K) -> Self {
        Box::pin(Captured::here(name, future, outcome))
    }

    #[track_caller]
    fn from_entry(entry: Entry, future: Self, outcome: K) -> Self {
        Box::pin(Captured::from_entry(entry, future, outcome))
    }
}

impl<'a, R: 'a, K: Outcome<R> + Send + 'a> Boxed<K> for SendFuture<'a, R> {
    #[track_caller]
    fn here(name: &'static str, future: Self, outcome: K) -> Self {
        Box::pin(Captured::here(name, future, outcome))
    }

    #[track_caller]
    fn from_entry(entry: Entry, future: Self, outcome: K) -> Self {
        Box::pin(Captured::from_entry(entry, future, outcome))
    }
}

/// An outcome of a future that a closure made: the place is the closure's, the future may come from anywhere. It does
/// not name the closure's type, which may borrow what the future does not.
#[derive(Clone, Copy)]
pub struct Within<K>(K, fn() -> &'static str);

impl<K> Within<K> {
    fn new<F>(outcome: K) -> Self {
        Self(outcome, type_name::<F>)
    }
}

impl<R, K: Outcome<R>> Outcome<R> for Within<K> {
    type Error = K::Error;
    const RECORD: fn(&K::Error, Place) = K::RECORD;

    fn error(self, value: &R) -> Option<&K::Error> {
        self.0.error(value)
    }

    fn place(self, place: Place) -> Place {
        Place { function: (self.1)(), ..place }
    }
}

impl Place {
    /// In the closure or future `F`.
    pub(crate) fn of<F>(location: &'static Location<'static>) -> Self {
        Self { location, function: type_name::<F>() }
    }
}

/// The dead value of an `async fn`'s edge: gives its block the type `T`, and is never reached.
pub fn never<T>() -> T {
    // Unreachable; a loop is a value of any type.
    loop {
        std::thread::park();
    }
}
