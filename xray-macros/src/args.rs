//! The arguments of `#[xray_capture(..)]`.

mod name;
mod pairs;

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, Ident, Lit, LitStr, Path, Token, token};

use crate::diag::{Diagnostics, nearest};

/// What can stand in the attribute, each with how it is written. The parser, its hints and the docs follow this table.
pub(crate) const WORDS: &[(Word, &str, &str)] = &[
    (Word::Name, "name", "name = \"...\""),
    (Word::Namespace, "namespace", "namespace = \"remote\""),
    (Word::Annotations, "annotations", "annotations(key = expr)"),
    (Word::Metadata, "metadata", "metadata(key = expr)"),
    (Word::Segment, "segment", "segment"),
    (Word::Error, "error", "error = \"fault\""),
    (Word::Crate, "crate", "crate = path"),
];

/// An argument's word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Name,
    Namespace,
    Annotations,
    Metadata,
    Segment,
    Error,
    Crate,
}

impl Word {
    fn write(self) -> &'static str {
        WORDS.iter().find(|(word, ..)| *word == self).map_or("", |(.., write)| write)
    }
}

/// The arguments, as written.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) name: Option<Name>,
    pub(crate) namespace: Option<Namespace>,
    pub(crate) annotations: Vec<Pair>,
    pub(crate) metadata: Vec<Pair>,
    pub(crate) segment: bool,
    pub(crate) error: ErrorClass,
    pub(crate) crate_path: Option<Path>,
    seen: Vec<Word>,
}

/// `"..."`, or an expression that gives a name at run time.
pub(crate) enum Name {
    Literal(LitStr),
    Expr(Expr),
}

/// The namespaces that X-Ray knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Namespace {
    Remote,
    Aws,
}

/// What an `Err` marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum ErrorClass {
    #[default]
    Fault,
    Error,
    Throttle,
    Ignore,
}

/// `key = expr` in `annotations` and `metadata`.
pub(crate) struct Pair {
    pub(crate) key: LitStr,
    pub(crate) value: Expr,
}

impl Args {
    /// Reads the attribute's tokens. Each bad argument is reported and skipped to the next comma.
    pub(crate) fn read(tokens: proc_macro2::TokenStream, diag: &mut Diagnostics) -> Self {
        let mut args = Self::default();
        let read = |input: ParseStream<'_>| {
            separated(input, diag, |input, diag| args.argument(input, diag));
            Ok(())
        };
        // The parser above consumes all of its input and returns no error of its own.
        if let Err(error) = read.parse2(tokens) {
            diag.push(error);
        }
        args
    }

    fn argument(&mut self, input: ParseStream<'_>, diag: &mut Diagnostics) -> syn::Result<()> {
        if input.peek(Lit) {
            let literal: Lit = input.parse()?;
            let name = name::literal(literal)?;
            if self.seen.contains(&Word::Name) {
                return Err(syn::Error::new(name.span(), "the name is given already; keep one"));
            }
            self.seen.push(Word::Name);
            self.name = Some(Name::Literal(name));
            return Ok(());
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected an argument: write `\"...\"` or `name = \"...\"`"));
        }
        let ident = Ident::parse_any(input)?;
        let word = known(&ident)?;
        if self.seen.contains(&word) {
            return Err(syn::Error::new(ident.span(), format!("duplicate argument `{ident}`; keep one")));
        }
        self.seen.push(word);
        match word {
            Word::Name => self.name = Some(name::value(assigned(input, &ident, word)?)?),
            Word::Namespace => {
                let choices = [("remote", Namespace::Remote), ("aws", Namespace::Aws)];
                self.namespace = Some(one_of(assigned(input, &ident, word)?, &choices)?);
            }
            Word::Annotations => self.annotations = pairs::read(listed(input, &ident, word)?, word, diag),
            Word::Metadata => self.metadata = pairs::read(listed(input, &ident, word)?, word, diag),
            Word::Segment => {
                if input.peek(Token![=]) || input.peek(token::Paren) {
                    return Err(input.error("`segment` takes no value: write `segment`"));
                }
                self.segment = true;
            }
            Word::Error => {
                let choices = [
                    ("fault", ErrorClass::Fault),
                    ("error", ErrorClass::Error),
                    ("throttle", ErrorClass::Throttle),
                    ("ignore", ErrorClass::Ignore),
                ];
                self.error = one_of(assigned(input, &ident, word)?, &choices)?;
            }
            Word::Crate => {
                equals(input, &ident, word)?;
                let no_path = |error: syn::Error| {
                    let message = format!("expected a path, not in quotes: write `{}`", word.write());
                    syn::Error::new(error.span(), message)
                };
                self.crate_path = Some(input.call(Path::parse_mod_style).map_err(no_path)?);
            }
        }
        Ok(())
    }
}

