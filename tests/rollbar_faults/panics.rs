//! Panics in all places where a program may survive them.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};

use rollbar_runtime::{Captured, FutureExt, Level, Rollbar, report_message, rollbar_report};

use crate::accounts::assert_adds_up;

fn messages(captured: &Captured) -> Vec<String> {
    captured.items().iter().map(|item| item.message().unwrap_or_default().to_owned()).collect()
}

#[derive(Debug)]
struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no text")
    }
}

impl Error for Unreadable {}

/// In the panic hook a second panic ends the program, even where it would be caught: the hook reads no user's code there.
#[test]
fn a_payload_whose_display_panics_does_not_abort() {
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| {
        let sync: Box<dyn Error + Send + Sync> = Box::new(Unreadable);
        assert!(catch_unwind(AssertUnwindSafe(|| panic_any(sync))).is_err());
        let send: Box<dyn Error + Send> = Box::new(Unreadable);
        assert!(catch_unwind(AssertUnwindSafe(|| panic_any(send))).is_err());
        assert!(catch_unwind(|| panic_any(7)).is_err());
        let readable: Box<dyn Error + Send + Sync> = "readable".into();
        assert!(catch_unwind(AssertUnwindSafe(|| panic_any(readable))).is_err());
    });
    assert_eq!(
        messages(&captured),
        [
            "(formatting the error panicked)",
            "(the error in the payload of the panic cannot be read)",
            "(the payload of the panic is no text)",
            "readable"
        ]
    );
}

#[test]
fn a_hook_of_the_user_s_that_panics_does_not_abort() {
    let (rollbar, captured) =
        Rollbar::builder().transform(|_| panic!("a transform")).before_send(|_| panic_any(7)).in_memory();
    rollbar.enter(|| assert!(catch_unwind(|| panic!("the first")).is_err()));
    assert_eq!(messages(&captured), ["the first"]);
    assert_eq!(rollbar.stats().hooks_off, 2);
}

#[test]
fn what_is_resumed_is_one_item() {
    #[rollbar_report]
    fn inner() {
        panic!("once");
    }
    #[rollbar_report(title = "outer")]
    fn outer() {
        let payload = catch_unwind(inner).unwrap_err();
        resume_unwind(payload);
    }
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| {
        assert!(catch_unwind(outer).is_err());
        // No hook is called for this one.
        assert!(catch_unwind(|| resume_unwind(Box::new("resumed alone"))).is_err());
    });
    assert_eq!(messages(&captured), ["once"]);
}

#[test]
fn a_panic_of_a_destructor_and_one_within_another() {
    struct Panics(&'static str);
    impl Drop for Panics {
        fn drop(&mut self) {
            // Caught, so that it may be while another one unwinds.
            assert!(catch_unwind(|| panic!("{}", self.0)).is_err());
        }
    }
    struct PanicsOut;
    impl Drop for PanicsOut {
        fn drop(&mut self) {
            panic!("out of a destructor");
        }
    }
    #[rollbar_report]
    fn unwinds() {
        let _dropped = Panics("while unwinding");
        panic!("first");
    }
    #[rollbar_report]
    fn reports_while_unwinding() -> Result<(), std::num::ParseIntError> {
        struct Reports;
        impl Drop for Reports {
            fn drop(&mut self) {
                #[rollbar_report]
                fn fails() -> Result<u8, std::num::ParseIntError> {
                    "x".parse()
                }
                assert!(fails().is_err());
                report_message("of a destructor", Level::Info);
            }
        }
        let _reports = Reports;
        panic!("second");
    }
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| {
        assert!(catch_unwind(unwinds).is_err());
        assert!(catch_unwind(|| drop(PanicsOut)).is_err());
        assert!(catch_unwind(reports_while_unwinding).is_err());
    });
    let mut messages = messages(&captured);
    messages.sort();
    assert_eq!(
        messages,
        [
            "first",
            "invalid digit found in string",
            "of a destructor",
            "out of a destructor",
            "second",
            "while unwinding"
        ]
    );
    assert_adds_up(&rollbar.stats());
}

#[test]
fn a_panic_of_a_thread_and_of_tasks() {
    #[rollbar_report]
    async fn panics(text: &'static str) {
        tokio::task::yield_now().await;
        panic!("{text}");
    }
    let (rollbar, captured) = Rollbar::in_memory();
    let own = rollbar.clone();
    assert!(std::thread::spawn(move || own.enter(|| panic!("a thread"))).join().is_err());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (annotated, plain) = rollbar.enter(|| {
        let annotated = panics("an annotated task").in_current_scope();
        let plain = async { panic!("a plain task") }.in_current_scope();
        (annotated, plain)
    });
    runtime.block_on(async {
        assert!(tokio::spawn(annotated).await.unwrap_err().is_panic());
        let plain: tokio::task::JoinHandle<()> = tokio::spawn(plain);
        assert!(plain.await.unwrap_err().is_panic());
    });
    assert_eq!(messages(&captured), ["a thread", "an annotated task", "a plain task"]);
}

#[test]
fn a_serialize_that_panics_is_no_item_of_its_own() {
    struct Panics;
    impl serde::Serialize for Panics {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("no value")
        }
    }
    impl fmt::Debug for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }
    #[rollbar_report(capture(p), custom(q = p))]
    fn fails(p: Panics) -> Result<(), std::fmt::Error> {
        let Panics = p;
        Err(std::fmt::Error)
    }
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| {
        rollbar_runtime::current_scope().put_custom("p", Panics);
        assert!(fails(Panics).is_err());
    });
    assert_eq!(captured.only().class(), Some("core::fmt::Error"));
}
