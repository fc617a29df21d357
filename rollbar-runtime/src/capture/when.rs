//! `ignore(..)` and `when = ..`: an outcome that sees only the errors that are wanted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Direct, InBox, Outcome, Pick, Place};
use crate::current;

/// An outcome with a condition.
#[derive(Clone, Copy)]
pub struct When<K, P>(K, P);

impl<K: Outcome<R>, R> Pick<K, Direct<R>> {
    /// Reports only the errors that `wanted` wants.
    pub fn when<P: Fn(&K::Error) -> bool + Copy>(self, wanted: P) -> Pick<When<K, P>, Direct<R>> {
        self.map(|outcome| When(outcome, wanted))
    }
}

impl<K: Outcome<R>, R> Pick<K, InBox<R>> {
    /// Reports only the errors that `wanted` wants.
    pub fn when<P: Fn(&K::Error) -> bool + Copy>(self, wanted: P) -> Pick<When<K, P>, InBox<R>> {
        self.map(|outcome| When(outcome, wanted))
    }
}

impl<R, K: Outcome<R>, P: Fn(&K::Error) -> bool + Copy> Outcome<R> for When<K, P> {
    type Error = K::Error;
    const RECORD: fn(&K::Error, Place) = K::RECORD;

    fn error(self, value: &R) -> Option<&K::Error> {
        self.0.error(value).filter(|error| is_wanted(self.1, error))
    }

    fn place(self, place: Place) -> Place {
        self.0.place(place)
    }
}

/// Where nobody would take a report, the condition is not asked. One that panics wants the error: it must not become the
/// function's panic.
#[cold]
fn is_wanted<E>(wanted: impl Fn(&E) -> bool, error: &E) -> bool {
    let Some(client) = current::client().filter(|client| client.is_enabled()) else { return false };
    let wanted = catch_unwind(AssertUnwindSafe(|| wanted(error))).unwrap_or(true);
    if !wanted {
        client.filter();
    }
    wanted
}
