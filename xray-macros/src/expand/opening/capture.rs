//! What `#[xray_capture]` opens.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::LitStr;

use super::{First, Opens, borrowed};
use crate::args::{Args, ErrorClass, Name, Namespace, Pair, XrayCapture};
use crate::expand::glue;
use crate::expand::stacked::Side;

impl Opens for XrayCapture {
    const SIDE: Side = Side::Around;

    /// Input: `name = format!("{id}"), annotations(id), error = "throttle"`.
    ///
    /// Output:
    /// ```text
    /// ::xray_runtime::__private::entry(format!("{id}")).as_throttle().with(|entity| {
    ///     entity.put_annotation("id", &id);
    /// })
    /// ```
    fn first(args: &Args<Self>, function: &LitStr, runtime: &TokenStream) -> First {
        let extras = extras(&args.own);
        let segment = args.own.segment;
        let name = match &args.name {
            Some(Name::Expr(name)) => quote_spanned!(glue()=> #name),
            Some(Name::Literal(name)) if extras.is_empty() && !segment => return First::Name(name.clone()),
            None if extras.is_empty() && !segment => return First::Name(function.clone()),
            Some(Name::Literal(name)) => quote_spanned!(glue()=> #name),
            None => quote_spanned!(glue()=> #function),
        };
        First::Entry(match segment {
            true => quote_spanned!(glue()=> #runtime::segment(#name) #extras),
            false => quote_spanned!(glue()=> #runtime::entry(#name) #extras),
        })
    }
}

fn extras(args: &XrayCapture) -> TokenStream {
    let namespace = args.namespace.map(|namespace| match namespace {
        Namespace::Remote => quote_spanned!(glue()=> .remote()),
        Namespace::Aws => quote_spanned!(glue()=> .aws()),
    });
    let error = match args.error {
        ErrorClass::Fault => None,
        ErrorClass::Error => Some(quote_spanned!(glue()=> .as_error())),
        ErrorClass::Throttle => Some(quote_spanned!(glue()=> .as_throttle())),
        ErrorClass::Ignore => Some(quote_spanned!(glue()=> .ignore_errors())),
    };
    let annotations = args.annotations.iter().map(|Pair { key, value }| {
        let value = borrowed(value);
        quote_spanned!(glue()=> entity.put_annotation(#key, #value);)
    });
    let metadata = args.metadata.iter().map(|Pair { key, value }| {
        let value = borrowed(value);
        quote_spanned!(glue()=> entity.put_metadata(#key, #value);)
    });
    let mut values = annotations.chain(metadata).peekable();
    let with = values.peek().is_some().then(|| quote_spanned!(glue()=> .with(|entity| { #(#values)* })));
    quote_spanned!(glue()=> #namespace #error #with)
}
