//! The function to capture: what the expansion needs to know, and nothing else.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{FnArg, LitStr, Pat, PatIdent, PatType, ReceiverKind, Signature, Type};

use crate::body::Body;
use crate::item::Item;
use crate::shape::{self, Shape};

/// A function, and how to capture it.
pub(crate) struct Function {
    /// The function's tokens before its body, as received.
    pub(crate) head: TokenStream,
    pub(crate) body: Body,
    pub(crate) shape: Shape,
    /// The function's own name, as a string literal at its place.
    pub(crate) ident: LitStr,
    /// The word `fn`.
    pub(crate) place: Span,
    /// Arguments in the order that they are declared, where the order in which they are dropped can be seen.
    pub(crate) dropped: Vec<Ident>,
    /// `mut` arguments that hold a borrow which a value returned may hold on to.
    pub(crate) lent: Vec<Ident>,
    /// Whether it is an `async fn` that may return a future: `clippy::async_yields_async` is about blocks that do.
    pub(crate) yields_future: bool,
}

impl Function {
    /// `body` is the group taken from `item`.
    pub(crate) fn new(item: Item, body: proc_macro2::Group) -> Self {
        let Item { head, attributes, signature, .. } = item;
        let body = Body::new(body);
        let track_caller = attributes.iter().any(|attribute| {
            attribute.path().is_ident("track_caller")
                || attribute.path().is_ident("cfg_attr")
                    && attribute
                        .meta
                        .require_list()
                        .is_ok_and(|list| list.tokens.to_string().contains("track_caller"))
        });
        let shape = Shape::of(&signature, track_caller);
        let dropped = dropped(&signature, &body);
        let lent = lent(&signature, &body);
        let yields_future = shape::may_yield_future(&signature);
        let ident = LitStr::new(&signature.ident.unraw().to_string(), signature.ident.span());
        Self { head, body, shape, ident, place: signature.fn_token.span, dropped, lent, yields_future }
    }
}

/// Owned arguments that the body mentions, or that are named `_..`, where there are two or more: `async move` drops what
/// it captures in the order of first mention, a function its arguments from the last to the first.
fn dropped(signature: &Signature, body: &Body) -> Vec<Ident> {
    let mut names = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                if !matches!(receiver.kind, ReceiverKind::Reference(..)) && receiver.attrs.is_empty() {
                    names.push(Ident::new("self", receiver.self_token.span));
                }
            }
            FnArg::Typed(PatType { attrs, pat, ty, .. }) => {
                if attrs.is_empty() && is_dropped(ty) {
                    bindings(pat, &mut |binding| names.push(binding.ident.clone()));
                }
            }
        }
    }
    names.retain(|name| name.to_string().starts_with('_') || body.mentions(name));
    if names.len() < 2 {
        names.clear();
    }
    names
}

/// Arguments that a closure has to own: one that is assigned is captured by reference, and what is borrowed through that
/// cannot be returned, as `fn last(mut at: &mut Node) -> Result<&mut Node, Error>` does.
fn lent(signature: &Signature, body: &Body) -> Vec<Ident> {
    let mut names = Vec::new();
    if !borrows(&signature.output) {
        return names;
    }
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                let owned = match &receiver.kind {
                    ReceiverKind::Value => true,
                    ReceiverKind::Typed(_, ty) => borrows(ty),
                    _ => false,
                };
                if receiver.mutability.is_some() && owned && receiver.attrs.is_empty() {
                    names.push(Ident::new("self", receiver.self_token.span));
                }
            }
            FnArg::Typed(PatType { attrs, pat, ty, .. }) => {
                if attrs.is_empty() && borrows(ty) {
                    bindings(pat, &mut |binding| {
                        if binding.mutability.is_some() && binding.by_ref.is_none() {
                            names.push(binding.ident.clone());
                        }
                    });
                }
            }
        }
    }
    names.retain(|name| body.mentions(name));
    names
}

/// Whether a `&` or a lifetime is written in the type.
fn borrows(ty: &impl ToTokens) -> bool {
    fn any(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Punct(punct) => matches!(punct.as_char(), '&' | '\''),
            TokenTree::Group(group) => any(group.stream()),
            _ => false,
        })
    }
    any(ty.to_token_stream())
}

/// Whether dropping a value of the type may do anything.
fn is_dropped(ty: &Type) -> bool {
    const COPY: &[&str] = &[
        "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128",
        "isize", "f32", "f64",
    ];
    match ty {
        Type::Group(group) => is_dropped(&group.elem),
        Type::Paren(paren) => is_dropped(&paren.elem),
        Type::Path(path) => !path.path.get_ident().is_some_and(|ident| COPY.iter().any(|name| ident == name)),
        Type::Array(array) => is_dropped(&array.elem),
        Type::Tuple(tuple) => tuple.elems.iter().any(is_dropped),
        Type::Reference(_) | Type::Ptr(_) | Type::FnPtr(_) | Type::Never(_) => false,
        _ => true,
    }
}

/// Calls `each` with what a pattern binds, from left to right.
fn bindings(pat: &Pat, each: &mut dyn FnMut(&PatIdent)) {
    match pat {
        Pat::Ident(binding) => {
            each(binding);
            if let Some((_, inner)) = &binding.subpat {
                bindings(inner, each);
            }
        }
        Pat::Paren(inner) => bindings(&inner.pat, each),
        Pat::Reference(inner) => bindings(&inner.pat, each),
        Pat::Type(inner) => bindings(&inner.pat, each),
        Pat::Tuple(tuple) => tuple.elems.iter().for_each(|pat| bindings(pat, each)),
        Pat::TupleStruct(tuple) => tuple.elems.iter().for_each(|pat| bindings(pat, each)),
        Pat::Slice(slice) => slice.elems.iter().for_each(|pat| bindings(pat, each)),
        Pat::Struct(fields) => {
            let fields = fields.fields.iter().filter(|field| field.attrs.is_empty());
            fields.for_each(|field| bindings(&field.pat, each));
        }
        // An or-pattern binds the same names in each case.
        Pat::Or(or) => or.cases.iter().take(1).for_each(|pat| bindings(pat, each)),
        _ => {}
    }
}
