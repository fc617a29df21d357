//! The command line as Go's `flag` package reads it, which the AWS daemon uses: `-bind X`, `--bind X` and `-bind=X` are
//! the same, `-o` may be `-o=false`, of a flag that is given twice the last one counts, and the first word that is no
//! flag ends the flags.

use std::num::IntErrorKind;

use thiserror::Error;

/// A flag that may be given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    /// Its long name, without dashes.
    pub(crate) long: &'static str,
    /// Its other name, without dashes; empty where there is none.
    pub(crate) short: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Switch,
    Text,
    /// Text that may be given several times.
    Texts,
    /// A whole number as Go writes one: `24`, `0x18`, `1_000`.
    Number,
}

impl Flag {
    pub(crate) const fn value(short: &'static str, long: &'static str) -> Self {
        Self { long, short, kind: Kind::Text }
    }

    pub(crate) const fn values(short: &'static str, long: &'static str) -> Self {
        Self { long, short, kind: Kind::Texts }
    }

    pub(crate) const fn number(short: &'static str, long: &'static str) -> Self {
        Self { long, short, kind: Kind::Number }
    }

    pub(crate) const fn switch(short: &'static str, long: &'static str) -> Self {
        Self { long, short, kind: Kind::Switch }
    }
}

/// The value of a flag that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Switch(bool),
    Text(String),
    Number(i64),
}

/// A command line that was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    given: Vec<(&'static str, Value)>,
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
    #[error("invalid boolean value {value:?} for -{name}: parse error")]
    NotBoolean { name: String, value: String },
    #[error("invalid value {value:?} for flag -{name}: {why}")]
    NotNumber { name: String, value: String, why: NotInteger },
}

/// Why a text is no integer.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum NotInteger {
    #[error("parse error")]
    Syntax,
    #[error("value out of range")]
    Range,
}

impl Flags {
    /// Reads `args` (without the program's name) by Go's rules. What follows a call for help is not looked at.
    pub(crate) fn read(args: &[String], known: &[Flag]) -> Result<Self, FlagError> {
        let mut flags = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let name = match arg.strip_prefix('-') {
                // A lone dash is a word.
                None | Some("") => {
                    flags.rest = std::iter::once(arg).chain(args).cloned().collect();
                    return Ok(flags);
                }
                Some("-") => {
                    flags.rest = args.cloned().collect();
                    return Ok(flags);
                }
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
            let value = match (flag.kind, value) {
                (Kind::Switch, value) => Value::Switch(switch(name, value.unwrap_or("true"))?),
                (kind, value) => {
                    // The next argument, whatever it looks like.
                    let value = value.or_else(|| args.next().map(String::as_str));
                    let value = value.ok_or_else(|| FlagError::NeedsValue(name.to_owned()))?;
                    match kind {
                        Kind::Number => Value::Number(number(name, value)?),
                        _ => Value::Text(value.to_owned()),
                    }
                }
            };
            if flag.kind != Kind::Texts {
                flags.given.retain(|(long, _)| *long != flag.long);
            }
            flags.given.push((flag.long, value));
            if flag.long == "help" && flags.switch("help") == Some(true) {
                break;
            }
        }
        Ok(flags)
    }

    /// The flags in the one spelling that leaves clap no doubt: `--long` and `--long=value`.
    pub(crate) fn normalized(&self) -> impl Iterator<Item = String> {
        self.given.iter().filter_map(|(long, value)| match value {
            Value::Switch(true) => Some(format!("--{long}")),
            Value::Switch(false) => None,
            Value::Text(text) => Some(format!("--{long}={text}")),
            Value::Number(number) => Some(format!("--{long}={number}")),
        })
    }

    /// Whether the switch of this long name was turned on or off; `None` where it was not given.
    pub(crate) fn switch(&self, long: &str) -> Option<bool> {
        self.given.iter().find_map(|(name, value)| match value {
            Value::Switch(on) if *name == long => Some(*on),
            _ => None,
        })
    }
}

/// For settings, which clap does not read.
#[cfg(feature = "relay")]
impl Flags {
    pub(crate) fn text<'a>(&'a self, long: &str) -> Option<&'a str> {
        self.texts(long).next()
    }

    pub(crate) fn texts<'a, 'l>(&'a self, long: &'l str) -> impl Iterator<Item = &'a str> + use<'a, 'l> {
        self.given.iter().filter_map(move |(name, value)| match value {
            Value::Text(text) if *name == long => Some(text.as_str()),
            _ => None,
        })
    }

    pub(crate) fn number(&self, long: &str) -> Option<i64> {
        self.given.iter().find_map(|(name, value)| match value {
            Value::Number(number) if *name == long => Some(*number),
            _ => None,
        })
    }
}

fn switch(name: &str, value: &str) -> Result<bool, FlagError> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        value => Err(FlagError::NotBoolean { name: name.to_owned(), value: value.to_owned() }),
    }
}

fn number(name: &str, value: &str) -> Result<i64, FlagError> {
    go_integer(value).map_err(|why| FlagError::NotNumber {
        name: name.to_owned(),
        value: value.to_owned(),
        why,
    })
}

