//! `async fn`, and functions that return a future.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote_spanned;
use syn::Type;

use super::sync::owning;
use super::{Opening, glue};
use crate::model::Capture;
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
pub(super) fn block(capture: &Capture, opening: &Opening, runtime: &TokenStream, value: &Value) -> TokenTree {
    let never = |ty: &dyn quote::ToTokens| quote_spanned!(glue()=> return #runtime::never::<#ty>(););
    let (pick, edge) = match value {
        Value::Unit => (quote_spanned!(glue()=> quiet()), Some(quote_spanned!(glue()=> return;))),
        Value::Opaque => (quote_spanned!(glue()=> quiet()), None),
        Value::Never => {
            let never = never(&quote_spanned!(glue()=> #runtime::Never));
            (quote_spanned!(glue()=> quiet()), Some(never))
        }
        Value::Plain(output) => (quote_spanned!(glue()=> quiet()), Some(never(output))),
        Value::Probed(output) => {
            (quote_spanned!(glue()=> probe::<#output>().shape().pick()), Some(never(output)))
        }
    };
    let body = match edge {
        None if capture.dropped.is_empty() => capture.body.statements(),
        edge => capture.body.block_after(dead(capture, edge)),
    };
    let call =
        opening.future("future", "future_entry", capture.place, quote_spanned!(glue()=> async move #body));
    let future = quote_spanned!(glue()=> #runtime::#pick #call.await);
    capture.body.replaced(match value {
        Value::Never => quote_spanned!(glue()=> match #future {}),
        _ if capture.yields_future => {
            // Only a statement can have the attribute.
            quote_spanned!(glue()=> #[allow(clippy::async_yields_async)] return #future;)
        }
        _ => future,
    })
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
    capture: &Capture,
    opening: &Opening,
    runtime: &TokenStream,
    output: Option<&Type>,
) -> TokenTree {
    let body = owning(capture, runtime);
    let pick = match output {
        Some(output) => quote_spanned!(glue()=> probe::<#output>().shape().pick()),
        None => quote_spanned!(glue()=> quiet()),
    };
    let call = opening.future("returned", "returned_entry", capture.place, quote_spanned!(glue()=> || #body));
    capture.body.replaced(quote_spanned!(glue()=> #runtime::#pick #call))
}

/// `if false { _ = &last; _ = &first; return ..; }`: the edge, and the arguments in the order that drops them as the
/// plain function does.
fn dead(capture: &Capture, edge: Option<TokenStream>) -> TokenStream {
    let names = capture.dropped.iter().rev();
    let underscored = capture.dropped.iter().any(|name| name.to_string().starts_with('_'));
    let allow = underscored.then(|| quote_spanned!(glue()=> #[allow(clippy::used_underscore_binding)]));
    quote_spanned!(glue()=> #allow if false { #(_ = &#names;)* #edge })
}
