//! A word of the attribute, and what may follow it: `= value`, or a list in parentheses.

use proc_macro2::Span;
use syn::parse::{ParseBuffer, ParseStream};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Ident, Lit, Path, Token, token};

/// A word that was read, in front of what follows it.
pub(super) struct Written<'a> {
    pub(super) ident: Ident,
    /// How the argument is written.
    pub(super) write: &'static str,
    pub(super) input: ParseStream<'a>,
}

impl<'a> Written<'a> {
    /// The expression after `word =`.
    pub(super) fn assigned(&self) -> syn::Result<Expr> {
        equals(self.input, self.ident.span(), self.write)?;
        self.input.parse()
    }

    /// The path after `word =`.
    pub(super) fn path(&self) -> syn::Result<Path> {
        equals(self.input, self.ident.span(), self.write)?;
        self.input.call(Path::parse_mod_style).map_err(|error| {
            let message = format!("expected a path, not in quotes: write `{}`", self.write);
            syn::Error::new(error.span(), message)
        })
    }

    /// One of a few strings after `word =`.
    pub(super) fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> syn::Result<T> {
        let value = self.assigned()?;
        if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = ungrouped(&value)
            && let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text.value())
        {
            return Ok(*choice);
        }
        let all: Vec<String> = choices.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
        Err(syn::Error::new(value.span(), format!("expected one of {}", all.join(", "))))
    }

    /// What stands between the parentheses after `word`.
    pub(super) fn listed(&self) -> syn::Result<ParseBuffer<'a>> {
        let input = self.input;
        if !input.peek(token::Paren) {
            return Err(syn::Error::new(
                here(input, self.ident.span()),
                format!("expected `(`: write `{}`", self.write),
            ));
        }
        let content;
        let parens = syn::parenthesized!(content in input);
        if content.is_empty() {
            let message = format!("nothing is given: write `{}`, or leave the argument out", self.write);
            return Err(syn::Error::new(parens.span.join(), message));
        }
        Ok(content)
    }
}

/// Reads `=`, after which something has to stand. `last` is the place of the token before it.
pub(super) fn equals(input: ParseStream<'_>, last: Span, write: &str) -> syn::Result<()> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(here(input, last), format!("expected `=`: write `{write}`")));
    }
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new(equals.span, format!("expected a value: write `{write}`")));
    }
    Ok(())
}

/// The expression out of the invisible group that `$value:expr` arrives in.
pub(super) fn ungrouped(value: &Expr) -> &Expr {
    match value {
        Expr::Group(group) => ungrouped(&group.expr),
        other => other,
    }
}

/// The next token's place, or the last one's where the input ends.
fn here(input: ParseStream<'_>, last: Span) -> Span {
    if input.is_empty() { last } else { input.span() }
}
