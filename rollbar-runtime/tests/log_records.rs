//! What records of `log` become: items, telemetry, or nothing; and that the inner logger has them all.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

use std::fmt;
use std::sync::{Arc, Mutex};

use log::{LevelFilter, Log, Metadata, Record};
use rollbar_runtime::{Captured, Level, Rollbar, RollbarLog, report_message};
use serde_json::json;

/// A logger that keeps lines, and wants no more than `Warn`.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // Read before the lock is held: the text may be one that logs.
            let line = record.args().to_string();
            self.0.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {
        self.0.lock().unwrap().push("flushed".to_owned());
    }
}

/// Logs to this logger: the global one is for the whole process.
macro_rules! record {
    ($logger:expr, $($line:tt)+) => { log::log!(logger: $logger, $($line)+) };
}

fn reported(f: impl FnOnce(&RollbarLog<Lines>)) -> (Captured, Vec<String>) {
    log::set_max_level(LevelFilter::Trace);
    let (rollbar, captured) = Rollbar::in_memory();
    let lines = Lines::default();
    rollbar.enter(|| f(&RollbarLog::new(lines.clone())));
    let lines = lines.0.lock().unwrap().clone();
    (captured, lines)
}

#[test]
fn an_error_record_is_a_message_with_its_values() {
    let mut at = 0;
    let (captured, lines) = reported(|logger| {
        at = line!() + 1;
        record!(logger, log::Level::Error, cart = 7, total = 1.5, who = "ann", token = "x", list:? = [1, 2]; "cannot pay {}", 2);
    });
    let item = captured.only();
    assert_eq!(item.level(), Level::Error);
    let message =
        json!({"body": "cannot pay 2", "target": "log_records", "place": format!("{}:{at}", file!())});
    assert_eq!(item.json()["body"]["message"], message);
    let custom = json!({"cart": 7, "total": 1.5, "who": "ann", "token": "********", "list": "[1, 2]"});
    assert_eq!(item.json()["custom"], custom);
    assert_eq!(lines, ["cannot pay 2"]);
}

#[test]
fn what_is_less_is_what_happened_before() {
    let (captured, lines) = reported(|logger| {
        record!(logger, log::Level::Trace, "trace");
        record!(logger, log::Level::Debug, "debug");
        record!(logger, log::Level::Info, cart = 7; "paying");
        record!(logger, log::Level::Warn, "slowly");
        report_message("by hand", Level::Info);
        logger.flush();
    });
    let item = captured.only();
    let telemetry = item.json()["body"]["telemetry"].as_array().unwrap();
    assert_eq!(telemetry.len(), 2);
    assert_eq!(telemetry[0]["body"], json!({"message": "paying", "target": "log_records", "cart": 7}));
    assert_eq!((&telemetry[1]["level"], &telemetry[1]["type"]), (&json!("warning"), &json!("log")));
    assert_eq!(lines, ["slowly", "flushed"]);
}

#[test]
fn levels_are_the_user_s_and_enabled_says_so() {
    log::set_max_level(LevelFilter::Trace);
    let (rollbar, captured) = Rollbar::in_memory();
    let logger = RollbarLog::new(Lines::default()).report(LevelFilter::Off).telemetry(LevelFilter::Off);
    let metadata = |level, target| Metadata::builder().level(level).target(target).build();
    rollbar.enter(|| {
        record!(&logger, log::Level::Error, "error");
        assert!(logger.enabled(&metadata(log::Level::Warn, "app")), "the inner logger wants it");
        assert!(!logger.enabled(&metadata(log::Level::Info, "app")));
        let logger = RollbarLog::new(Lines::default()).report(LevelFilter::Warn);
        assert!(logger.enabled(&metadata(log::Level::Info, "app")));
        assert!(!logger.enabled(&metadata(log::Level::Info, "rollbar_runtime::client")));
        record!(&logger, log::Level::Warn, "warn");
    });
    assert_eq!(captured.only().level(), Level::Warning);
    assert!(
        !RollbarLog::new(Lines::default()).enabled(&metadata(log::Level::Info, "app")),
        "nobody takes it"
    );
}

#[test]
fn our_own_records_and_odd_values_do_no_harm() {
    struct Recurses<'a>(&'a RollbarLog<Lines>);
    impl fmt::Display for Recurses<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            record!(self.0, log::Level::Error, "from within");
            f.write_str("read")
        }
    }
    struct Panics;
    impl fmt::Debug for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no text")
        }
    }
    let (captured, lines) = reported(|logger| {
        record!(logger, target: "rollbar_runtime::delivery", log::Level::Error, "own");
        record!(logger, log::Level::Error, panics:? = Panics, nan = f64::NAN, long = "é".repeat(5_000).as_str(); "{}", Recurses(logger));
    });
    // What it logs while the inner logger reads it is a record as any; while it is reported, it is none.
    let items = captured.items();
    assert_eq!(items.len(), 2, "{items:#?}");
    assert_eq!(items[0].message(), Some("from within"));
    let item = &items[1];
    assert_eq!(item.message(), Some("read"));
    let custom = &item.json()["custom"];
    assert_eq!(custom["nan"], "NaN");
    assert_eq!(custom["long"].as_str().unwrap().chars().count(), 1024);
    assert!(custom["panics"].is_string(), "{custom}");
    for line in ["own", "read"] {
        assert!(lines.iter().any(|known| known == line), "{lines:?}");
    }
}
