//! What is opened: a name alone, or an entry with what the arguments add to it.

mod capture;
mod report;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Expr, LitStr, Type};

use super::glue;
use super::stacked::Side;
use crate::args::{Args, Attribute};

/// What an attribute's arguments open, and how they narrow what is observed.
pub(super) trait Opens: Attribute {
    /// Where it goes when the other attribute has expanded already.
    const SIDE: Side;

    /// `function` is the function's own name.
    fn first(args: &Args<Self>, function: &LitStr, runtime: &TokenStream) -> First;

    /// What is called on the pick.
    fn narrowed(&self, _runtime: &TokenStream) -> TokenStream {
        TokenStream::new()
    }
}

/// The first argument of the runtime's calls.
pub(super) enum First {
    /// A name; the common case, and the shortest.
    Name(LitStr),
    /// An expression of type `Entry`.
    Entry(TokenStream),
}

/// The calls into the runtime.
pub(super) struct Opening {
    runtime: TokenStream,
    first: First,
    narrowed: TokenStream,
}

impl Opening {
    pub(super) fn new<A: Opens>(args: &Args<A>, function: &LitStr, runtime: TokenStream) -> Self {
        let first = A::first(args, function, &runtime);
        Self { first, narrowed: args.own.narrowed(&runtime), runtime }
    }

    /// `::xray_runtime::__private`.
    pub(super) fn runtime(&self) -> &TokenStream {
        &self.runtime
    }

    /// The pick of a function that returns a type of which more is to be found out.
    pub(super) fn probe(&self, output: &Type) -> TokenStream {
        let Self { runtime, narrowed, .. } = self;
        quote_spanned!(glue()=> #runtime::probe::<#output>().shape().pick() #narrowed)
    }

    /// The pick of a function that returns no `Result`.
    pub(super) fn quiet(&self) -> TokenStream {
        let runtime = &self.runtime;
        quote_spanned!(glue()=> #runtime::quiet())
    }

    /// `enter("load")`, or `entry.enter()`.
    pub(super) fn guard(&self) -> TokenStream {
        let runtime = &self.runtime;
        match &self.first {
            First::Name(name) => quote_spanned!(glue()=> #runtime::enter(#name)),
            First::Entry(entry) => quote_spanned!(glue()=> #entry.enter()),
        }
    }

    /// `.future("load", body)`, or `.future_entry(entry, body)`.
    pub(super) fn future(
        &self,
        by_name: &str,
        by_entry: &str,
        place: Span,
        body: TokenStream,
    ) -> TokenStream {
        match &self.first {
            First::Name(name) => call(by_name, place, quote_spanned!(glue()=> #name, #body)),
            First::Entry(entry) => call(by_entry, place, quote_spanned!(glue()=> #entry, #body)),
        }
    }

    /// As [`Opening::future`] with an entry, also where a name would do: it begins before `body` is evaluated.
    pub(super) fn future_begun(&self, by_entry: &str, place: Span, body: TokenStream) -> TokenStream {
        let runtime = &self.runtime;
        match &self.first {
            First::Name(name) => {
                call(by_entry, place, quote_spanned!(glue()=> #runtime::entry(#name), #body))
            }
            First::Entry(entry) => call(by_entry, place, quote_spanned!(glue()=> #entry, #body)),
        }
    }

    /// `.begin("load")`, or `.begin_entry(entry)`.
    pub(super) fn begin(&self) -> TokenStream {
        match &self.first {
            First::Name(name) => quote_spanned!(glue()=> .begin(#name)),
            First::Entry(entry) => quote_spanned!(glue()=> .begin_entry(#entry)),
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

/// `&value`: the arguments stay the user's. The `&` stands at the value, where rustc then says that it is none that the
/// runtime takes.
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
