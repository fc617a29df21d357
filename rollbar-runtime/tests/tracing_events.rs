//! What events of `tracing` become: items, telemetry, or nothing.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

use std::error::Error;
use std::fmt;

use rollbar_runtime::{
    Captured, Level, Rollbar, RollbarTracing, Scope, in_scope, report_message, rollbar_report,
};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, info_span, trace, warn};
use tracing_subscriber::prelude::*;

/// Runs `f` with the layer and a client in force; gives what was reported.
fn reported(layer: RollbarTracing, f: impl FnOnce()) -> Captured {
    let (rollbar, captured) = Rollbar::in_memory();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || rollbar.enter(f));
    captured
}

fn only(f: impl FnOnce()) -> Value {
    reported(RollbarTracing::new(), f).only().json().clone()
}

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such cart")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn outer() -> Outer {
    Outer("seven".parse::<u32>().unwrap_err())
}

#[test]
fn an_error_event_is_a_message_with_its_fields() {
    let mut line = 0;
    let item = only(|| {
        line = line!() + 1;
        error!(
            cart = 7,
            total = 1.5,
            nan = f64::NAN,
            paid = false,
            who = "ann",
            password = "x",
            "cannot pay {}",
            1 + 1
        );
    });
    assert_eq!(item["level"], "error");
    let message = json!({
        "body": "cannot pay 2",
        "target": "tracing_events",
        "place": format!("{}:{line}", file!()),
    });
    assert_eq!(item["body"]["message"], message);
    let custom =
        json!({"cart": 7, "total": 1.5, "nan": "NaN", "paid": false, "who": "ann", "password": "********"});
    assert_eq!(item["custom"], custom);
    assert_eq!(item.get("context"), None);
}

#[test]
fn an_error_in_a_field_is_a_trace_at_the_event() {
    let mut line = 0;
    let (rollbar, captured) = Rollbar::in_memory();
    let subscriber = tracing_subscriber::registry().with(RollbarTracing::new());
    tracing::subscriber::with_default(subscriber, || {
        rollbar.enter(|| {
            line = line!() + 1;
            error!(error = &outer() as &dyn Error, cart = 7, "cannot pay");
        });
    });
    let item = captured.only();
    assert_eq!(item.level(), Level::Error);
    let traces = item.traces();
    assert_eq!((item.class(), item.message()), (Some("Outer"), Some("no such cart")));
    assert_eq!(traces[1]["exception"]["message"], "invalid digit found in string");
    assert_eq!(item.json()["custom"], json!({"message": "cannot pay", "error": "no such cart", "cart": 7}));
    let (file, at, method) = item.place().unwrap();
    assert!(file.ends_with("tests/tracing_events.rs"), "{file}");
    assert_eq!(at, u64::from(line));
    assert!(method.is_some(), "the stack has the event's function");
}

/// As `#[instrument(err)]` does it.
#[test]
fn an_event_without_a_message_has_that_of_its_error() {
    let item = only(|| error!(error = %outer()));
    assert_eq!(item["body"]["message"]["body"], "no such cart");
    let item = only(|| error!(cart = 7));
    let body = item["body"]["message"]["body"].as_str().unwrap();
    assert!(body.starts_with("tracing_events at ") && body.contains("tests/tracing_events.rs:"), "{body}");
}

