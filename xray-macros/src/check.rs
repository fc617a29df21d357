//! What cannot be captured, and arguments that have nothing to look at.

use proc_macro2::{Group, Ident};

use crate::diag::Diagnostics;
use crate::item::{End, Item};
use crate::shape::{Shape, Value};

/// The body of a function that can be captured; reports what stands against it.
pub(crate) fn body(item: &Item, attribute: &str, diag: &mut Diagnostics) -> Option<Group> {
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
            let message = format!(
                "this function has no body to capture; put `#[{attribute}]` on the functions that implement it"
            );
            diag.error(*place, message);
            None
        }
    }
}

/// Reports the arguments that look at an `Err` where the shape shows none.
pub(crate) fn error_words(words: &[Ident], shape: &Shape, diag: &mut Diagnostics) {
    if matches!(shape, Shape::Closure(_) | Shape::Async(Value::Probed(_)) | Shape::Returned(Some(_))) {
        return;
    }
    for word in words {
        let message = format!(
            "`{word}` looks at an `Err`, and none is seen of this function: return a `Result`, or remove the argument"
        );
        diag.error(word.span(), message);
    }
}
