//! What the attribute calls once it is known what the error can do: runs or wraps the function's body, and observes
//! what that returns.

use std::any::type_name;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::Location;

use super::outcome::{Outcome, Place, Quiet};
use super::{LocalFuture, SendFuture};
use crate::capture::{Captured, Entry, Guard};

/// The value, of type `R`, is returned as it is. Named, so that the body's type settles what `R` leaves open (`impl Trait`).
pub struct Direct<R>(PhantomData<fn() -> R>);
/// The value, of type `R`, is the output of a boxed future.
pub struct InBox<R>(PhantomData<fn() -> R>);

/// What `pick` found: calls the function's body, and observes what it returns.
pub struct Pick<K, W>(K, PhantomData<fn() -> W>);

impl<K, W> Pick<K, W> {
    pub(super) const fn new(outcome: K) -> Self {
        Self(outcome, PhantomData)
    }

    /// The same, with another outcome.
    pub fn map<L>(self, change: impl FnOnce(K) -> L) -> Pick<L, W> {
        Pick(change(self.0), PhantomData)
    }
}

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

impl<K, R> Pick<K, InBox<R>> {
    /// Begins a function that returns a boxed future: its parent is the entity current now.
    pub fn begin(self, name: &'static str) -> BegunBox<K> {
        BegunBox(Opening::Name(name), self.0)
    }

    /// As `begin`, with an entry.
    pub fn begin_entry(self, entry: Entry) -> BegunBox<K> {
        BegunBox(Opening::Entry(entry), self.0)
    }

    /// The future of an `async fn` whose value is a boxed future: that one is the caller's to await.
    #[track_caller]
    pub fn future<F: Future>(self, name: &'static str, future: F) -> Captured<F, Quiet> {
        Captured::new(name, future, Quiet)
    }

    /// As `future`, with an entry.
    #[track_caller]
    pub fn future_entry<F: Future>(self, entry: Entry, future: F) -> Captured<F, Quiet> {
        Captured::from_entry(entry, future, Quiet)
    }

    /// The future that the body `f` returns, whose value is a boxed future.
    #[track_caller]
    pub fn returned<T: Future, F: FnOnce() -> T>(self, name: &'static str, f: F) -> Captured<T, Quiet> {
        Captured::here(name, f(), Quiet)
    }

    /// As `returned`, with an entry.
    #[track_caller]
    pub fn returned_entry<T: Future, F: FnOnce() -> T>(self, entry: Entry, f: F) -> Captured<T, Quiet> {
        Captured::from_entry(entry, f(), Quiet)
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
    mut guard: Guard,
    error: &E,
    record: fn(&E, Place),
    location: &'static Location<'static>,
    function: &'static str,
) {
    guard.record(|| record(error, Place { location, function }));
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
