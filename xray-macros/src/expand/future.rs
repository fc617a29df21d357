//! `async fn`, and functions that return a future.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote_spanned;
use syn::Type;

use super::stacked::{Awaited, Side};
use super::sync::{owning, within};
use super::{Opening, glue};
use crate::model::Function;
use crate::shape::Value;

/// Input: `{ if id == 0 { return Err(Zero) } Ok(read(id).await?) }`, returning `Result<u64, E>`
///
/// Output:
/// ```text
/// {
///     ::xray_runtime::__private::probe::<Result<u64, E>>().shape().pick().future("load", async move {
///         if false { return ::xray_runtime::__private::never::<Result<u64, E>>(); }
///         if id == 0 { return Err(Zero) } Ok(read(id).await?)
///     }).await
/// }
/// ```
/// `async move`, since a borrowed argument would have to be `Sync` for the future to be `Send`. The dead `return` gives
/// the block its type, which an `async` block takes from nowhere else.
///
/// Where the other attribute has expanded, its future is wrapped, or what it wraps, with no second block:
/// ```text
/// {
///     ::xray_runtime::__private::probe::<Result<u64, E>>().shape().pick().future("load",
///         ::rollbar_runtime::__private::probe::<Result<u64, E>>().shape().pick().future("load", async move { .. })
///     ).await
/// }
/// ```
pub(super) fn block(function: &Function, opening: &Opening, value: &Value, side: Side) -> TokenTree {
    let pick = match value {
        Value::Probed(output) => opening.probe(output),
        _ => opening.quiet(),
    };
    if let Some(stacked) = Awaited::read(function.body.tokens()) {
        return function.body.replaced(merged(function, opening, &pick, stacked, side));
    }
    let never = |ty: &dyn quote::ToTokens| {
        let runtime = opening.runtime();
        quote_spanned!(glue()=> return #runtime::never::<#ty>();)
    };
    let edge = match value {
        Value::Unit => Some(quote_spanned!(glue()=> return;)),
        Value::Opaque => None,
        Value::Never => {
            let runtime = opening.runtime();
            Some(never(&quote_spanned!(glue()=> #runtime::Never)))
        }
        Value::Plain(output) | Value::Probed(output) => Some(never(output)),
    };
    let body = match edge {
        None if function.dropped.is_empty() => function.body.statements(),
        edge => function.body.block_after(dead(function, edge)),
    };
    let call =
        opening.future("future", "future_entry", function.place, quote_spanned!(glue()=> async move #body));
    let future = quote_spanned!(glue()=> #pick #call.await);
    function.body.replaced(match value {
        Value::Never => quote_spanned!(glue()=> match #future {}),
        _ if function.yields_future => {
            // Only a statement can have the attribute.
            quote_spanned!(glue()=> #[allow(clippy::async_yields_async)] return #future;)
        }
        _ => future,
    })
}

/// Our call round that of another attribute, or round what is handed to that. Where what we wrap begins as it is
/// evaluated, we have to begin before.
fn merged(
    function: &Function,
    opening: &Opening,
    pick: &TokenStream,
    stacked: Awaited,
    side: Side,
) -> TokenStream {
    let wrap = |begins_at_once: bool, inner: TokenStream| {
        let call = match begins_at_once {
            true => opening.future_begun("future_entry", function.place, inner),
            false => opening.future("future", "future_entry", function.place, inner),
        };
        quote_spanned!(glue()=> #pick #call)
    };
    let Awaited { call, .. } = &stacked;
    if side == Side::Within && call.is_foreign(opening.runtime()) {
        let inner = wrap(call.inner_begins_at_once(), call.inner());
        return stacked.map(|call| call.with(inner));
    }
    let begins_at_once = call.begins_at_once();
    stacked.map(|call| wrap(begins_at_once, call.into_tokens()))
}

/// Input: `{ let n = n + 1; async move { n } }`, returning `impl Future<Output = R> + Send`
///
/// Output:
/// ```text
/// {
///     ::xray_runtime::__private::probe::<R>().shape().pick().returned("load", || {
///         let n = n + 1; async move { n }
///     })
/// }
/// ```
/// The statements run at the call, as they do without the attribute, and the parent is the entity current there.
pub(super) fn returned(
    function: &Function,
    opening: &Opening,
    output: Option<&Type>,
    side: Side,
) -> TokenTree {
    let observed = |body: TokenTree| {
        let pick = output.map_or_else(|| opening.quiet(), |output| opening.probe(output));
        let body = quote_spanned!(glue()=> || #body);
        let call = opening.future("returned", "returned_entry", function.place, body);
        quote_spanned!(glue()=> #pick #call)
    };
    within(function, opening, &["returned", "returned_entry"], side, &observed)
        .unwrap_or_else(|| function.body.replaced(observed(owning(function, opening))))
}

/// `if false { _ = &last; _ = &first; return ..; }`: the edge, and the arguments in the order that drops them as the
/// plain function does.
fn dead(function: &Function, edge: Option<TokenStream>) -> TokenStream {
    let names = function.dropped.iter().rev();
    let underscored = function.dropped.iter().any(|name| name.to_string().starts_with('_'));
    let allow = underscored.then(|| quote_spanned!(glue()=> #[allow(clippy::used_underscore_binding)]));
    quote_spanned!(glue()=> #allow if false { #(_ = &#names;)* #edge })
}
