//! The queue, the worker and its accounts, over a transport of the tests' own. Each client is its own: nothing is installed.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rollbar_runtime::{
    BoxFuture, Level, Payload, Report, Response, Rollbar, RollbarBuilder, Stats, Transport, TransportError,
    report_message,
};
use serde_json::Value;

/// Answers as it is told; may be held.
#[derive(Clone, Default)]
struct Service(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    held: bool,
    status: Option<u16>,
    headers: Vec<(&'static str, &'static str)>,
    items: Vec<Value>,
}

impl Service {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn items(&self) -> Vec<Value> {
        self.0.0.lock().unwrap().items.clone()
    }
}

impl Transport for Service {
    fn send<'a>(&'a self, payload: &'a Payload) -> BoxFuture<'a, Result<Response, TransportError>> {
        Box::pin(async move {
            // The worker's thread is its own: it may be blocked here.
            let mut state = self.0.1.wait_while(self.0.0.lock().unwrap(), |state| state.held).unwrap();
            let status = state.status.unwrap_or(200);
            if status == 200 {
                state.items.push(serde_json::from_slice(&payload.body).unwrap());
            }
            let mut response = Response::new(status.try_into().unwrap(), r#"{"err":0,"result":{}}"#);
            for (name, value) in &state.headers {
                response.headers.insert(*name, value.parse().unwrap());
            }
            Ok(response)
        })
    }
}

const LONG: Duration = Duration::from_secs(60);

fn client(service: &Service, with: impl FnOnce(RollbarBuilder) -> RollbarBuilder) -> Rollbar {
    with(Rollbar::builder().transport(service.clone())).build().unwrap()
}

#[track_caller]
fn assert_adds_up(stats: &Stats) {
    assert_eq!(stats.reported, stats.sent + stats.coalesced + stats.dropped() + stats.pending, "{stats:#?}");
}

#[test]
fn what_is_reported_is_sent() {
    let service = Service::default();
    let rollbar = client(&service, |builder| builder.environment("test").code_version("1.2.3"));
    let uuid = rollbar.enter(|| report_message("Hello World!", Level::Warning));
    let flushed = rollbar.flush(LONG);
    assert_eq!((flushed.sent, flushed.dropped, flushed.pending), (1, 0, 0));
    let items = service.items();
    let data = &items[0]["data"];
    assert_eq!(data["uuid"].as_str(), uuid.map(|uuid| uuid.to_string()).as_deref());
    assert_eq!(data["body"]["message"]["body"], "Hello World!");
    assert_eq!((&data["environment"], &data["level"]), (&"test".into(), &"warning".into()));
    assert_eq!(data["code_version"], "1.2.3");
    assert_eq!(data["notifier"]["name"], "rollbar-runtime");
}

#[test]
fn a_burst_of_distinct_errors_is_delivered_or_counted() {
    let service = Service::default();
    let rollbar = client(&service, |builder| builder);
    rollbar.enter(|| {
        for n in 0..20_000 {
            Report::error(&std::io::Error::other(format!("number {n}"))).backtrace(false).send();
        }
    });
    assert_eq!(rollbar.flush(LONG).pending, 0);
    let stats = rollbar.stats();
    assert_adds_up(&stats);
    assert_eq!(stats.reported - stats.dropped(), stats.sent + stats.coalesced);
    // Those that an item stands for are told in it.
    let told: u64 = service
        .items()
        .iter()
        .filter_map(|item| item["data"]["custom"]["occurrences"].as_u64())
        .map(|n| n - 1)
        .sum();
    assert_eq!(told, stats.coalesced);
}

#[test]
fn one_text_over_and_over_is_few_items_with_a_count() {
    let service = Service::default();
    service.set(|state| state.held = true);
    let rollbar = client(&service, |builder| builder.connections(1));
    rollbar.enter(|| {
        for _ in 0..1_000 {
            report_message("again", Level::Error);
        }
    });
    service.set(|state| state.held = false);
    assert_eq!(rollbar.flush(LONG).pending, 0);
    let stats = rollbar.stats();
    assert_adds_up(&stats);
    assert!(stats.sent <= 12 && stats.sent + stats.coalesced == 1_000, "{stats:#?}");
    let told: u64 =
        service.items().iter().map(|item| item["data"]["custom"]["occurrences"].as_u64().unwrap_or(1)).sum();
    assert_eq!(told, 1_000);
}

#[test]
fn where_there_is_no_room_the_least_severe_go_first() {
    let service = Service::default();
    service.set(|state| state.held = true);
    let rollbar = client(&service, |builder| builder.connections(1).queue(10, 1 << 20));
    rollbar.enter(|| {
        // One may be on its way already.
        report_message("first", Level::Debug);
        for n in 0..20 {
            report_message(format!("debug {n}"), Level::Debug);
        }
        for n in 0..10 {
            report_message(format!("critical {n}"), Level::Critical);
        }
        assert!(report_message("one debug more", Level::Debug).is_none(), "it had to go itself");
    });
    service.set(|state| state.held = false);
    assert_eq!(rollbar.flush(LONG).pending, 0);
    let stats = rollbar.stats();
    assert_adds_up(&stats);
    let items = service.items();
    let critical = items.iter().filter(|item| item["data"]["level"] == "critical").count();
    assert_eq!(critical, 10, "{items:#?}");
    assert!(stats.dropped_queue_full >= 20, "{stats:#?}");
}

#[test]
fn losses_are_told_to_rollbar_once_there_is_room() {
    let service = Service::default();
    service.set(|state| state.held = true);
    let rollbar = client(&service, |builder| builder.connections(1).queue(2, 1 << 20));
    rollbar.enter(|| {
        for n in 0..50 {
            report_message(format!("number {n}"), Level::Error);
        }
    });
    service.set(|state| state.held = false);
    // A second flush waits for what the first one's end has caused.
    while service.items().iter().all(|item| item["data"]["fingerprint"] != "rollbar-runtime: items dropped") {
        let _ = rollbar.flush(LONG);
        std::thread::yield_now();
    }
    let lost = rollbar.stats().dropped_queue_full;
    let items = service.items();
    let text = items.last().unwrap()["data"]["body"]["message"]["body"].as_str().unwrap().to_owned();
    assert!(text.starts_with(&format!("{lost} Rollbar items were dropped")), "{text}");
}

#[test]
fn a_pause_keeps_what_waits_and_a_flush_says_so() {
    let service = Service::default();
    service.set(|state| {
        state.status = Some(429);
        state.headers = vec![("x-rate-limit-remaining", "0"), ("x-rate-limit-remaining-seconds", "600")];
    });
    let rollbar = client(&service, |builder| builder);
    rollbar.enter(|| report_message("later", Level::Error));
    let flushed = rollbar.flush(Duration::from_millis(200));
    assert_eq!((flushed.sent, flushed.dropped, flushed.pending), (0, 0, 1));
}

#[test]
fn a_refused_token_ends_it() {
    let service = Service::default();
    service.set(|state| state.status = Some(401));
    let rollbar = client(&service, |builder| builder.connections(1));
    rollbar.enter(|| {
        for n in 0..10 {
            report_message(format!("number {n}"), Level::Error);
        }
    });
    assert_eq!(rollbar.flush(LONG).pending, 0);
    let stats = rollbar.stats();
    assert_adds_up(&stats);
    assert_eq!(stats.dropped_unauthorized, 10);
}

#[test]
fn after_the_end_reports_are_counted_as_lost() {
    let service = Service::default();
    let rollbar = client(&service, |builder| builder.items_per_minute(2));
    rollbar.enter(|| {
        for n in 0..3 {
            report_message(format!("number {n}"), Level::Error);
        }
    });
    assert_eq!(rollbar.flush(LONG).pending, 0);
    let stats = rollbar.stats();
    assert_adds_up(&stats);
    assert_eq!(stats.dropped_rate_limited, 1);
}

#[test]
fn what_is_left_at_the_end_is_sent_by_the_next_start() {
    let folder = std::env::temp_dir().join(format!("rollbar-spool-{}", std::process::id()));
    let service = Service::default();
    service.set(|state| {
        state.status = Some(429);
        state.headers = vec![("retry-after", "600")];
    });
    let guard = Rollbar::builder()
        .transport(service.clone())
        .shutdown_timeout(Duration::from_millis(100))
        .spool(&folder)
        .install()
        .unwrap();
    let client = guard.rollbar().clone();
    client.enter(|| report_message("kept", Level::Error));
    client.enter(|| report_message("kept too", Level::Error));
    drop(guard);
    let stats = client.stats();
    assert_adds_up(&stats);
    assert_eq!((stats.dropped_spooled, stats.pending), (2, 0), "{stats:#?}");
    assert_eq!(client.enter(|| report_message("too late", Level::Error)), None);
    assert_eq!(client.stats().dropped_after_shutdown, 1);

    service.set(|state| state.status = None);
    service.set(|state| state.headers.clear());
    let next = Rollbar::builder().transport(service.clone()).spool(&folder).build().unwrap();
    while service.items().len() < 2 {
        std::thread::yield_now();
    }
    let _ = next.flush(LONG);
    let mut texts: Vec<_> =
        service.items().iter().map(|item| item["data"]["body"]["message"]["body"].to_string()).collect();
    texts.sort();
    assert_eq!(texts, [r#""kept too""#, r#""kept""#]);
    drop(next);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn wrong_settings_are_refused() {
    let wrong = [
        Rollbar::builder().endpoint("ftp://h/").build(),
        Rollbar::builder().environment("e".repeat(256)).build(),
        Rollbar::builder().code_version("v".repeat(41)).build(),
        Rollbar::builder().connections(0).build(),
        Rollbar::builder().queue(0, 1 << 20).build(),
        Rollbar::builder().max_payload_bytes(10).build(),
    ];
    for result in wrong {
        let error = result.expect_err("refused").to_string();
        assert!(!error.is_empty());
    }
    assert!(!Rollbar::builder().build().expect("off, not wrong").is_enabled());
}
