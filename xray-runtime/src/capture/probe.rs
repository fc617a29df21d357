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

mod outcome;
mod pick;

use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use outcome::{AsDebug, AsDisplay, AsError, AsName, AsReport, DynError};
pub(crate) use pick::{Direct, InBox, Pick};

pub use outcome::Quiet;
pub(crate) use outcome::{ErrorSeen, Outcome, Place};

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
    Pick::new(Quiet)
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
    pub fn shape(&self) -> ErrorProbe<E, InBox<Result<T, E>>> {
        ErrorProbe::new()
    }
}

impl<T, E> Probe<LocalFuture<'_, Result<T, E>>> {
    /// The error of the future's output decides.
    pub fn shape(&self) -> ErrorProbe<E, InBox<Result<T, E>>> {
        ErrorProbe::new()
    }
}

impl<R> Other<SendFuture<'_, R>> {
    /// A future of something that is no `Result`.
    pub fn shape(&self) -> Picked<InBox<R>> {
        Picked(PhantomData)
    }
}

impl<R> Other<LocalFuture<'_, R>> {
    /// A future of something that is no `Result`.
    pub fn shape(&self) -> Picked<InBox<R>> {
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
        Pick::new(Quiet)
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
        Pick::new(AsError)
    }
}

impl<E: Deref<Target: DynError> + Debug, W> ReportProbe<E, W> {
    /// The text and the chain of sources, of the error inside.
    pub fn pick(&self) -> Pick<AsReport, W> {
        Pick::new(AsReport)
    }
}

impl<E: Display, W> DisplayProbe<E, W> {
    /// The text.
    pub fn pick(&self) -> Pick<AsDisplay, W> {
        Pick::new(AsDisplay)
    }
}

impl<E: Debug, W> DebugProbe<E, W> {
    /// The text for developers.
    pub fn pick(&self) -> Pick<AsDebug, W> {
        Pick::new(AsDebug)
    }
}

impl<E, W> NameProbe<E, W> {
    /// The type's name.
    pub fn pick(&self) -> Pick<AsName, W> {
        Pick::new(AsName)
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

/// The dead value of an `async fn`'s edge: gives its block the type `T`, and is never reached.
pub fn never<T>() -> T {
    // Unreachable; a loop is a value of any type.
    loop {
        std::thread::park();
    }
}