/// The word, or an error that names the nearest one.
fn known(ident: &Ident) -> syn::Result<Word> {
    let text = ident.to_string();
    if let Some((word, ..)) = WORDS.iter().find(|(_, known, _)| *known == text) {
        return Ok(*word);
    }
    let hint = match nearest(&text, WORDS.iter().map(|(_, known, _)| *known)) {
        Some(near) => {
            let write = WORDS.iter().find(|(_, known, _)| *known == near).map_or(near, |(.., write)| write);
            format!("did you mean `{write}`?")
        }
        None => {
            let all: Vec<String> = WORDS.iter().map(|(_, known, _)| format!("`{known}`")).collect();
            format!("expected one of {}", all.join(", "))
        }
    };
    Err(syn::Error::new(ident.span(), format!("unknown argument `{text}`; {hint}")))
}

/// The expression after `word =`.
fn assigned(input: ParseStream<'_>, ident: &Ident, word: Word) -> syn::Result<Expr> {
    equals(input, ident, word)?;
    input.parse()
}

fn equals(input: ParseStream<'_>, ident: &Ident, word: Word) -> syn::Result<()> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(
            here(input, ident.span()),
            format!("expected `=`: write `{}`", word.write()),
        ));
    }
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new(equals.span, format!("expected a value: write `{}`", word.write())));
    }
    Ok(())
}

/// What stands between the parentheses after `word`.
fn listed<'a>(input: ParseStream<'a>, ident: &Ident, word: Word) -> syn::Result<syn::parse::ParseBuffer<'a>> {
    if !input.peek(token::Paren) {
        return Err(syn::Error::new(
            here(input, ident.span()),
            format!("expected `(`: write `{}`", word.write()),
        ));
    }
    let content;
    let parens = syn::parenthesized!(content in input);
    if content.is_empty() {
        let message = format!("nothing is given: write `{}`, or leave the argument out", word.write());
        return Err(syn::Error::new(parens.span.join(), message));
    }
    Ok(content)
}

/// One of a few strings.
fn one_of<T: Copy>(value: Expr, choices: &[(&str, T)]) -> syn::Result<T> {
    if let Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) = ungrouped(&value)
        && let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text.value())
    {
        return Ok(*choice);
    }
    let all: Vec<String> = choices.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
    Err(syn::Error::new(value.span(), format!("expected one of {}", all.join(", "))))
}

/// The expression out of the invisible group that `$value:expr` arrives in.
fn ungrouped(value: &Expr) -> &Expr {
    match value {
        Expr::Group(group) => ungrouped(&group.expr),
        other => other,
    }
}

/// Calls `read` for each part between commas; reports its error and goes on after the next comma.
fn separated(
    input: ParseStream<'_>,
    diag: &mut Diagnostics,
    mut read: impl FnMut(ParseStream<'_>, &mut Diagnostics) -> syn::Result<()>,
) {
    while !input.is_empty() {
        let read = read(input, diag).and_then(|()| match input.is_empty() || input.peek(Token![,]) {
            true => Ok(()),
            false => Err(input.error("expected `,`")),
        });
        if let Err(error) = read {
            diag.push(error);
            while !input.is_empty() && !input.peek(Token![,]) {
                skip(input);
            }
        }
        if let Ok(None) = input.parse::<Option<Token![,]>>() {
            return;
        }
    }
}

/// Drops one token.
fn skip(input: ParseStream<'_>) {
    let rest = input.step(|cursor| {
        let next = cursor.token_tree().map_or(*cursor, |(_, next)| next);
        Ok(((), next))
    });
    // `step` returns what its closure returns, and that is never an error.
    debug_assert!(rest.is_ok());
}

/// The next token's place, or the last one's where the input ends.
fn here(input: ParseStream<'_>, last: Span) -> Span {
    if input.is_empty() { last } else { input.span() }
}
