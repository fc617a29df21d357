//! The error of a service or of a body, of which nothing is known but its type.

use std::any::{Any, type_name};
use std::error::Error;

use crate::entity::Entity;
use crate::error::{self, ErrorClass};
use crate::exception::Cause;
use crate::record::{FIRST, Key};

/// Records the error on the segment, which is current, as a fault.
#[cold]
pub(super) fn record<E: 'static>(key: Key, failed: &E, what: &str) {
    if key < FIRST {
        return;
    }
    let cause = match known(failed) {
        Some(failed) => error::cause_of(failed),
        None => Cause::from_message(type_name::<E>(), what),
    };
    error::record(&Entity::local(key), cause, ErrorClass::Fault.bits(), None);
}

/// The error types of tower's, axum's and hyper's world. A bound on `E` would shut out services that have none.
fn known(failed: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = failed.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(error.as_ref());
    }
    if let Some(error) = failed.downcast_ref::<Box<dyn Error + Send>>() {
        return Some(error.as_ref());
    }
    #[cfg(feature = "axum")]
    if let Some(error) = failed.downcast_ref::<axum::Error>() {
        return Some(error);
    }
    failed.downcast_ref::<std::io::Error>().map(|error| error as _)
}
