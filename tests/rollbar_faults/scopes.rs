//! Scopes of tasks that run among each other: none sees another's.

use std::time::Duration;

use rollbar_runtime::item::{Person, Telemetry};
use rollbar_runtime::{
    FutureExt, Level, MAX_TELEMETRY, Rollbar, Scope, current_scope, in_scope, record_telemetry,
    report_message, rollbar_report, spawn, spawn_blocking,
};

fn say(n: u32, step: &str) {
    record_telemetry(Telemetry::log(Level::Info, format!("{n} {step}")));
    assert!(report_message(format!("{n} {step}"), Level::Error).is_some());
}

#[rollbar_report]
async fn step(n: u32, name: &'static str) -> Result<u32, std::io::Error> {
    for _ in 0..n % 5 {
        tokio::task::yield_now().await;
    }
    say(n, name);
    if n.is_multiple_of(7) { Err(std::io::Error::other(format!("{n} failed in {name}"))) } else { Ok(n) }
}

async fn task(n: u32) {
    current_scope().set_person(Some(Person::new(n)));
    current_scope().put_custom("task", n);
    say(n, "begin");
    let (one, two, three) = tokio::join!(
        step(n, "joined"),
        async {
            in_scope(&Scope::new(), || {
                current_scope().put_custom("inner", n);
                say(n, "inner");
            });
            tokio::task::yield_now().await;
            step(n, "joined too").await
        },
        step(n, "of its own").in_scope(Scope::new())
    );
    assert!(one.is_ok() == two.is_ok() && two.is_ok() == three.is_ok());
    tokio::select! {
        biased;
        _ = async { std::future::pending::<()>().await }.in_scope(Scope::new()) => unreachable!(),
        _ = step(n, "selected") => {}
    }
    let cancelled = spawn(async move {
        say(n, "before it is cancelled");
        std::future::pending::<()>().await;
    });
    let spawned = spawn(step(n, "spawned"));
    let blocking = spawn_blocking(move || say(n, "blocking"));
    let _ = spawned.await.unwrap();
    blocking.await.unwrap();
    tokio::task::yield_now().await;
    cancelled.abort();
    let _ = cancelled.await;
    say(n, "end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_tasks_never_see_each_other() {
    let (rollbar, captured) = Rollbar::builder().source_lines(false).in_memory();
    let tasks: Vec<_> = rollbar.enter(|| (0..100).map(|n| task(n).in_scope(Scope::new())).collect());
    for task in tasks.into_iter().map(tokio::spawn).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    // What is cancelled may not have begun.
    let items = captured.items();
    assert!(items.len() >= 100 * 9, "{}", items.len());
    for item in &items {
        let message = item.message().unwrap();
        let n = message.split(' ').next().unwrap();
        let json = item.json();
        assert_eq!(json["person"]["id"], n, "{message}");
        assert_eq!(json["custom"]["task"].to_string(), n, "{message}");
        let inner = json["custom"].get("inner").map(ToString::to_string);
        assert_eq!(inner.as_deref(), message.ends_with(" inner").then_some(n), "{message}");
        for event in json["body"]["telemetry"].as_array().into_iter().flatten() {
            let told = event["body"]["message"].as_str().unwrap();
            assert!(told.starts_with(&format!("{n} ")), "{told} in {message}");
        }
    }
    captured.clear();
    rollbar.enter(|| report_message("after all", Level::Info));
    let after = captured.only();
    assert_eq!((after.json().get("person"), after.json().get("custom")), (None, None));
}

#[test]
fn scopes_that_nest_and_panic_are_left_in_order() {
    let (rollbar, captured) = Rollbar::in_memory();
    let (other, others) = Rollbar::in_memory();
    rollbar.enter(|| {
        let outer = Scope::new();
        outer.put_custom("in", "outer");
        in_scope(&outer, || {
            let inner = Scope::new();
            inner.put_custom("in", "inner");
            for _ in 0..3 {
                let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    in_scope(&inner, || {
                        other.enter(|| {
                            report_message("to the other", Level::Info);
                            in_scope(&outer, || report_message("in a scope of the first", Level::Info));
                        });
                        report_message("inner", Level::Info);
                        std::panic::resume_unwind(Box::new(()));
                    });
                }));
                assert!(left.is_err());
                report_message("outer", Level::Info);
            }
            // A scope stays usable from everywhere, and within itself.
            in_scope(&outer, || in_scope(&outer, || report_message("outer", Level::Info)));
        });
        report_message("none", Level::Info);
    });
    for item in captured.items() {
        let expected = item.message().unwrap();
        assert_eq!(item.json()["custom"]["in"].as_str().unwrap_or("none"), expected);
    }
    assert_eq!(captured.items().len(), 3 * 2 + 1 + 1);
    let of: Vec<_> = others.items().iter().map(|item| item.json()["custom"]["in"].clone()).collect();
    assert_eq!(of[..2], [serde_json::Value::Null, "outer".into()]);
}

/// Futures that hold scopes end in another order than they began.
#[tokio::test]
async fn futures_end_in_any_order() {
    let (rollbar, captured) = Rollbar::in_memory();
    let make = |name: &'static str, gate: std::sync::Arc<tokio::sync::Notify>| {
        let scope = Scope::new();
        scope.put_custom("in", name);
        async move {
            gate.notified().await;
            report_message(name, Level::Info);
        }
        .in_scope(scope)
    };
    let gates: Vec<_> = (0..3).map(|_| std::sync::Arc::new(tokio::sync::Notify::new())).collect();
    let (a, b, c) = rollbar
        .enter(|| (make("a", gates[0].clone()), make("b", gates[1].clone()), make("c", gates[2].clone())));
    let (a, b) = (tokio::spawn(a), tokio::spawn(b));
    let mut c = Box::pin(c);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(c.as_mut().poll(&mut context).is_pending());
    gates[1].notify_one();
    tokio::time::timeout(Duration::from_secs(10), b).await.unwrap().unwrap();
    gates[0].notify_one();
    tokio::time::timeout(Duration::from_secs(10), a).await.unwrap().unwrap();
    gates[2].notify_one();
    c.await;
    let said: Vec<_> = captured
        .items()
        .iter()
        .map(|item| (item.message().unwrap().to_owned(), item.json()["custom"]["in"].clone()))
        .collect();
    assert_eq!(said, [("b".into(), "b".into()), ("a".into(), "a".into()), ("c".into(), "c".into())]);
}

#[test]
fn the_latest_hundred_events_in_their_order() {
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.enter(|| {
        for n in 0..1_234 {
            record_telemetry(Telemetry::log(Level::Info, n.to_string()));
        }
        let inner = Scope::new();
        in_scope(&inner, || {
            record_telemetry(Telemetry::log(Level::Info, "inner"));
            report_message("inner", Level::Info);
        });
        report_message("outer", Level::Info);
    });
    let items = captured.items();
    let told = |n: usize| -> Vec<String> {
        let telemetry = items[n].json()["body"]["telemetry"].as_array().unwrap();
        telemetry.iter().map(|event| event["body"]["message"].as_str().unwrap().to_owned()).collect()
    };
    let mut expected: Vec<String> = (1_234 - MAX_TELEMETRY..1_234).map(|n| n.to_string()).collect();
    assert_eq!(told(1), expected);
    expected.remove(0);
    expected.push("inner".to_owned());
    assert_eq!(told(0), expected);
}
