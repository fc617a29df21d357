//! The command line as Go's `flag` package reads it, which the AWS daemon uses: `-bind X`, `--bind X` and `-bind=X` are
//! the same, `-o` may be `-o=false`, and the first word that is no flag ends the flags.

use thiserror::Error;

/// A flag that may be given.
pub(crate) struct Flag {
    /// Its long name, without dashes.
    pub(crate) long: &'static str,
    /// Its other name, without dashes; empty where there is none.
    pub(crate) short: &'static str,
    pub(crate) takes_value: bool,
}

impl Flag {
    pub(crate) const fn value(short: &'static str, long: &'static str) -> Self {
        Self { long, short, takes_value: true }
    }

    pub(crate) const fn switch(short: &'static str, long: &'static str) -> Self {
        Self { long, short, takes_value: false }
    }
}

/// A command line in the one spelling that leaves no doubt: `--long` and `--long=value`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Normalized {
    pub(crate) flags: Vec<String>,
    /// What follows the flags.
    pub(crate) rest: Vec<String>,
}

/// A command line that Go's package refuses; the texts are its own.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum FlagError {
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    #[error("flag provided but not defined: -{0}")]
    Unknown(String),
    #[error("flag needs an argument: -{0}")]
    NeedsValue(String),
    #[error("invalid boolean value {value:?} for -{name}")]
    NotBoolean { name: String, value: String },
}

/// Rewrites `args` (without the program's name) by Go's rules.
pub(crate) fn normalize(args: &[String], known: &[Flag]) -> Result<Normalized, FlagError> {
    let mut flags = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let name = match arg.strip_prefix('-') {
            // A lone dash is a word.
            None | Some("") => return Ok(Normalized { flags, rest: rest(arg, args) }),
            Some("-") => return Ok(Normalized { flags, rest: args.cloned().collect() }),
            Some(name) => name.strip_prefix('-').unwrap_or(name),
        };
        if name.starts_with(['-', '=']) {
            return Err(FlagError::Syntax(arg.clone()));
        }
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name, None),
        };
        let flag = known
            .iter()
            .find(|flag| name == flag.long || name == flag.short)
            .ok_or_else(|| FlagError::Unknown(name.to_owned()))?;
        let long = flag.long;
        if flag.takes_value {
            let value = match value {
                Some(value) => value,
                // Whatever it looks like.
                None => args.next().ok_or_else(|| FlagError::NeedsValue(name.to_owned()))?,
            };
            flags.push(format!("--{long}={value}"));
        } else {
            match value.unwrap_or("true") {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => flags.push(format!("--{long}")),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => flags.retain(|flag| flag[2..] != *long),
                value => {
                    return Err(FlagError::NotBoolean { name: name.to_owned(), value: value.to_owned() });
                }
            }
        }
    }
    Ok(Normalized { flags, rest: Vec::new() })
}

fn rest(first: &str, others: std::slice::Iter<'_, String>) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(others.cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Flag] =
        &[Flag::value("b", "bind"), Flag::switch("o", "local-mode"), Flag::switch("", "ascii")];

    fn run(args: &[&str]) -> Result<Normalized, FlagError> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        normalize(&args, KNOWN)
    }

    #[test]
    fn every_spelling_of_go_is_read() {
        let cases: &[(&[&str], &[&str], &[&str])] = &[
            (&[], &[], &[]),
            (&["-b", "x:1"], &["--bind=x:1"], &[]),
            (&["--b=x:1", "-bind", "y:2"], &["--bind=x:1", "--bind=y:2"], &[]),
            (&["-b="], &["--bind="], &[]),
            (&["-b", "-o"], &["--bind=-o"], &[]),
            (&["-o", "--ascii=true"], &["--local-mode", "--ascii"], &[]),
            (&["-o", "-o=false"], &[], &[]),
            (&["-o", "word", "-b", "x"], &["--local-mode"], &["word", "-b", "x"]),
            (&["-o", "--", "-b"], &["--local-mode"], &["-b"]),
            (&["-", "-o"], &[], &["-", "-o"]),
            // What the original app's compose file passes.
            (
                &["-b", "0.0.0.0:2000", "xray -o -b xray-daemon:2000"],
                &["--bind=0.0.0.0:2000"],
                &["xray -o -b xray-daemon:2000"],
            ),
        ];
        for (args, flags, rest) in cases {
            let normalized = run(args).unwrap();
            assert_eq!(normalized.flags, *flags, "{args:?}");
            assert_eq!(normalized.rest, *rest, "{args:?}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        assert_eq!(run(&["-nope"]), Err(FlagError::Unknown("nope".into())));
        assert_eq!(run(&["-ob"]), Err(FlagError::Unknown("ob".into())));
        assert_eq!(run(&["---b"]), Err(FlagError::Syntax("---b".into())));
        assert_eq!(run(&["-=b"]), Err(FlagError::Syntax("-=b".into())));
        assert_eq!(run(&["-o", "-b"]), Err(FlagError::NeedsValue("b".into())));
        assert!(matches!(run(&["-o=maybe"]), Err(FlagError::NotBoolean { .. })));
    }
}
