//! Reports from where a report is being made, and from where nobody expects one.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use rollbar_runtime::{
    BoxFuture, Level, Payload, Report, Response, Rollbar, Transport, TransportError, current_scope,
    report_error, report_message, rollbar_report,
};
use serde::{Serialize, Serializer};

use crate::accounts::assert_adds_up;
use crate::support::{LONG, Local};

/// All that it does reports.
struct Reports;

fn again(from: &str) {
    assert_eq!(report_message(from, Level::Critical), None);
    assert_eq!(report_error(&Reports), None);
    assert_eq!(Report::message(from, Level::Critical).custom("again", Reports).send(), None);
    current_scope().put_custom("from within", 1);
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        again("Debug");
        f.write_str("Reports")
    }
}

impl fmt::Display for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        again("Display");
        // The scope's method above has not ended the report.
        again("Display again");
        f.write_str("reports")
    }
}

impl std::error::Error for Reports {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        again("source");
        None
    }
}

impl Serialize for Reports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        again("Serialize");
        serializer.serialize_str("value")
    }
}

#[rollbar_report(title = Reports, fingerprint = Reports, capture(argument), custom(value = argument), ignore(std::fmt::Error))]
fn fails(argument: Reports) -> Result<(), Reports> {
    Err(argument)
}

#[test]
fn what_the_user_s_values_report_is_refused_and_counted() {
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| assert!(fails(Reports).is_err()));
    let item = captured.only();
    assert_eq!((item.message(), &item.json()["title"]), (Some("reports"), &"reports".into()));
    assert_eq!(item.json()["custom"]["value"], "value");
    captured.clear();
    rollbar.enter(|| {
        current_scope().put_custom("value", Reports);
        report_error(&Reports).unwrap();
        Report::message("m", Level::Info).custom("value", Reports).send().unwrap();
    });
    assert_eq!(captured.items().len(), 2);
    let stats = rollbar.stats();
    assert_adds_up(&stats);
    assert_eq!((stats.sent, stats.pending), (3, 0));
    assert!(stats.dropped_recursive > 20, "{stats:#?}");
    // Nothing is left behind.
    captured.clear();
    rollbar.enter(|| report_message("after", Level::Info).unwrap());
    assert_eq!(captured.only().message(), Some("after"));
}

#[test]
fn hooks_report_in_vain() {
    let local = Local::new();
    let rollbar = local
        .builder()
        .transform(|item| {
            report_message("a transform", Level::Critical).is_none() && item.level() == Level::Error
        })
        .before_send(|_| report_error(&std::fmt::Error).is_none())
        .build()
        .unwrap();
    let (_, flushed) = crate::support::report(&rollbar, "one");
    assert_eq!(flushed.sent, 1);
    let (rollbar, captured) =
        Rollbar::builder().transform(|_| report_message("in memory", Level::Critical).is_none()).in_memory();
    rollbar.enter(|| report_message("one", Level::Error).unwrap());
    assert_eq!(captured.only().message(), Some("one"));
    assert_eq!(rollbar.stats().dropped_recursive, 1);
}

/// Reports to the client that it carries items for, each time.
struct Own(Arc<std::sync::OnceLock<Rollbar>>);

impl Transport for Own {
    fn send<'a>(&'a self, payload: &'a Payload) -> BoxFuture<'a, Result<Response, TransportError>> {
        let report = || self.0.get().unwrap().enter(|| report_message("again", Level::Error));
        assert_eq!(report(), None);
        Box::pin(async move {
            tokio::task::yield_now().await;
            assert_eq!(report(), None);
            assert_ne!(payload.uuid.as_u128(), 0);
            Ok(Response::new(200_u16.try_into().unwrap(), r#"{"err":0,"result":{}}"#))
        })
    }
}

#[test]
fn a_transport_reports_in_vain() {
    let slot = Arc::new(std::sync::OnceLock::new());
    let rollbar = Rollbar::builder().transport(Own(Arc::clone(&slot))).build().unwrap();
    slot.set(rollbar.clone()).unwrap();
    rollbar.enter(|| report_message("one", Level::Error).unwrap());
    assert_eq!(rollbar.flush(LONG).sent, 1);
    let stats = rollbar.stats();
    assert_adds_up(&stats);
    assert_eq!((stats.reported, stats.dropped_recursive), (3, 2));
}

#[test]
fn a_destructor_of_a_thread_local_may_report() {
    struct Last(Option<Rollbar>);
    impl Drop for Last {
        fn drop(&mut self) {
            let rollbar = self.0.take().unwrap();
            rollbar.enter(|| {
                report_error(&std::fmt::Error);
                current_scope().put_custom("k", 1);
                report_message("of a thread that ends", Level::Error);
                assert!(std::panic::catch_unwind(|| panic!("of a thread that ends")).is_err());
                assert!(annotated().is_err());
            });
        }
    }
    #[rollbar_report]
    fn annotated() -> Result<(), std::fmt::Error> {
        Err(std::fmt::Error)
    }
    thread_local! { static LAST: RefCell<Option<Last>> = const { RefCell::new(None) } }
    for order in [true, false] {
        let (rollbar, captured) = Rollbar::in_memory();
        std::thread::spawn(move || {
            let touch = || rollbar.enter(|| assert!(annotated().is_err()));
            // Ours are dropped before it, or after it.
            if order {
                touch();
            }
            LAST.set(Some(Last(Some(rollbar.clone()))));
            if !order {
                touch();
            }
        })
        .join()
        .unwrap();
        // What is in force on the thread is gone with it: then there is no client to report to. Nothing else happens.
        assert!(matches!(captured.items().len(), 1 | 5), "{:#?}", captured.items());
    }
}

#[test]
fn after_the_end_nothing_happens() {
    let local = Local::new();
    let rollbar = local.client();
    let kept = rollbar.clone();
    let _ = crate::support::report(&rollbar, "before");
    drop(rollbar);
    let (_, flushed) = crate::support::report(&kept, "a clone is the client");
    assert_eq!(flushed.sent, 1);
}

#[test]
fn no_deadline_is_too_long() {
    let local = Local::new();
    let rollbar = local.builder().shutdown_timeout(std::time::Duration::MAX).build().unwrap();
    rollbar.enter(|| report_message("m", Level::Error).unwrap());
    assert_eq!(rollbar.flush(std::time::Duration::MAX).sent, 1);
    assert_eq!(rollbar.flush(std::time::Duration::ZERO).pending, 0);
}
