use std::any::type_name;
use std::fmt::{self, Display};
use std::io;

use super::*;

const LIMITS: Limits = Limits { links: 10, message_chars: 4096 };

#[derive(Debug)]
enum RepoError {
    Missing(u32),
    Io(io::Error),
}

impl Display for RepoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(row) => write!(f, "row {row} is missing"),
            Self::Io(_) => f.write_str("cannot read"),
        }
    }
}

impl Error for RepoError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Missing(_) => None,
            Self::Io(error) => Some(error),
        }
    }
}

#[derive(Debug)]
struct ApiError<T> {
    source: RepoError,
    detail: T,
}

impl<T> Display for ApiError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such order")
    }
}

impl<T: Debug> Error for ApiError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

fn api_error(source: RepoError) -> ApiError<u8> {
    ApiError { source, detail: 7 }
}

fn of<E: Error>(error: &E) -> Chain {
    Chain::from_error(error, type_name::<E>(), LIMITS)
}

fn same(a: &Chain, b: &Chain) -> bool {
    same_error(a.identities(), b.identities())
}

#[test]
fn each_link_has_its_type_and_its_text() {
    let error = api_error(RepoError::Io(io::Error::other("disk gone")));
    assert_eq!(error.detail, 7);
    let chain = of(&error);
    let links: Vec<_> =
        chain.links.iter().map(|link| (link.type_name.as_str(), link.message.as_str())).collect();
    assert_eq!(
        links,
        [
            (concat!(module_path!(), "::ApiError"), "no such order"),
            ("Io", "cannot read"),
            ("std::io::Error", "disk gone"),
        ]
    );
    assert_eq!((chain.skipped, chain.stack), (0, None));
}

#[derive(Debug)]
struct Nested(Option<Box<Nested>>, usize);

impl Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.1)
    }
}

impl Error for Nested {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|inner| inner as _)
    }
}

#[test]
fn a_long_chain_is_cut_and_the_rest_counted() {
    for (length, kept, skipped) in [
        (1, 1, 0),
        (10, 10, 0),
        (11, 10, 1),
        (25, 10, 15),
        (3_000, 10, MAX_COUNTED),
        (10_000, 10, MAX_COUNTED),
    ] {
        let mut error = (1..length).fold(Nested(None, 0), |inner, n| Nested(Some(Box::new(inner)), n));
        let chain = of(&error);
        assert_eq!((chain.links.len(), chain.skipped), (kept, skipped), "{length}");
        let one = Chain::from_error(&error, "app::E", Limits { links: 0, message_chars: 3 });
        assert_eq!((one.links.len(), one.links[0].message.as_str()), (1, "lin"));
        // Taken apart from outside: its own drop would recurse.
        while let Some(inner) = error.0.take() {
            error = *inner;
        }
    }
}

#[derive(Debug)]
struct Ring;

impl Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("round")
    }
}

impl Error for Ring {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Self)
    }
}

#[test]
fn a_ring_ends() {
    let chain = of(&Ring);
    assert_eq!((chain.links.len(), chain.skipped), (10, MAX_COUNTED));
}

struct Hostile;

impl Debug for Hostile {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no debug text")
    }
}

impl Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("é and so on, ")?;
        }
    }
}

impl Error for Hostile {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        panic!("no source")
    }
}

#[test]
fn hostile_code_is_bounded_and_caught() {
    let chain = of(&Hostile);
    assert_eq!((chain.links.len(), chain.links[0].message.chars().count()), (1, 4096));
    assert_eq!(Chain::from_report(&Hostile, &Hostile, "app::Hostile", LIMITS).stack, None);
    let message = Chain::from_message("E", &"é".repeat(5_000), LIMITS);
    assert_eq!(message.links[0].message.len(), 2 * 4096);
}

#[test]
fn an_error_is_the_same_within_another() {
    let missing = |n| RepoError::Missing(n);
    let inner = of(&missing(1));
    // The enum's own name is not in the chain; its variant's is.
    assert!(same(&inner, &of(&api_error(missing(1)))));
    assert!(same(&of(&api_error(missing(1))), &inner));
    assert!(!same(&inner, &of(&missing(2))));
    assert!(!same_error(inner.identities(), &[]));
    // The same text of another type.
    let other = Chain::from_message("app::Other", "row 1 is missing", LIMITS);
    assert!(!same(&inner, &other));
    let report = anyhow::Error::from(missing(1)).context("loading");
    assert!(same(&Chain::from_report(report.as_ref(), &report, "anyhow::Error", LIMITS), &inner));
    let io = |text: &'static str| io::Error::other(text);
    assert!(same(&of(&io("x")), &of(&RepoError::Io(io("x")))));
}

#[test]
fn a_report_gives_the_chain_of_the_error_inside() {
    let report = anyhow::anyhow!("a\nb").context("two\nlines").context("top");
    let chain = Chain::from_report(report.as_ref(), &report, "anyhow::Error", LIMITS);
    let messages: Vec<_> = chain.links.iter().map(|link| link.message.as_str()).collect();
    assert_eq!(messages, ["top", "two\nlines", "a\nb"]);
    assert_eq!(chain.links[0].type_name, "anyhow::Error");
}

#[test]
fn a_report_gives_its_stack_or_its_location() {
    struct Report(&'static str);
    impl Debug for Report {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }
    let top: Box<dyn Error> = "top".into();
    let read = |text| {
        let chain = Chain::from_report(&*top, &Report(text), "eyre::Report", LIMITS);
        chain.stack.map(|stack| stack.frames)
    };
    let frame = |label: &'static str, line| StackFrame { path: "src/a.rs".into(), line, label: label.into() };
    let with_stack =
        "top\n\nLocation:\n    src/b.rs:1:1\n\nStack backtrace:\n   0: app::f\n       at ./src/a.rs:3:4\n";
    assert_eq!(read(with_stack), Some(vec![frame("app::f", 3)]));
    assert_eq!(read("top\n\nLocation:\n    src/a.rs:5:6\n"), Some(vec![frame("", 5)]));
    for without in
        ["top", "top\n\nLocation:\n", "other\n\nLocation:\n    src/a.rs:5:6\n", "top\n\nStack backtrace:\n"]
    {
        assert_eq!(read(without), None, "{without}");
    }
}

#[test]
fn types_are_named_plainly() {
    for (given, plain) in [
        ("app::Error<alloc::string::String>", Some("app::Error")),
        ("alloc::boxed::Box<app::Error>", Some("app::Error")),
        ("alloc::boxed::Box<dyn core::error::Error + core::marker::Send>", None),
        ("&alloc::sync::Arc<app::Error<u8>>", Some("app::Error")),
        ("&str", Some("str")),
        ("", None),
    ] {
        assert_eq!(plain_type(given), plain, "{given}");
    }
    for (debug, name) in [
        ("NotFound", Some("NotFound")),
        ("Io(Os { code: 2 })", Some("Io")),
        ("Parse { at: 1 }", Some("Parse")),
        ("The file is missing", None),
        ("\"text\"", None),
        ("missing", None),
        ("", None),
    ] {
        assert_eq!(type_in_debug(debug), name, "{debug}");
    }
    let boxed: Box<dyn Error + Send + Sync> = "text".into();
    let chain = Chain::from_error(&*boxed, "alloc::boxed::Box<dyn core::error::Error>", LIMITS);
    assert_eq!(chain.links[0].type_name, "error");
}
