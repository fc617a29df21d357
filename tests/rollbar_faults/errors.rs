//! Errors whose code is hostile: each is one valid item all the same.

use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::time::{Duration, Instant};

use rollbar_runtime::{Report, report_error, rollbar_report};
use serde_json::Value;

use crate::support::{LONG, Local};

/// Reports in its own client to the double, and gives the one item that has arrived.
pub(crate) fn only(report: impl FnOnce()) -> Value {
    let local = Local::new();
    let rollbar = local.client();
    rollbar.enter(report);
    let flushed = rollbar.flush(LONG);
    let stats = rollbar.stats();
    assert_eq!((flushed.sent, stats.sent, stats.reported), (1, 1, 1), "{stats:#?}");
    let mut occurrences = local.double().occurrences(10);
    assert_eq!(occurrences.len(), 1);
    assert_eq!(local.double().stats().warned, 0);
    assert!(occurrences[0].bytes <= 512 * 1024);
    occurrences.remove(0).data.clone()
}

pub(crate) fn traces(data: &Value) -> Vec<Value> {
    let body = &data["body"];
    match body["trace_chain"].as_array() {
        Some(chain) => chain.clone(),
        None => vec![body["trace"].clone()],
    }
}

/// An error made of three functions.
struct Made<D, T, S>(D, T, S);

impl<D: Fn(), T, S> Debug for Made<D, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0();
        f.write_str("Made")
    }
}

impl<D, T: Fn(&mut fmt::Formatter<'_>) -> fmt::Result, S> Display for Made<D, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1(f)
    }
}

impl<D: Fn(), T: Fn(&mut fmt::Formatter<'_>) -> fmt::Result, S: Fn()> Error for Made<D, T, S> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.2();
        None
    }
}

fn fine(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("fine")
}

/// A payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload panics as well");
    }
}

#[test]
fn an_error_whose_display_panics() {
    let data = only(|| {
        report_error(&Made(|| (), |_: &mut fmt::Formatter<'_>| panic!("no text"), || ()));
    });
    assert_eq!(traces(&data)[0]["exception"]["message"], "(formatting the error panicked)");
    only(|| {
        report_error(&Made(|| (), |_: &mut fmt::Formatter<'_>| std::panic::panic_any(Bomb), || ()));
    });
}

#[test]
fn an_error_whose_display_fails() {
    only(|| {
        report_error(&Made(|| (), |_: &mut fmt::Formatter<'_>| Err(fmt::Error), || ()));
    });
}

#[test]
fn an_error_whose_debug_or_source_panics() {
    let data = only(|| {
        report_error(&Made(|| panic!("no debug"), fine, || panic!("no source")));
    });
    assert_eq!(traces(&data).len(), 1);
    assert_eq!(traces(&data)[0]["exception"]["message"], "fine");
}

#[test]
fn annotated_functions_give_such_errors_back() {
    #[derive(Debug)]
    struct Other;
    impl Display for Other {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }
    impl Error for Other {}

    struct Hostile;
    impl Debug for Hostile {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no debug")
        }
    }
    impl Display for Hostile {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }
    impl Error for Hostile {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            panic!("no source")
        }
    }

    #[rollbar_report(ignore(Other), capture(text), custom(n = text.0))]
    fn fails(text: Text) -> Result<(), Hostile> {
        assert_eq!(text.0, 7);
        Err(Hostile)
    }
    #[rollbar_report(title = Text(1), fingerprint = Text(2), when = |_: &Hostile| panic!("no condition"))]
    fn titled() -> Result<(), Hostile> {
        Err(Hostile)
    }
    struct Text(u32);
    impl Debug for Text {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no argument")
        }
    }
    impl Display for Text {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no title")
        }
    }
    let data = only(|| assert!(fails(Text(7)).is_err()));
    assert_eq!(data["custom"]["n"], 7);
    let local = Local::new();
    let rollbar = local.client();
    rollbar.enter(|| assert!(titled().is_err()));
    assert_eq!(rollbar.flush(LONG).pending, 0);
    assert_eq!(rollbar.stats().sent, 1);
}

#[derive(Debug)]
struct Link(Option<Box<Link>>, usize);

impl Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.1)
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|link| link as _)
    }
}

#[test]
fn a_chain_of_ten_thousand() {
    let mut error = (1..10_000).fold(Link(None, 0), |inner, n| Link(Some(Box::new(inner)), n));
    let begun = Instant::now();
    let data = only(|| {
        report_error(&error);
    });
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(traces(&data).len(), 32);
    assert_eq!(traces(&data)[0]["exception"]["message"], "link 9999");
    // From outside: its own drop would recurse.
    while let Some(inner) = error.0.take() {
        error = *inner;
    }
}

#[test]
fn a_chain_that_is_a_ring() {
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
    #[derive(Debug)]
    struct Other;
    impl Display for Other {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }
    impl Error for Other {}
    #[rollbar_report(ignore(Other))]
    fn ring() -> Result<(), Ring> {
        Err(Ring)
    }
    assert_eq!(traces(&only(|| ring().unwrap_err().to_string().clear())).len(), 32);
    let boxed: Box<dyn Error + Send + Sync> = Ring.into();
    assert_eq!(
        traces(&only(|| {
            Report::boxed(&boxed).send();
        }))
        .len(),
        32
    );
}
