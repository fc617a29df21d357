//! Functions that are not `async`: a guard, or a closure.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote_spanned;
use syn::Type;

use super::opening::call;
use super::stacked::{self, Call, Side};
use super::{Opening, glue};
use crate::model::Function;

/// Input: `{ a + b }`
///
/// Output: `{ let _guard = ::xray_runtime::__private::enter("add"); a + b }`
///
/// It changes no inference, no borrow and no drop of the user's code; an `Err` is not seen.
pub(super) fn guard(function: &Function, opening: &Opening) -> TokenTree {
    let guard = opening.guard();
    let prologue = quote_spanned!(glue()=> let _guard = #guard;);
    function.body.replaced(function.body.after(prologue))
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
///
/// Where the other attribute has expanded and this one belongs within:
/// ```text
/// {
///     ::xray_runtime::__private::probe::<Answer<u32>>().shape().pick().begin("load").call(|| -> Answer<u32> {
///         ::rollbar_runtime::__private::probe::<Answer<u32>>().shape().pick().begin("load").call(|| -> Answer<u32> { Ok(id.parse()?) })
///     })
/// }
/// ```
pub(super) fn closure(function: &Function, opening: &Opening, output: &Type, side: Side) -> TokenTree {
    let observed = |body: TokenTree| {
        let probe = opening.probe(output);
        let begin = opening.begin();
        let call = call("call", function.place, quote_spanned!(glue()=> || -> #output #body));
        quote_spanned!(glue()=> #probe #begin #call)
    };
    within(function, opening, &["call"], side, &observed)
        .unwrap_or_else(|| function.body.replaced(observed(owning(function, opening))))
}

/// The body as the other attribute left it, with `observed` round the block of its closure; `None` where this attribute
/// does not go there.
pub(super) fn within(
    function: &Function,
    opening: &Opening,
    methods: &[&str],
    side: Side,
    observed: &dyn Fn(TokenTree) -> TokenStream,
) -> Option<TokenTree> {
    if side == Side::Around {
        return None;
    }
    let call = Call::read(function.body.tokens(), methods)?;
    if !call.is_foreign(opening.runtime()) {
        return None;
    }
    // It owns what it has to: that is in it already.
    let block = call.block()?;
    let inner = stacked::regrouped(&block, observed(block.clone().into()));
    Some(function.body.replaced(call.with_block(inner)))
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
pub(super) fn owning(function: &Function, opening: &Opening) -> TokenTree {
    let owned = match &function.lent[..] {
        [] => return function.body.statements(),
        [one] => quote_spanned!(glue()=> #one),
        all => quote_spanned!(glue()=> (#(#all),*)),
    };
    let runtime = opening.runtime();
    function
        .body
        .block_after(quote_spanned!(glue()=> if false { let _owned = #owned; return #runtime::never(); }))
}
