//! What is opened: a name alone, or an entry with what the arguments add to it.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Expr, LitStr};

use super::glue;
use crate::args::{Args, ErrorClass, Name, Namespace, Pair};

/// The first argument of the runtime's calls.
pub(super) enum Opening {
    /// A name; the common case, and the shortest.
    Name(LitStr),
    /// An expression of type `Entry`.
    Entry(TokenStream),
}

impl Opening {
    /// Input: `name = format!("{id}"), annotations(id), error = "throttle"`.
    ///
    /// Output:
    /// ```text
    /// ::xray_runtime::__private::entry(format!("{id}")).as_throttle().with(|entity| {
    ///     entity.put_annotation("id", &id);
    /// })
    /// ```
    pub(super) fn new(args: &Args, function: &LitStr, runtime: &TokenStream) -> Self {
        let extras = extras(args);
        let name = match &args.name {
            Some(Name::Expr(name)) => quote_spanned!(glue()=> #name),
            Some(Name::Literal(name)) if extras.is_empty() && !args.segment => {
                return Self::Name(name.clone());
            }
            None if extras.is_empty() && !args.segment => return Self::Name(function.clone()),
            Some(Name::Literal(name)) => quote_spanned!(glue()=> #name),
            None => quote_spanned!(glue()=> #function),
        };
        Self::Entry(match args.segment {
            true => quote_spanned!(glue()=> #runtime::segment(#name) #extras),
            false => quote_spanned!(glue()=> #runtime::entry(#name) #extras),
        })
    }

    /// `.future("load", body)`, or `.future_entry(entry, body)`.
    pub(super) fn future(
        &self,
        by_name: &str,
        by_entry: &str,
        place: Span,
        body: TokenStream,
    ) -> TokenStream {
        match self {
            Self::Name(name) => call(by_name, place, quote_spanned!(glue()=> #name, #body)),
            Self::Entry(entry) => call(by_entry, place, quote_spanned!(glue()=> #entry, #body)),
        }
    }

    /// `.begin("load")`, or `.begin_entry(entry)`.
    pub(super) fn begin(&self) -> TokenStream {
        match self {
            Self::Name(name) => quote_spanned!(glue()=> .begin(#name)),
            Self::Entry(entry) => quote_spanned!(glue()=> .begin_entry(#entry)),
        }
    }
}

/// `.method(arguments)`, standing at the function's `fn`: that is the line that `Location::caller` tells; elsewhere it would
/// tell the attribute's.
pub(super) fn call(method: &str, place: Span, arguments: TokenStream) -> TokenStream {
    let method = Ident::new(method, place);
    let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
    arguments.set_span(place);
    quote_spanned!(glue()=> .#method #arguments)
}

fn extras(args: &Args) -> TokenStream {
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

/// `&value`: the arguments stay the user's. The `&` stands at the value, where rustc then says that it is none that X-Ray
/// takes.
fn borrowed(value: &Expr) -> TokenStream {
    let place = glue().located_at(value.span());
    match value {
        Expr::Path(_)
        | Expr::Lit(_)
        | Expr::Call(_)
        | Expr::MethodCall(_)
        | Expr::Field(_)
        | Expr::Index(_)
        | Expr::Macro(_)
        | Expr::Paren(_)
        | Expr::Tuple(_)
        | Expr::Array(_) => quote_spanned!(place=> &#value),
        _ => quote_spanned!(place=> &(#value)),
    }
}
