//! The arguments of an attribute: what both have, and how all are read.

mod capture;
mod name;
mod pairs;
mod report;
mod written;

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Ident, Lit, Path, Token};

use crate::diag::{Diagnostics, nearest};
use written::Written;

pub(crate) use capture::{ErrorClass, Namespace, XrayCapture};
pub(crate) use name::Name;
pub(crate) use pairs::Pair;
pub(crate) use report::{Level, RollbarReport};

/// An attribute: what it is called, what its expansion calls, and what it takes beside a name and a path.
pub(crate) trait Attribute: Default + 'static {
    /// As it is written.
    const NAME: &'static str;
    /// The crate that its expansion calls.
    const RUNTIME: &'static str;
    /// What can stand in it. The parser, its hints and the docs follow this table.
    const WORDS: &'static [Word<Self>];

    /// What stands against a name, which is not empty.
    fn name_fault(name: &str) -> Option<String>;

    /// The arguments that look at an `Err`.
    fn error_words(&self) -> &[Ident] {
        &[]
    }
}

/// An argument: its word, how it is written, and what reads it.
pub(crate) struct Word<A: 'static> {
    name: &'static str,
    write: &'static str,
    read: Read<A>,
}

type Read<A> = fn(&mut Args<A>, Written<'_>, &mut Diagnostics) -> syn::Result<()>;

/// The arguments, as written.
#[derive(Default)]
pub(crate) struct Args<A> {
    pub(crate) name: Option<Name>,
    pub(crate) crate_path: Option<Path>,
    pub(crate) own: A,
    seen: Vec<&'static str>,
}

impl<A: Attribute> Word<A> {
    const NAME: Self = Self {
        name: "name",
        write: "name = \"...\"",
        read: |args, word, _| {
            args.name = Some(name::value(word.assigned()?, A::name_fault)?);
            Ok(())
        },
    };

    const CRATE: Self = Self {
        name: "crate",
        write: "crate = path",
        read: |args, word, _| {
            args.crate_path = Some(word.path()?);
            Ok(())
        },
    };
}

impl<A: Attribute> Args<A> {
    /// Reads the attribute's tokens. Each bad argument is reported and skipped to the next comma.
    pub(crate) fn read(tokens: TokenStream, diag: &mut Diagnostics) -> Self {
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
            let name = name::literal(input.parse()?, A::name_fault)?;
            if self.seen.contains(&Word::<A>::NAME.name) {
                return Err(syn::Error::new(name.span(), "the name is given already; keep one"));
            }
            self.seen.push(Word::<A>::NAME.name);
            self.name = Some(Name::Literal(name));
            return Ok(());
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected an argument: write `\"...\"` or `name = \"...\"`"));
        }
        let ident = Ident::parse_any(input)?;
        let word = known::<A>(&ident)?;
        if self.seen.contains(&word.name) {
            return Err(syn::Error::new(ident.span(), format!("duplicate argument `{ident}`; keep one")));
        }
        self.seen.push(word.name);
        (word.read)(self, Written { ident, write: word.write, input }, diag)
    }
}

/// The word, or an error that names the nearest one.
fn known<A: Attribute>(ident: &Ident) -> syn::Result<&'static Word<A>> {
    let text = ident.to_string();
    let find = |name: &str| A::WORDS.iter().find(|word| word.name == name);
    if let Some(word) = find(&text) {
        return Ok(word);
    }
    let hint = match nearest(&text, A::WORDS.iter().map(|word| word.name)).and_then(find) {
        Some(near) => format!("did you mean `{}`?", near.write),
        None => {
            let all: Vec<String> = A::WORDS.iter().map(|word| format!("`{}`", word.name)).collect();
            format!("expected one of {}", all.join(", "))
        }
    };
    Err(syn::Error::new(ident.span(), format!("unknown argument `{text}`; {hint}")))
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
