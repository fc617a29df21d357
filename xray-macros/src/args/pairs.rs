//! `word(key = expr, ..)`: annotations, metadata, custom values, arguments to capture.

use syn::ext::IdentExt;
use syn::parse::{ParseBuffer, ParseStream};
use syn::{Expr, Ident, LitStr, Token};

use super::separated;
use super::written::{Written, equals};
use crate::diag::Diagnostics;

/// `key = expr`; `id` is short for `id = id`.
pub(crate) struct Pair {
    pub(crate) key: LitStr,
    pub(crate) value: Expr,
}

/// Reads the pairs; a bad one is reported and skipped. `fault` says what stands against a key, which is not empty.
pub(super) fn read(
    word: &Written<'_>,
    fault: fn(&str) -> Option<String>,
    diag: &mut Diagnostics,
) -> syn::Result<Vec<Pair>> {
    let content: ParseBuffer<'_> = word.listed()?;
    let mut pairs: Vec<Pair> = Vec::new();
    separated(&content, diag, |input, _| {
        let pair = pair(input, word.write, fault)?;
        if pairs.iter().any(|other| other.key.value() == pair.key.value()) {
            let message = format!("duplicate key `{}`; keep one", pair.key.value());
            return Err(syn::Error::new(pair.key.span(), message));
        }
        pairs.push(pair);
        Ok(())
    });
    Ok(pairs)
}

fn pair(input: ParseStream<'_>, write: &str, fault: fn(&str) -> Option<String>) -> syn::Result<Pair> {
    if input.peek(LitStr) {
        let key = checked(input.parse()?, write, fault)?;
        equals(input, key.span(), write)?;
        return Ok(Pair { key, value: input.parse()? });
    }
    if !input.peek(Ident) && !input.peek(Token![self]) {
        return Err(input.error(format!("expected a key: write `{write}`")));
    }
    let ident = Ident::parse_any(input)?;
    let key = LitStr::new(&ident.unraw().to_string(), ident.span());
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(Pair { key: checked(key, write, fault)?, value: syn::parse2(quote::quote!(#ident))? });
    }
    if input.peek(Token![.]) {
        let message = format!("a value that is no argument needs a key: write `{write}`");
        return Err(syn::Error::new(ident.span(), message));
    }
    let key = checked(key, write, fault)?;
    equals(input, key.span(), write)?;
    Ok(Pair { key, value: input.parse()? })
}

fn checked(key: LitStr, write: &str, fault: fn(&str) -> Option<String>) -> syn::Result<LitStr> {
    let text = key.value();
    let fault = match text.is_empty() {
        true => Some(format!("the key is empty: write `{write}`")),
        false => fault(&text),
    };
    match fault {
        None => Ok(key),
        Some(fault) => Err(syn::Error::new(key.span(), fault)),
    }
}
