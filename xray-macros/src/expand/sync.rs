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
    let body = owning(capture, runtime);
    let begin = opening.begin();
    let call = call("call", capture.place, quote_spanned!(glue()=> || -> #output #body));
    capture.body.replaced(quote_spanned!(glue()=> #runtime::probe::<#output>().shape().pick() #begin #call))
}

/// The body of a closure, in braces. `mut` arguments that the value may hold on to are moved in by a dead branch: a `move`
/// closure would take all of them, and drop them in another order.
///
/// Input: `{ while let Some(next) = at.next() { at = next; } Ok(at) }`, of `mut at: &mut Node`
///
/// Output:
/// ```text
/// {
///     if false { let _owned = at; return ::xray_runtime::__private::never(); }
///     while let Some(next) = at.next() { at = next; } Ok(at)
/// }
/// ```
pub(super) fn owning(capture: &Capture, runtime: &TokenStream) -> TokenTree {
    let owned = match &capture.lent[..] {
        [] => return capture.body.statements(),
        [one] => quote_spanned!(glue()=> #one),
        all => quote_spanned!(glue()=> (#(#all),*)),
    };
    capture
        .body
        .block_after(quote_spanned!(glue()=> if false { let _owned = #owned; return #runtime::never(); }))
}
