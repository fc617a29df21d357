//! What `#[rollbar_report]` opens, and which errors it reports.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::LitStr;

use super::{First, Opens, borrowed};
use crate::args::{Args, Level, Name, Pair, RollbarReport};
use crate::expand::glue;
use crate::expand::stacked::Side;

impl Opens for RollbarReport {
    const SIDE: Side = Side::Within;

    /// The function's own name is the method of its frame; the name given is the context.
    ///
    /// Input: `"users", level = "warning", custom(id), capture(filter)`.
    ///
    /// Output:
    /// ```text
    /// ::rollbar_runtime::__private::entry("load").warning().with(|report| {
    ///     report.context("users");
    ///     report.custom("id", &id);
    ///     report.local("filter", &filter);
    /// })
    /// ```
    fn first(args: &Args<Self>, function: &LitStr, runtime: &TokenStream) -> First {
        let level = match args.own.level {
            Level::Critical => quote_spanned!(glue()=> .critical()),
            Level::Error => TokenStream::new(),
            Level::Warning => quote_spanned!(glue()=> .warning()),
            Level::Info => quote_spanned!(glue()=> .info()),
            Level::Debug => quote_spanned!(glue()=> .debug()),
        };
        let details = details(args);
        if level.is_empty() && details.is_empty() {
            return First::Name(function.clone());
        }
        let with = (!details.is_empty()).then(|| quote_spanned!(glue()=> .with(|report| { #details })));
        First::Entry(quote_spanned!(glue()=> #runtime::entry(#function) #level #with))
    }

    /// Input: `ignore(NotFound, Gone), when = |error| error.is_fatal()`.
    ///
    /// Output:
    /// ```text
    /// .when(|error| !::rollbar_runtime::__private::seen(error).is::<NotFound>()
    ///     && !::rollbar_runtime::__private::seen(error).is::<Gone>())
    /// .when(|error| error.is_fatal())
    /// ```
    fn narrowed(&self, runtime: &TokenStream) -> TokenStream {
        let Self { ignore, when, .. } = self;
        let ignore = (!ignore.is_empty())
            .then(|| quote_spanned!(glue()=> .when(|error| #(!#runtime::seen(error).is::<#ignore>())&&*)));
        let when = when.iter();
        quote_spanned!(glue()=> #ignore #(.when(#when))*)
    }
}

fn details(args: &Args<RollbarReport>) -> TokenStream {
    let RollbarReport { fingerprint, title, custom, capture, .. } = &args.own;
    let context = args.name.as_ref().map(|name| match name {
        Name::Literal(name) => quote_spanned!(glue()=> report.context(#name);),
        Name::Expr(name) => quote_spanned!(glue()=> report.context(#name);),
    });
    let fingerprint = fingerprint.iter().map(borrowed);
    let title = title.iter().map(borrowed);
    let custom = custom.iter().map(|Pair { key, value }| {
        let value = borrowed(value);
        quote_spanned!(glue()=> report.custom(#key, #value);)
    });
    let capture = capture.iter().map(|Pair { key, value }| {
        let value = borrowed(value);
        quote_spanned!(glue()=> report.local(#key, #value);)
    });
    quote_spanned!(glue()=>
        #context
        #(report.fingerprint(#fingerprint);)*
        #(report.title(#title);)*
        #(#custom)*
        #(#capture)*
    )
}
