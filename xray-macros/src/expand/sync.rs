//! Functions that are not `async`: a guard, or a closure.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote_spanned;
use syn::Type;

use super::opening::call;
use super::{Opening, glue};
use crate::model::Capture;

/// Input: `{ a + b }`
///
/// Output: `{ let _guard = ::xray_runtime::__private::enter("add"); a + b }`
///
/// It changes no inference, no borrow and no drop of the user's code; an `Err` is not seen.
pub(super) fn guard(capture: &Capture, opening: &Opening, runtime: &TokenStream) -> TokenTree {
    let prologue = match opening {
        Opening::Name(name) => quote_spanned!(glue()=> let _guard = #runtime::enter(#name);),
        Opening::Entry(entry) => quote_spanned!(glue()=> let _guard = #entry.enter();),
    };
    capture.body.replaced(capture.body.after(prologue))
}

/// Input: `{ Ok(id.parse()?) }`, returning `Answer<u32>`
///
/// Output:
/// ```text
/// {
///     ::xray_runtime::__private::probe::<Answer<u32>>().shape().pick().begin("load").call(|| -> Answer<u32> { Ok(id.parse()?) })
/// }
/// ```
/// The closure catches `return` and `?`. It is not `move`: what it borrows stays where it is and drops as before. `call`
/// takes an `FnOnce`, which is what lets it return what it borrows mutably. Its bars carry our span and with it our
/// edition, so that it borrows single fields also in a crate of edition 2018.
pub(super) fn closure(
    capture: &Capture,
    opening: &Opening,
    runtime: &TokenStream,
    output: &Type,
) -> TokenTree {
    let body = capture.body.statements();
    let begin = opening.begin();
    let call = call("call", capture.place, quote_spanned!(glue()=> || -> #output #body));
    capture.body.replaced(quote_spanned!(glue()=> #runtime::probe::<#output>().shape().pick() #begin #call))
}
