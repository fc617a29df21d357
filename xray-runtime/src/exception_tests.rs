use std::any::type_name;
use std::io;

use super::*;

#[derive(Debug, thiserror::Error)]
enum RepoError {
    #[error("row {0} is missing")]
    Missing(u32),
    #[error("cannot read")]
    Io(#[source] io::Error),
}

#[derive(Debug, thiserror::Error)]
#[error("no such order")]
struct ApiError<T: Debug + 'static> {
    #[source]
    source: RepoError,
    detail: T,
}

fn api_error(source: RepoError) -> ApiError<u8> {
    ApiError { source, detail: 7 }
}

fn of<E: Error>(error: &E) -> Cause {
    Cause::from_error(error, type_name::<E>())
}

#[test]
fn each_link_is_an_exception_due_to_the_next() {
    let error = api_error(RepoError::Io(io::Error::other("disk gone")));
    assert_eq!(error.detail, 7);
    let cause = of(&error);
    let [outer, middle, inner] = cause.exceptions.as_slice() else { panic!("{cause:?}") };
    assert_eq!(outer.type_name, concat!(module_path!(), "::ApiError"));
    assert_eq!((middle.type_name.as_str(), inner.type_name.as_str()), ("Io", "std::io::Error"));
    assert_eq!(
        [outer, middle, inner].map(|exception| exception.message.as_str()),
        ["no such order", "cannot read", "disk gone"]
    );
    assert_eq!((outer.cause, middle.cause, inner.cause), (Some(middle.id), Some(inner.id), None));
}

#[derive(Debug)]
struct Ring(Option<Box<Ring>>, usize);

impl Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.1)
    }
}

impl Error for Ring {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|ring| ring as _)
    }
}

fn chain(length: usize) -> Ring {
    (1..length).fold(Ring(None, 0), |inner, n| Ring(Some(Box::new(inner)), n))
}

#[test]
fn a_long_chain_is_cut_and_the_rest_counted() {
    for (length, kept, skipped) in
        [(1, 1, 0), (10, 10, 0), (11, 10, 1), (25, 10, 15), (3_000, 10, MAX_COUNTED)]
    {
        let cause = of(&chain(length));
        assert_eq!(cause.exceptions.len(), kept, "{length}");
        assert_eq!(cause.exceptions.last().unwrap().skipped, skipped, "{length}");
        assert_eq!(cause.links.len(), kept);
    }
}

struct Endless;

impl Debug for Endless {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no debug text")
    }
}

impl Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("é and so on, ")?;
        }
    }
}

impl Error for Endless {}

#[test]
fn hostile_formatting_is_bounded_and_caught() {
    let cause = of(&Endless);
    assert_eq!(cause.exceptions[0].message.chars().count(), MAX_MESSAGE_CHARS);
    let report = Cause::from_report(&Endless, &Endless, "app::Endless");
    assert_eq!(report.exceptions[0].type_name, "app::Endless");
    assert_eq!(
        Cause::from_message("E", &"é".repeat(5_000)).exceptions[0].message.len(),
        2 * MAX_MESSAGE_CHARS
    );
}

#[test]
fn an_error_is_the_same_within_another() {
    let missing = |n| RepoError::Missing(n);
    let inner = of(&missing(1));
    // The enum's own name is not in the chain; its variant's is.
    assert!(same_error(&inner.links, &of(&api_error(missing(1))).links));
    assert!(same_error(&of(&api_error(missing(1))).links, &inner.links));
    assert!(!same_error(&inner.links, &of(&missing(2)).links));
    assert!(!same_error(&inner.links, &[]));
    // The same text of another type.
    let other = Cause::from_message("app::Other", "row 1 is missing");
    assert!(!same_error(&inner.links, &other.links));
    // A report tells texts only.
    let report = anyhow::Error::from(missing(1)).context("loading");
    let report = Cause::from_report(&report, &report, "anyhow::Error");
    assert!(same_error(&report.links, &inner.links));
    let io = |text: &'static str| io::Error::other(text);
    assert!(same_error(&of(&io("x")).links, &of(&RepoError::Io(io("x"))).links));
}

#[test]
fn a_report_of_anyhow_gives_its_causes() {
    let report = anyhow::anyhow!("a\nb").context("two\nlines").context("top");
    let cause = Cause::from_report(&report, &report, "anyhow::Error");
    let messages: Vec<_> = cause.exceptions.iter().map(|exception| exception.message.as_str()).collect();
    assert_eq!(messages, ["top", "two\nlines", "a\nb"]);
    assert_eq!(cause.exceptions[0].cause, Some(cause.exceptions[1].id));
    let report = anyhow::anyhow!("inner").context("top");
    let cause = Cause::from_report(&report, &report, "anyhow::Error");
    assert_eq!(cause.exceptions[1].message, "inner");
    assert_eq!(cause.exceptions[1].type_name, "error");
}

#[test]
fn a_report_gives_its_stack_or_its_location() {
    struct Report(&'static str);
    impl Debug for Report {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }
    let read = |text| Cause::from_report(&"top", &Report(text), "eyre::Report").exceptions.remove(0).stack;
    let frame = |label: &'static str, line| StackFrame { path: "src/a.rs".into(), line, label: label.into() };
    let with_stack =
        "top\n\nLocation:\n    src/b.rs:1:1\n\nStack backtrace:\n   0: app::f\n       at ./src/a.rs:3:4\n";
    assert_eq!(read(with_stack), [frame("app::f", 3)]);
    assert_eq!(read("top\n\nLocation:\n    src/a.rs:5:6\n"), [frame("", 5)]);
    assert_eq!(read("top"), []);
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
    let cause = Cause::from_error(&*boxed, "alloc::boxed::Box<dyn core::error::Error>");
    assert_eq!(cause.exceptions[0].type_name, "error");
}
