//! Errors of actix-web: each has a response, and its status says whose fault it is.

use std::error::Error;
use std::io;

use crate::context;
use crate::entity::Entity;
use crate::error::{self, ErrorClass};
use crate::exception::Cause;
use crate::http::StatusFlags;
use crate::record::{FIRST, Key};

/// Records the error that a response of this status was made of on the segment, which is current and has the flags of the
/// status. A redirect, and what else is no failure, has no cause.
#[cold]
pub(super) fn record_answered(key: Key, failed: &actix_web::Error, status: u16) {
    let Some(tree) = context::current_tree().filter(|_| key >= FIRST) else { return };
    if tree.core.settings.status_overrides.flags(status) == StatusFlags::NONE {
        return;
    }
    let cause = if let Some(failed) = failed.as_error::<Box<dyn Error>>() {
        error::cause_of(failed.as_ref())
    } else if let Some(failed) = failed.as_error::<io::Error>() {
        error::cause_of(failed)
    } else {
        // Its type is hidden; that of the error within is what its `Debug` text begins with.
        Cause::from_error(failed, "dyn ResponseError")
    };
    error::record(&Entity::local(key), cause, 0, None);
}

/// Records the error that a body ended in on the segment, which is current.
#[cold]
pub(super) fn record_body(key: Key, failed: &(dyn Error + 'static)) {
    error::record(&Entity::local(key), error::cause_of(failed), ErrorClass::Fault.bits(), None);
}