/// An integer literal of Go with its sign: `24`, `0x18`, `0b11`, `0o17` or `017`, `_` between digits.
pub(crate) fn go_integer(text: &str) -> Result<i64, NotInteger> {
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (if text.starts_with('-') { "-" } else { "" }, digits),
        None => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    // `0_17` and `0x_1f` are as Go has them, `_1`, `1_` and `1__0` are not.
    let misplaced =
        digits.ends_with('_') || digits.contains("__") || (radix == 10 && digits.starts_with('_'));
    if misplaced || digits.starts_with(['+', '-']) {
        return Err(NotInteger::Syntax);
    }
    let digits: String = std::iter::once(sign).chain(digits.split('_')).collect();
    i64::from_str_radix(&digits, radix).map_err(|error| match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => NotInteger::Range,
        _ => NotInteger::Syntax,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Flag] = &[
        Flag::value("b", "bind"),
        Flag::values("", "allow-host"),
        Flag::number("m", "buffer-memory"),
        Flag::switch("o", "local-mode"),
        Flag::switch("", "ascii"),
        Flag::switch("h", "help"),
    ];

    fn read(args: &[&str]) -> Result<Flags, FlagError> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        Flags::read(&args, KNOWN)
    }

    #[test]
    fn every_spelling_of_go_is_read() {
        let cases: &[(&[&str], &[&str], &[&str])] = &[
            (&[], &[], &[]),
            (&["-b", "x:1"], &["--bind=x:1"], &[]),
            (&["--b=x:1", "-bind", "y:2"], &["--bind=y:2"], &[]),
            (&["-allow-host=a", "--allow-host", "b"], &["--allow-host=a", "--allow-host=b"], &[]),
            (&["-b="], &["--bind="], &[]),
            (&["-b", "-o"], &["--bind=-o"], &[]),
            (&["-o", "--ascii=true"], &["--local-mode", "--ascii"], &[]),
            (&["-o", "-o=false"], &[], &[]),
            (&["-m", "0x18"], &["--buffer-memory=24"], &[]),
            (&["-o", "word", "-b", "x"], &["--local-mode"], &["word", "-b", "x"]),
            (&["-o", "--", "-b"], &["--local-mode"], &["-b"]),
            (&["-", "-o"], &[], &["-", "-o"]),
            (&["", "-o"], &[], &["", "-o"]),
            (&["-o", "-h", "-nope"], &["--local-mode", "--help"], &[]),
            // What the original app's compose file passes.
            (
                &["-b", "0.0.0.0:2000", "xray -o -b xray-daemon:2000"],
                &["--bind=0.0.0.0:2000"],
                &["xray -o -b xray-daemon:2000"],
            ),
        ];
        for (args, flags, rest) in cases {
            let read = read(args).unwrap();
            assert_eq!(read.normalized().collect::<Vec<_>>(), *flags, "{args:?}");
            assert_eq!(read.rest, *rest, "{args:?}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        let cases: &[(&[&str], &str)] = &[
            (&["-nope"], "flag provided but not defined: -nope"),
            (&["--nope=1"], "flag provided but not defined: -nope"),
            (&["-ob"], "flag provided but not defined: -ob"),
            (&["---b"], "bad flag syntax: ---b"),
            (&["-=b"], "bad flag syntax: -=b"),
            (&["-o", "-b"], "flag needs an argument: -b"),
            (&["-o=maybe"], "invalid boolean value \"maybe\" for -o: parse error"),
            (&["-m", "lots"], "invalid value \"lots\" for flag -m: parse error"),
            (&["-m="], "invalid value \"\" for flag -m: parse error"),
            (&["-m", "2.5"], "invalid value \"2.5\" for flag -m: parse error"),
            (
                &["--buffer-memory", "9223372036854775808"],
                "invalid value \"9223372036854775808\" for flag -buffer-memory: value out of range",
            ),
        ];
        for (args, text) in cases {
            assert_eq!(read(args).unwrap_err().to_string(), *text, "{args:?}");
        }
    }

    #[test]
    fn integers_are_those_of_go() {
        let cases = [
            ("24", Some(24)),
            ("+24", Some(24)),
            ("-24", Some(-24)),
            ("0", Some(0)),
            ("0x1F", Some(31)),
            ("-0b11", Some(-3)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("1_000", Some(1_000)),
            ("0x_1f", Some(31)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("08", None),
            ("0x", None),
            ("_1", None),
            ("1_", None),
            ("1__0", None),
            ("--1", None),
            ("+-1", None),
            ("0x-1", None),
            ("", None),
            (" 1", None),
            ("1e3", None),
            ("ü", None),
        ];
        for (text, number) in cases {
            assert_eq!(go_integer(text).ok(), number, "{text:?}");
        }
    }

    #[cfg(feature = "relay")]
    #[test]
    fn a_switch_that_is_turned_off_was_given() {
        let flags = read(&["-o=false", "-b", "", "-m", "3"]).unwrap();
        assert_eq!((flags.switch("local-mode"), flags.switch("ascii")), (Some(false), None));
        assert_eq!((flags.text("bind"), flags.text("allow-host")), (Some(""), None));
        assert_eq!(flags.number("buffer-memory"), Some(3));
    }
}
