//! The error of a handler, of a stream or of the runtime, of which nothing is known but its type.

use std::any::{Any, type_name};
use std::error::Error;
use std::fmt::Debug;

use lambda_runtime::Diagnostic;

use crate::context;
use crate::entity::Entity;
use crate::error::{self, ErrorClass};
use crate::exception::Cause;
use crate::record::FIRST;

/// Records the error on what is current, as a fault.
#[cold]
pub(super) fn record<E: Debug + 'static>(failed: &E) {
    let key = context::current();
    if key < FIRST {
        return;
    }
    let cause = match (failed as &dyn Any).downcast_ref::<Diagnostic>() {
        Some(diagnostic) => Cause::from_message(&diagnostic.error_type, &diagnostic.error_message),
        None => known(failed)
            .map_or_else(|| Cause::from_message(type_name::<E>(), &format!("{failed:?}")), error::cause_of),
    };
    error::record(&Entity::local(key), cause, ErrorClass::Fault.bits(), None);
}

/// What handlers return mostly. The runtime asks of an error that it has `Debug`, and nothing of `Error`.
fn known(failed: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = failed.downcast_ref::<lambda_runtime::Error>() {
        return Some(error.as_ref());
    }
    if let Some(error) = failed.downcast_ref::<Box<dyn Error>>() {
        return Some(error.as_ref());
    }
    if let Some(error) = failed.downcast_ref::<serde_json::Error>() {
        return Some(error);
    }
    failed.downcast_ref::<std::io::Error>().map(|error| error as _)
}
