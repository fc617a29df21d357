//! From the model to tokens. Every path starts at `::` (or at `crate = path`), every name of ours is invisible to the
//! user's code, the user's tokens keep their places, and the braces are the user's.

mod future;
mod opening;
mod sync;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::args::Args;
use crate::check;
use crate::diag::Diagnostics;
use crate::item::Item;
use crate::model::Capture;
use crate::shape::Shape;
use opening::Opening;

/// Parse, check, expand. With an error, the errors and the item as it was.
pub(crate) fn xray_capture(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diagnostics::default();
    let args = Args::read(args, &mut diag);
    let capture = match Item::read(item.clone()) {
        Ok(read) => check::body(&read, &mut diag).map(|body| Capture::new(args, read, body)),
        Err(error) => {
            diag.push(error);
            None
        }
    };
    match (diag.into_tokens(), capture) {
        (None, Some(capture)) => function(&capture),
        (errors, _) => quote!(#errors #item),
    }
}

fn function(capture: &Capture) -> TokenStream {
    let runtime = match &capture.args.crate_path {
        Some(path) => quote!(#path::__private),
        None => quote_spanned!(glue()=> ::xray_runtime::__private),
    };
    let opening = Opening::new(&capture.args, &capture.ident, &runtime);
    let body = match &capture.shape {
        Shape::Guard => sync::guard(capture, &opening, &runtime),
        Shape::Closure(output) => sync::closure(capture, &opening, &runtime, output),
        Shape::Async(value) => future::block(capture, &opening, &runtime, value),
        Shape::Returned(output) => future::returned(capture, &opening, &runtime, output.as_ref()),
    };
    let head = &capture.head;
    quote!(#head #body)
}

/// The place of our own tokens: names that they bind are not seen by the user's code, nor his by ours.
fn glue() -> Span {
    Span::mixed_site()
}

#[cfg(test)]
mod snapshots;
