//! What reports become, at the public surface.

use std::fmt;

use rollbar_runtime::item::{Person, Telemetry};
use rollbar_runtime::{
    FutureExt, Level, Report, Rollbar, Scope, current_scope, in_scope, record_telemetry, report_error,
    report_message, rollbar_report,
};

#[derive(Debug)]
struct Outer(Inner);
#[derive(Debug)]
struct Inner;

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outer failed")
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("inner failed")
    }
}

impl std::error::Error for Inner {}
impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[rollbar_report]
fn inner() -> Result<(), Outer> {
    Err(Outer(Inner))
}

#[rollbar_report]
fn outer() -> Result<(), Outer> {
    inner()
}

#[rollbar_report]
async fn outer_async() -> Result<(), Outer> {
    let failed = inner_async().await;
    tokio::task::yield_now().await;
    failed
}

#[rollbar_report]
async fn inner_async() -> Result<(), Outer> {
    tokio::task::yield_now().await;
    Err(Outer(Inner))
}

#[rollbar_report("job", level = "warning", fingerprint = "fp", title = format!("n is {n}"), custom(n, twice = n * 2), capture(text))]
fn told(n: u32, text: String) -> Result<String, Outer> {
    drop(text);
    if n > 0 { Err(Outer(Inner)) } else { Ok(String::new()) }
}

#[rollbar_report(capture(n))]
fn panics(n: u32) -> u32 {
    assert!(n == 0, "n is {n}");
    n
}

#[test]
fn an_error_is_a_chain_with_the_user_s_line_last() {
    let (rollbar, captured) = Rollbar::in_memory();
    let line = line!() + 1;
    let uuid = rollbar.enter(|| report_error(&Outer(Inner)));
    let item = captured.only();
    assert_eq!(Some(item.uuid()), uuid);
    assert_eq!(item.level(), Level::Error);
    let traces = item.traces();
    assert_eq!(traces.len(), 2);
    assert_eq!(traces[0]["exception"]["class"], "reporting::Outer");
    assert_eq!(traces[1]["exception"]["message"], "inner failed");
    let (file, at, method) = item.place().expect("a frame");
    assert!(file.ends_with("tests/reporting.rs"), "{file}");
    assert_eq!(at, u64::from(line));
    assert!(method.is_some_and(|method| method.contains("an_error_is_a_chain")), "{method:?}");
}

#[test]
fn one_error_that_crosses_functions_is_one_item() {
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| outer().unwrap_err());
    let item = captured.only();
    assert_eq!(item.place().expect("a frame").2, Some("reporting::inner"));
    rollbar.enter(|| outer().unwrap_err());
    assert_eq!(captured.items().len(), 2, "a second failure is another occurrence");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_one_item_over_awaits_and_threads() {
    let (rollbar, captured) = Rollbar::in_memory();
    let futures: Vec<_> = rollbar.enter(|| (0..20).map(|_| outer_async().in_current_scope()).collect());
    for task in futures.into_iter().map(tokio::spawn).collect::<Vec<_>>() {
        assert!(task.await.expect("no panic").is_err());
    }
    assert_eq!(captured.items().len(), 20);
}

#[test]
fn the_arguments_say_more() {
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| {
        told(0, "a".to_owned()).expect("fine");
        told(7, "seven".to_owned()).unwrap_err();
    });
    let item = captured.only();
    assert_eq!(item.level(), Level::Warning);
    let json = item.json();
    assert_eq!(json["context"], "job");
    assert_eq!(json["fingerprint"], "fp");
    assert_eq!(json["title"], "n is 7");
    assert_eq!(json["custom"], serde_json::json!({"n": 7, "twice": 14}));
    let frames = item.traces()[0]["frames"].as_array().expect("frames");
    assert_eq!(frames.last().expect("a frame")["locals"], serde_json::json!({"text": "\"seven\""}));
}

#[test]
fn a_panic_is_one_item_with_the_arguments() {
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| {
        assert!(std::panic::catch_unwind(|| panics(7)).is_err());
        assert_eq!(panics(0), 0);
    });
    let item = captured.only();
    assert_eq!(item.level(), Level::Critical);
    assert_eq!((item.class(), item.message()), (Some("panic"), Some("n is 7")));
    let (file, _, method) = item.place().expect("a frame");
    assert!(file.ends_with("tests/reporting.rs"), "{file}");
    assert_eq!(method, Some("reporting::panics"));
    let frames = item.traces()[0]["frames"].as_array().expect("frames");
    assert_eq!(frames.last().expect("a frame")["locals"]["n"], "7");
}

