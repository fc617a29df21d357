//! The item under the attribute: a function's head and body, or what stands there instead.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Signature, Token, Visibility};

/// A function as received. Its head is parsed, and emitted as the tokens that came in; its body is not parsed, so that
/// syntax unknown to syn and half-typed code pass through.
pub(crate) struct Item {
    pub(crate) head: TokenStream,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) signature: Signature,
    pub(crate) end: End,
}

/// What follows the head.
pub(crate) enum End {
    Body(Group),
    /// `;`, with its place.
    Missing(Span),
}

/// Words that begin an item that is no function, each with whether it holds functions.
const OTHER_ITEMS: &[(&str, bool)] = &[
    ("impl", true),
    ("trait", true),
    ("mod", true),
    ("struct", false),
    ("enum", false),
    ("union", false),
    ("static", false),
    ("type", false),
    ("use", false),
    ("const", false),
    ("macro_rules", false),
    ("crate", false),
];

impl Item {
    /// Reads the item under `attribute`.
    pub(crate) fn read(tokens: TokenStream, attribute: &str) -> syn::Result<Self> {
        let mut head: Vec<TokenTree> = tokens.into_iter().collect();
        let end = match head.pop() {
            Some(TokenTree::Punct(punct)) if punct.as_char() == ';' => End::Missing(punct.span()),
            Some(last) => match braces(&last) {
                Some(body) => End::Body(body),
                // A head that ends too early, or tokens that are no body: half-typed.
                None => {
                    let place = last.span();
                    head.push(last);
                    End::Missing(place)
                }
            },
            None => End::Missing(Span::mixed_site()),
        };
        let head: TokenStream = head.into_iter().collect();
        let parse = |input: ParseStream<'_>| {
            let attributes = input.call(Attribute::parse_outer)?;
            let _: Visibility = input.parse()?;
            function_ahead(input, attribute)?;
            // `default fn` of a specialised impl.
            let _: Option<Token![default]> = input.parse()?;
            // `safe fn` of an `unsafe extern` block.
            if input.peek(syn::Ident) && input.peek2(Token![fn]) {
                let _: Ident = input.parse()?;
            }
            Ok((attributes, input.parse::<Signature>()?))
        };
        let (attributes, signature) = parse.parse2(head.clone())?;
        Ok(Self { head, attributes, signature, end })
    }
}

/// The group in braces, taken out of the invisible groups that `$body:block` arrives in.
fn braces(token: &TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group.clone()),
        Delimiter::None => {
            let mut inner = group.stream().into_iter();
            let body = braces(&inner.next()?)?;
            inner.next().is_none().then_some(body)
        }
        _ => None,
    }
}

/// An error that names the item found, where it is no function.
fn function_ahead(input: ParseStream<'_>, attribute: &str) -> syn::Result<()> {
    let ahead: TokenStream = input.fork().parse()?;
    let words = ahead.into_iter().map_while(|token| match token {
        TokenTree::Ident(word) => Some(Some(word)),
        TokenTree::Literal(_) => Some(None), // the ABI's name
        _ => None,
    });
    let mut pending: Option<Ident> = None;
    for word in words.flatten() {
        let text = word.to_string();
        if text == "fn" {
            return Ok(());
        }
        // `const` begins a constant unless a function follows.
        if text == "const" {
            pending = Some(word);
            continue;
        }
        if let Some((_, holds)) = OTHER_ITEMS.iter().find(|(other, _)| *other == text) {
            return Err(no_function(&word, holds.then_some(attribute)));
        }
        if pending.is_some() && !matches!(text.as_str(), "unsafe" | "extern" | "async") {
            break;
        }
    }
    match pending {
        Some(word) => Err(no_function(&word, None)),
        None => Err(input.error("expected a function")),
    }
}

/// `on_each`: the attribute that each function in the item can have.
fn no_function(word: &Ident, on_each: Option<&str>) -> syn::Error {
    let hint = on_each
        .map_or_else(String::new, |attribute| format!("; put `#[{attribute}]` on each function in it"));
    syn::Error::new(word.span(), format!("expected a function, found `{word}`{hint}"))
}
