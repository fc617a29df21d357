//! `#[rollbar_report(..)]`.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Type};

use super::name::too_long;
use super::written::{Written, ungrouped};
use super::{Attribute, Pair, Word, pairs, separated};
use crate::diag::Diagnostics;

/// Characters of a context and of a title, more are cut off when an item is made (Rollbar's API).
const MAX_TEXT_CHARS: usize = 255;

/// What `#[rollbar_report]` takes.
#[derive(Default)]
pub(crate) struct RollbarReport {
    pub(crate) level: Level,
    pub(crate) fingerprint: Option<Expr>,
    pub(crate) title: Option<Expr>,
    pub(crate) custom: Vec<Pair>,
    pub(crate) capture: Vec<Pair>,
    pub(crate) ignore: Vec<Type>,
    pub(crate) when: Option<Expr>,
    error_words: Vec<Ident>,
}

/// Rollbar's levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Level {
    Critical,
    #[default]
    Error,
    Warning,
    Info,
    Debug,
}

impl Attribute for RollbarReport {
    const NAME: &'static str = "rollbar_report";
    const RUNTIME: &'static str = "rollbar_runtime";
    const WORDS: &'static [Word<Self>] = &[
        Word::NAME,
        Word {
            name: "level",
            write: "level = \"warning\"",
            read: |args, word, _| {
                args.own.level = word.one_of(&[
                    ("critical", Level::Critical),
                    ("error", Level::Error),
                    ("warning", Level::Warning),
                    ("info", Level::Info),
                    ("debug", Level::Debug),
                ])?;
                Ok(())
            },
        },
        Word {
            name: "fingerprint",
            write: "fingerprint = expr",
            read: |args, word, _| {
                args.own.fingerprint = Some(text(&word, |_| None)?);
                Ok(())
            },
        },
        Word {
            name: "title",
            write: "title = expr",
            read: |args, word, _| {
                let title = text(&word, |text| too_long("title", text, "Rollbar", MAX_TEXT_CHARS))?;
                args.own.title = Some(title);
                Ok(())
            },
        },
        Word {
            name: "custom",
            write: "custom(key = expr)",
            read: |args, word, diag| {
                args.own.custom = pairs::read(&word, |_| None, diag)?;
                Ok(())
            },
        },
        Word {
            name: "capture",
            write: "capture(arg, key = expr)",
            read: |args, word, diag| {
                args.own.capture = pairs::read(&word, |_| None, diag)?;
                Ok(())
            },
        },
        Word {
            name: "ignore",
            write: "ignore(Type)",
            read: |args, word, diag| {
                args.own.ignore = types(&word, diag)?;
                args.own.error_words.push(word.ident);
                Ok(())
            },
        },
        Word {
            name: "when",
            write: "when = |error| expr",
            read: |args, word, _| {
                args.own.when = Some(condition(&word)?);
                args.own.error_words.push(word.ident);
                Ok(())
            },
        },
        Word::CRATE,
    ];

    fn name_fault(name: &str) -> Option<String> {
        too_long("name", name, "Rollbar", MAX_TEXT_CHARS)
    }

    fn error_words(&self) -> &[Ident] {
        &self.error_words
    }
}

/// A text: a literal is checked here, anything else is made one at run time.
fn text(word: &Written<'_>, fault: fn(&str) -> Option<String>) -> syn::Result<Expr> {
    let value = word.assigned()?;
    let Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) = ungrouped(&value) else { return Ok(value) };
    let text = literal.value();
    let fault = match text.trim().is_empty() {
        true => Some(format!("the {} is empty; write one, or leave the argument out", word.ident)),
        false => fault(&text),
    };
    match fault {
        None => Ok(value),
        Some(fault) => Err(syn::Error::new(literal.span(), fault)),
    }
}

/// Error types, each once; a bad one is reported and skipped.
fn types(word: &Written<'_>, diag: &mut Diagnostics) -> syn::Result<Vec<Type>> {
    let content = word.listed()?;
    let mut types: Vec<Type> = Vec::new();
    separated(&content, diag, |input, _| {
        if input.peek(Lit) {
            return Err(input.error(format!("expected a type, not in quotes: write `{}`", word.write)));
        }
        let parsed = input.parse::<Type>().map_err(|error| {
            syn::Error::new(error.span(), format!("expected a type: write `{}`", word.write))
        })?;
        let written = |ty: &Type| ty.to_token_stream().to_string().replace(" :: ", "::");
        let text = written(&parsed);
        if types.iter().any(|other| written(other) == text) {
            return Err(syn::Error::new(parsed.span(), format!("duplicate type `{text}`; keep one")));
        }
        types.push(parsed);
        Ok(())
    });
    Ok(types)
}

/// A closure over the error, or a path to a function.
fn condition(word: &Written<'_>) -> syn::Result<Expr> {
    let value = word.assigned()?;
    match ungrouped(&value) {
        Expr::Lit(literal) => {
            Err(syn::Error::new(literal.span(), format!("expected a closure: write `{}`", word.write)))
        }
        Expr::Closure(closure) if closure.inputs.len() != 1 => {
            let place = match closure.inputs.is_empty() {
                true => closure.inputs_begin.span,
                false => closure.inputs.span(),
            };
            Err(syn::Error::new(place, format!("the closure takes the error alone: write `{}`", word.write)))
        }
        _ => Ok(value),
    }
}
