//! What cannot be captured.

use proc_macro2::Group;

use crate::diag::Diagnostics;
use crate::item::{End, Item};

/// The body of a function that can be captured; reports what stands against it.
pub(crate) fn body(item: &Item, diag: &mut Diagnostics) -> Option<Group> {
    if let Some(constness) = &item.signature.constness {
        // It may run at compile time, where there is no clock and nobody to tell.
        diag.error(
            constness.span,
            "a `const fn` cannot be captured: nothing can be recorded at compile time; remove `const` or the attribute",
        );
        return None;
    }
    match &item.end {
        End::Body(body) => Some(body.clone()),
        End::Missing(place) => {
            diag.error(
                *place,
                "this function has no body to capture; put `#[xray_capture]` on the functions that implement it",
            );
            None
        }
    }
}
