//! `ignore(Type)`: whether an error, or one that it is due to, is of a type. By the same steps as the probe's: each has an
//! inherent `is`, and dereferences to the next.

use std::any::type_name;
use std::error::Error;
use std::ops::Deref;

use xray_error::caught;

use crate::report::guarded;

/// Links of a chain that are looked at: a chain may be a ring.
const MAX_LINKS: usize = 32;

/// Step 1: an `Error`.
pub struct Seen<'a, E>(SeenReport<'a, E>);
/// Step 2: a box of one, such as `anyhow::Error`.
pub struct SeenReport<'a, E>(SeenName<'a, E>);
/// Step 3: anything.
pub struct SeenName<'a, E>(&'a E);

/// An error to be asked for its type.
pub fn seen<E>(error: &E) -> Seen<'_, E> {
    Seen(SeenReport(SeenName(error)))
}

impl<E: Error> Seen<'_, E> {
    /// Whether the error is an `A`, or is due to one. The first is told by its name, since it may hold borrows.
    pub fn is<A: Error + 'static>(&self) -> bool {
        let error = self.0.0.0;
        type_name::<E>() == type_name::<A>()
            || guarded(|| caught(|| has::<A>(error.source()))).unwrap_or(false)
    }
}

impl<E: Deref<Target: StaticError>> SeenReport<'_, E> {
    /// Whether the error in the box is an `A`, or is due to one.
    pub fn is<A: Error + 'static>(&self) -> bool {
        let error = self.0.0;
        type_name::<E>() == type_name::<A>()
            || guarded(|| caught(|| has::<A>(Some(error.as_static())))).unwrap_or(false)
    }
}

impl<E> SeenName<'_, E> {
    /// Whether the value is an `A`.
    pub fn is<A>(&self) -> bool {
        type_name::<E>() == type_name::<A>()
    }
}

fn has<A: Error + 'static>(first: Option<&(dyn Error + 'static)>) -> bool {
    let mut link = first;
    for _ in 0..MAX_LINKS {
        let Some(error) = link else { return false };
        if error.is::<A>() {
            return true;
        }
        link = error.source();
    }
    false
}

impl<'a, E> Deref for Seen<'a, E> {
    type Target = SeenReport<'a, E>;
    fn deref(&self) -> &SeenReport<'a, E> {
        &self.0
    }
}

impl<'a, E> Deref for SeenReport<'a, E> {
    type Target = SeenName<'a, E>;
    fn deref(&self) -> &SeenName<'a, E> {
        &self.0
    }
}

/// The error types without a size that can be asked for their type.
pub trait StaticError {
    /// The error.
    fn as_static(&self) -> &(dyn Error + 'static);
}

impl StaticError for dyn Error + 'static {
    fn as_static(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl StaticError for dyn Error + Send + 'static {
    fn as_static(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl StaticError for dyn Error + Send + Sync + 'static {
    fn as_static(&self) -> &(dyn Error + 'static) {
        self
    }
}