#[test]
fn a_panic_that_a_function_catches_is_reported_too() {
    #[rollbar_report(title = "outer")]
    fn catches() -> Result<(), Outer> {
        let _ = std::panic::catch_unwind(|| panic!("caught"));
        Ok(())
    }
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| catches().expect("fine"));
    let item = captured.only();
    assert_eq!(item.message(), Some("caught"));
    assert!(item.json().get("title").is_none(), "the panic was not its own");
}

#[test]
fn a_scope_goes_into_items_and_no_further() {
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| {
        current_scope().put_custom("everywhere", 1);
        record_telemetry(Telemetry::log(Level::Info, "started"));
        let scope = Scope::new();
        in_scope(&scope, || {
            current_scope().set_person(Some(Person::new(42).with_username("ada")));
            current_scope().set_context(Some("checkout"));
            record_telemetry(Telemetry::network("GET", "http://h/?token=1", Some(200)));
            report_message("one", Level::Info);
        });
        report_message("two", Level::Info);
    });
    let items = captured.items();
    let [one, two] = &items[..] else { panic!("{items:?}") };
    assert_eq!(one.json()["person"], serde_json::json!({"id": "42"}), "names are not sent unless allowed");
    assert_eq!(one.json()["context"], "checkout");
    assert_eq!(one.json()["custom"]["everywhere"], 1);
    let telemetry = one.json()["body"]["telemetry"].as_array().expect("telemetry");
    assert_eq!(telemetry.len(), 2);
    assert_eq!(telemetry[0]["body"]["message"], "started");
    assert_eq!(telemetry[1]["body"]["url"], "http://h/?token=********");
    assert!(two.json().get("person").is_none());
    assert_eq!(two.json()["body"]["telemetry"].as_array().map(Vec::len), Some(1));
}

#[test]
fn anyhow_brings_its_chain() {
    let (rollbar, captured) = Rollbar::in_memory();
    let error = anyhow::Error::new(Inner).context("while trying");
    rollbar.enter(|| Report::boxed(&error).custom("k", "v").send());
    let item = captured.only();
    let classes: Vec<_> = item.traces().iter().map(|trace| trace["exception"]["message"].clone()).collect();
    assert_eq!(classes, ["while trying", "inner failed"]);
    assert_eq!(item.json()["custom"]["k"], "v");
}

#[test]
fn hooks_change_hold_back_and_may_panic() {
    let (rollbar, captured) = Rollbar::builder()
        .transform(|item| {
            item.custom_mut().insert("password".to_owned(), "x".into());
            item.body().message().is_none_or(|message| message.body() != "secret")
        })
        .transform(|item| {
            item.set_title(Some("half done"));
            panic!("a hook's own fault")
        })
        .before_send(|data| {
            data["custom"]["last"] = "word".into();
            true
        })
        .in_memory();
    rollbar.enter(|| {
        report_message("secret", Level::Info);
        report_message("told", Level::Info);
        report_message("again", Level::Info);
    });
    let items = captured.items();
    assert_eq!(items.len(), 2);
    for item in &items {
        assert_eq!(item.json()["custom"], serde_json::json!({"password": "********", "last": "word"}));
        assert!(item.json().get("title").is_none());
    }
    let stats = rollbar.stats();
    assert_eq!((stats.reported, stats.sent, stats.filtered, stats.hooks_off, stats.pending), (2, 2, 1, 1, 0));
}

#[test]
fn a_report_within_a_report_is_refused_and_counted() {
    struct Reports;
    impl fmt::Debug for Reports {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Reports")
        }
    }
    impl fmt::Display for Reports {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            assert_eq!(report_message("from within", Level::Info), None);
            f.write_str("reports itself")
        }
    }
    impl std::error::Error for Reports {}
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| report_error(&Reports));
    assert_eq!(captured.only().message(), Some("reports itself"));
    let stats = rollbar.stats();
    assert_eq!((stats.reported, stats.sent, stats.dropped_recursive), (2, 1, 1));
}

#[rollbar_report(ignore(Inner))]
fn ignores() -> Result<(), Outer> {
    Err(Outer(Inner))
}

#[rollbar_report(when = |error: &Outer| error.to_string().contains("other"))]
fn only_other() -> Result<(), Outer> {
    Err(Outer(Inner))
}

#[test]
fn what_is_ignored_is_filtered() {
    let (rollbar, captured) =
        Rollbar::builder().ignore::<std::num::ParseIntError>().report_level(Level::Info).in_memory();
    rollbar.enter(|| {
        ignores().unwrap_err();
        only_other().unwrap_err();
        report_error(&"x".parse::<u8>().unwrap_err());
        report_message("too low", Level::Debug);
    });
    assert!(captured.items().is_empty());
    assert_eq!(rollbar.stats().filtered, 4);
}
