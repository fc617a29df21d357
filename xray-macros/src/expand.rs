//! From the model to tokens. Every path starts at `::` (or at `crate = path`), every name of ours is invisible to the
//! user's code, the user's tokens keep their places, and the braces are the user's.

mod future;
mod opening;
mod stacked;
mod sync;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::args::{Args, RollbarReport, XrayCapture};
use crate::check;
use crate::diag::Diagnostics;
use crate::item::Item;
use crate::model::Function;
use crate::shape::Shape;
use opening::{Opening, Opens};

pub(crate) fn xray_capture(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::<XrayCapture>(args, item)
}

pub(crate) fn rollbar_report(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::<RollbarReport>(args, item)
}

/// Parse, check, expand. With an error, the errors and the item as it was.
fn attribute<A: Opens>(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diagnostics::default();
    let args = Args::<A>::read(args, &mut diag);
    let function = match Item::read(item.clone(), A::NAME) {
        Ok(read) => check::body(&read, A::NAME, &mut diag).map(|body| Function::new(read, body)),
        Err(error) => {
            diag.push(error);
            None
        }
    };
    if let Some(function) = &function {
        check::error_words(args.own.error_words(), &function.shape, &mut diag);
    }
    match (diag.into_tokens(), function) {
        (None, Some(function)) => expanded(&args, &function),
        (errors, _) => quote!(#errors #item),
    }
}

fn expanded<A: Opens>(args: &Args<A>, function: &Function) -> TokenStream {
    let runtime = match &args.crate_path {
        Some(path) => quote!(#path::__private),
        None => {
            let runtime = Ident::new(A::RUNTIME, glue());
            quote_spanned!(glue()=> ::#runtime::__private)
        }
    };
    let opening = Opening::new(args, &function.ident, runtime);
    let body = match &function.shape {
        Shape::Guard => sync::guard(function, &opening),
        Shape::Closure(output) => sync::closure(function, &opening, output, A::SIDE),
        Shape::Async(value) => future::block(function, &opening, value, A::SIDE),
        Shape::Returned(output) => future::returned(function, &opening, output.as_ref(), A::SIDE),
    };
    let head = &function.head;
    quote!(#head #body)
}

/// The place of our own tokens: names that they bind are not seen by the user's code, nor his by ours.
fn glue() -> Span {
    Span::mixed_site()
}

#[cfg(test)]
mod snapshots;
