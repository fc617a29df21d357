//! `annotations(key = expr, ..)` and `metadata(key = expr, ..)`.

use syn::ext::IdentExt;
use syn::parse::{ParseBuffer, ParseStream};
use syn::{Expr, Ident, LitStr, Token};

use super::{Pair, Word, here, separated};
use crate::diag::Diagnostics;

/// Characters of an annotation's key (AWS's segment document schema).
const MAX_KEY_CHARS: usize = 500;

/// Reads the pairs; a bad one is reported and skipped.
pub(super) fn read(content: ParseBuffer<'_>, word: Word, diag: &mut Diagnostics) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    separated(&content, diag, |input, _| {
        let pair = pair(input, word)?;
        if pairs.iter().any(|other| other.key.value() == pair.key.value()) {
            let message = format!("duplicate key `{}`; keep one", pair.key.value());
            return Err(syn::Error::new(pair.key.span(), message));
        }
        pairs.push(pair);
        Ok(())
    });
    pairs
}

fn pair(input: ParseStream<'_>, word: Word) -> syn::Result<Pair> {
    if input.peek(LitStr) {
        let key: LitStr = input.parse()?;
        check(&key, word)?;
        return Ok(Pair { value: value(input, &key, word)?, key });
    }
    if !input.peek(Ident) && !input.peek(Token![self]) {
        return Err(input.error(format!("expected a key: write `{}`", word.write())));
    }
    let ident = Ident::parse_any(input)?;
    let key = LitStr::new(&ident.unraw().to_string(), ident.span());
    if input.is_empty() || input.peek(Token![,]) {
        check(&key, word)?;
        return Ok(Pair { key, value: syn::parse2(quote::quote!(#ident))? });
    }
    if input.peek(Token![.]) {
        let message = format!("a value that is no argument needs a key: write `{}`", word.write());
        return Err(syn::Error::new(ident.span(), message));
    }
    check(&key, word)?;
    Ok(Pair { value: value(input, &key, word)?, key })
}

/// An annotation's key is ASCII, as X-Ray demands; metadata may have any.
fn check(key: &LitStr, word: Word) -> syn::Result<()> {
    let text = key.value();
    if text.is_empty() {
        return Err(syn::Error::new(key.span(), format!("the key is empty: write `{}`", word.write())));
    }
    if word != Word::Annotations {
        return Ok(());
    }
    if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '_')) {
        let message = format!("an annotation's key cannot hold {bad:?}; write ASCII letters, digits and `_`");
        return Err(syn::Error::new(key.span(), message));
    }
    match text.len() > MAX_KEY_CHARS {
        true => Err(syn::Error::new(
            key.span(),
            format!("an annotation's key has at most {MAX_KEY_CHARS} characters"),
        )),
        false => Ok(()),
    }
}

fn value(input: ParseStream<'_>, key: &LitStr, word: Word) -> syn::Result<Expr> {
    if !input.peek(Token![=]) {
        let message = format!("expected `=`: write `{}`", word.write());
        return Err(syn::Error::new(here(input, key.span()), message));
    }
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new(equals.span, format!("expected a value: write `{}`", word.write())));
    }
    input.parse()
}