#[test]
fn what_is_less_is_what_happened_before() {
    let item = only(|| {
        trace!("trace");
        debug!("debug");
        info!(cart = 7, token = "x", "paying");
        warn!("slowly");
        report_message("by hand", Level::Info);
    });
    let telemetry: Vec<_> = item["body"]["telemetry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["type"].clone(), event["level"].clone(), event["body"].clone()))
        .collect();
    let paying = json!({"message": "paying", "target": "tracing_events", "cart": 7, "token": "********"});
    let slowly = json!({"message": "slowly", "target": "tracing_events"});
    let expected = [(json!("log"), json!("info"), paying), (json!("log"), json!("warning"), slowly)];
    assert_eq!(telemetry, expected);
}

#[test]
fn levels_are_the_user_s() {
    let layer = RollbarTracing::new().report(LevelFilter::WARN).telemetry(LevelFilter::DEBUG);
    let captured = reported(layer, || {
        trace!("trace");
        debug!("debug");
        warn!("warn");
    });
    let item = captured.only();
    assert_eq!((item.level(), item.message()), (Level::Warning, Some("warn")));
    let telemetry = item.json()["body"]["telemetry"].as_array().unwrap();
    assert_eq!(telemetry.len(), 1);
    assert_eq!(telemetry[0]["body"]["message"], "debug");
    let off = RollbarTracing::new().report(LevelFilter::OFF).telemetry(LevelFilter::OFF);
    let captured = reported(off, || {
        error!("error");
        report_message("by hand", Level::Info);
    });
    assert_eq!(captured.only().json()["body"].get("telemetry"), None);
}

#[test]
fn spans_are_told_and_are_the_context_where_there_is_none() {
    let inside = || {
        let request = info_span!("request", method = "GET", id = tracing::field::Empty, user = 1).entered();
        request.record("id", 42u64);
        let _load = info_span!("load", user = 2).entered();
        let _bare = info_span!("bare").entered();
        error!("gone");
    };
    let item = only(inside);
    let span = json!({"name": "request:load:bare", "fields": {"method": "GET", "id": 42, "user": 2}});
    assert_eq!(item["custom"]["span"], span);
    assert_eq!(item["context"], "request:load:bare");
    let item = only(|| {
        let scope = Scope::new();
        scope.set_context(Some("checkout"));
        in_scope(&scope, inside);
    });
    assert_eq!(item["context"], "checkout");
}

/// One error that is logged, and returned by annotated functions further out, is one item; so is one that was reported further in.
#[test]
fn an_error_that_is_logged_on_its_way_is_one_item() {
    #[rollbar_report]
    fn logs_it() -> Result<(), Outer> {
        let error = outer();
        error!(error = &error as &dyn Error, "logged");
        Err(error)
    }
    #[rollbar_report]
    fn passes() -> Result<(), Outer> {
        logs_it()
    }
    #[rollbar_report]
    fn returns_it() -> Result<(), Outer> {
        Err(outer())
    }
    #[rollbar_report]
    fn logs_later() {
        if let Err(error) = returns_it() {
            error!(error = &error as &dyn Error, "logged");
        }
    }
    let captured = reported(RollbarTracing::new(), || {
        passes().unwrap_err();
        passes().unwrap_err();
    });
    assert_eq!(captured.items().len(), 2, "one for each failure");
    assert_eq!(captured.items()[0].json()["custom"]["message"], "logged");
    let captured = reported(RollbarTracing::new(), logs_later);
    let item = captured.only();
    let method = item.place().unwrap().2.unwrap();
    assert!(method.ends_with("::returns_it"), "{method}");
}

#[test]
fn odd_values_do_no_harm() {
    struct Panics;
    impl fmt::Debug for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }
    /// Logs and reports while it is read.
    struct Recurses;
    impl fmt::Display for Recurses {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            error!("from within");
            report_message("from within", Level::Error);
            f.write_str("read")
        }
    }
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("and so on, ")?;
            }
        }
    }
    let item = only(|| {
        let _span = info_span!("span", panics = ?Panics, endless = %Endless).entered();
        error!(panics = ?Panics, recurses = %Recurses, endless = %Endless, bytes = &b"\xff"[..], big = u128::MAX, "odd");
    });
    assert_eq!(item["body"]["message"]["body"], "odd");
    let custom = &item["custom"];
    assert_eq!(custom["recurses"], "read");
    assert_eq!(custom["endless"].as_str().unwrap().chars().count(), 1024);
    assert_eq!(custom["big"], u128::MAX.to_string());
    assert_eq!(custom["panics"], "(formatting the error panicked)");
    assert_eq!(custom["span"]["fields"]["endless"].as_str().unwrap().len(), 1024);
    let long = "é".repeat(100_000);
    let item = only(|| error!("{long}"));
    assert_eq!(item["body"]["message"]["body"].as_str().unwrap().chars().count(), 65_536);
}

#[test]
fn our_own_events_and_those_without_a_client_are_passed_over() {
    let captured = reported(RollbarTracing::new(), || {
        error!(target: "rollbar_runtime", "own");
        error!(target: "rollbar_runtime::delivery", "own");
        error!(target: "log", { log.target = "rollbar_runtime::client" }, "own, by way of tracing-log");
        error!(target: "rollbar_runtime_of_another", "theirs");
    });
    assert_eq!(captured.only().message(), Some("theirs"));
    let subscriber = tracing_subscriber::registry().with(RollbarTracing::new());
    tracing::subscriber::with_default(subscriber, || {
        let _span = info_span!("span", field = 1).entered();
        error!("nobody listens");
    });
}

#[test]
fn a_record_of_log_has_its_own_place() {
    let item = only(|| {
        error!(target: "log", { log.target = "app::pay", log.module_path = "app::pay", log.file = "src/pay.rs", log.line = 12u64 }, "gone");
    });
    let message = json!({"body": "gone", "target": "app::pay", "place": "src/pay.rs:12"});
    assert_eq!(item["body"]["message"], message);
    assert_eq!(item.get("custom"), None);
}
