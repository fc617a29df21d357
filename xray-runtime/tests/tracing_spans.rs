//! Spans of `tracing` as subsegments, by the public surface.
#![allow(clippy::expect_used)]

use std::error::Error;
use std::fmt;

use serde_json::{Value, json};
use tracing::instrument::WithSubscriber;
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Level, debug_span, error, info_span, instrument, warn_span};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use xray_runtime::{
    Captured, CapturedEntity, FutureExt, NoneSampler, Recorder, XRayTracing, begin_segment, begin_subsegment,
    current, in_segment, in_subsegment, xray_capture,
};

#[xray_capture]
fn leaf() {}

/// What `run` records in a segment `s`, with this layer.
fn recorded_with(layer: XRayTracing, run: impl FnOnce()) -> Captured {
    let (recorder, captured) = Recorder::in_memory();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || recorder.enter(|| in_segment("s", run)));
    captured
}

fn recorded(run: impl FnOnce()) -> Captured {
    recorded_with(XRayTracing::new(), run)
}

/// The tree as text: `s(a(b) c)`.
fn tree(entity: &CapturedEntity) -> String {
    let children: Vec<_> = entity.subsegments().iter().map(tree).collect();
    let children = if children.is_empty() { String::new() } else { format!("({})", children.join(" ")) };
    format!("{}{children}", entity.name())
}

#[test]
fn spans_and_subsegments_nest_in_each_other() {
    #[instrument]
    fn outer() {
        leaf();
        in_subsegment("closure", || info_span!("inner").in_scope(leaf));
        info_span!("never entered");
    }
    let captured = recorded(|| {
        outer();
        leaf();
        assert_eq!(current().id(), xray_runtime::current_segment().id());
    });
    assert_eq!(tree(&captured.segment("s")), "s(outer(leaf closure(inner(leaf)) never entered) leaf)");
    assert!(captured.entity("never entered").json()["end_time"].is_number());
}

#[test]
fn a_span_is_below_what_is_current_where_it_is_made() {
    let captured = recorded(|| {
        let span = in_subsegment("maker", || info_span!("span"));
        in_subsegment("user", || span.in_scope(leaf));
        span.in_scope(leaf);
        leaf();
    });
    assert_eq!(tree(&captured.segment("s")), "s(maker(span(leaf leaf)) user leaf)");
}

#[test]
fn the_parent_that_a_span_names() {
    let captured = recorded(|| {
        let parent = info_span!("parent");
        let passed_over = debug_span!(parent: &parent, "passed over");
        in_subsegment("elsewhere", || {
            info_span!(parent: &parent, "child");
            info_span!(parent: &passed_over, "grandchild");
            info_span!(parent: None, "of no parent").in_scope(leaf);
        });
    });
    assert_eq!(tree(&captured.segment("s")), "s(parent(child grandchild) elsewhere(leaf))");
}

/// The parent may be of a segment that is not current here.
#[test]
fn the_parent_is_of_another_segment() {
    let captured = recorded(|| {
        let parent = info_span!("parent");
        in_segment("other", || info_span!(parent: &parent, "child", n = 1).in_scope(leaf));
        leaf();
    });
    assert_eq!(tree(&captured.segment("s")), "s(parent(child(leaf)) leaf)");
    assert_eq!(tree(&captured.segment("other")), "other");
    assert_eq!(captured.entity("child").metadata("tracing_spans", "n"), Some(json!(1)));
}

#[test]
fn fields_are_metadata_or_annotations() {
    let captured = recorded_with(XRayTracing::new().annotate(["http.route", "rows", "ratio"]), || {
        let span = info_span!(
            target: "shop",
            "cart",
            http.route = "/cart/{id}",
            rows = tracing::field::Empty,
            ratio = 0.5,
            count = 3_u64,
            change = -3,
            done = true,
            shown = %"text",
            debugged = ?[1, 2],
            not_a_number = f64::NAN,
            wide = u128::MAX,
            never = tracing::field::Empty,
        );
        span.record("rows", 7);
        span.record("count", 4_u64);
        span.record("shown", "later");
    });
    let cart = captured.segment("s").subsegment("cart");
    assert_eq!(cart.json()["annotations"], json!({"http_route": "/cart/{id}", "rows": 7, "ratio": 0.5}));
    assert_eq!(
        cart.json()["metadata"],
        json!({"shop": {
            "count": 4, "change": -3, "done": true, "shown": "later", "debugged": "[1, 2]", "not_a_number": "NaN",
            "wide": u128::MAX.to_string(),
        }})
    );
}

#[test]
fn names_and_kinds_by_the_convention_of_opentelemetry() {
    let captured = recorded(|| {
        let span = info_span!("HTTP request", otel.name = "GET /cart", otel.kind = "client");
        span.record("otel.kind", "client");
        drop(span);
        let renamed = info_span!("before", otel.name = tracing::field::Empty, otel.status_code = "OK");
        renamed.record("otel.name", "after");
        info_span!("unnamed", otel.name = tracing::field::Empty, otel.kind = "internal");
        info_span!("failed", otel.status_code = "ERROR");
    });
    let segment = captured.segment("s");
    assert_eq!(tree(&segment), "s(GET /cart after unnamed failed)");
    assert_eq!(segment.subsegment("GET /cart").json()["namespace"], "remote");
    assert_eq!(segment.subsegment("unnamed").json().get("namespace"), None);
    assert!(segment.subsegment("failed").is_fault() && !segment.subsegment("after").is_fault());
}

#[test]
fn an_http_exchange_by_the_convention_of_opentelemetry() {
    let layer = XRayTracing::new().annotate(["http.route", "http.user_agent"]);
    let captured = recorded_with(layer, || {
        let stable = info_span!(
            "stable",
            otel.kind = "client",
            http.request.method = %"GET",
            url.full = "https://me:secret@example.com/cart?token=1#top",
            user_agent.original = "curl/8",
            http.response.status_code = tracing::field::Empty,
        );
        stable.record("http.response.status_code", 503);
        let earlier = info_span!(
            "earlier",
            http.method = ?"PUT",
            http.url = "http://example.com/a",
            http.user_agent = "an annotation",
            http.status_code = tracing::field::Empty,
        );
        earlier.record("http.status_code", tracing::field::display("429 Too Many Requests"));
        info_span!("odd", http.status_code = 70_000, http.route = "/a", http.response.status_code = "none");
    });
    let segment = captured.segment("s");
    let stable = segment.subsegment("stable");
    let request = json!({"method": "GET", "url": "https://example.com/cart", "user_agent": "curl/8"});
    assert_eq!(stable.json()["http"], json!({"request": request, "response": {"status": 503}}));
    assert_eq!((&stable.json()["namespace"], stable.is_fault()), (&"remote".into(), true));
    let earlier = segment.subsegment("earlier");
    let request = json!({"method": "\"PUT\"", "url": "http://example.com/a"});
    assert_eq!(earlier.json()["http"], json!({"request": request, "response": {"status": 429}}));
    assert_eq!(earlier.json()["throttle"], true);
    assert_eq!(earlier.annotation("http_user_agent"), Some("an annotation".into()));
    let odd = segment.subsegment("odd");
    assert_eq!(odd.json().get("http"), None);
    assert_eq!(
        odd.json()["metadata"]["tracing_spans"],
        json!({"http.status_code": 70_000, "http.response.status_code": "none"})
    );
    assert_eq!(odd.json()["annotations"], json!({"http_route": "/a"}));
}

#[test]
fn names_of_fields_that_are_words_of_rust() {
    let captured = recorded_with(XRayTracing::new().annotate(["type"]), || {
        info_span!("span", r#type = "cart", r#match = 1).in_scope(|| error!(r#fn = "f", "no"));
    });
    let span = captured.segment("s").subsegment("span");
    assert_eq!(span.annotation("type"), Some("cart".into()));
    assert_eq!(span.json()["metadata"]["tracing_spans"], json!({"match": 1, "fn": "f"}));
}

/// More than a document takes is cut, and what a segment takes no more of is found beside it.
#[test]
fn limits() {
    let captured = recorded_with(XRayTracing::new().annotate(["n"]), || {
        for n in 0..60 {
            info_span!("span", n, text = "x".repeat(if n == 0 { 10_000 } else { 1 }));
        }
    });
    let spans = captured.segment("s").subsegments();
    assert_eq!(spans.len(), 60);
    let annotated = spans.iter().filter(|span| span.annotation("n").is_some()).count();
    assert_eq!(annotated, 50);
    let beside = spans.iter().filter(|span| span.metadata("annotations_overflow", "n").is_some()).count();
    assert_eq!(beside, 10);
    let text = spans[0].metadata("tracing_spans", "text").unwrap();
    assert_eq!(text.as_str().map(str::len), Some(4_096));
}

/// A counter that is recorded again and again takes no more memory than one value of it, nearly.
#[test]
fn a_field_that_is_recorded_again_and_again() {
    let (recorder, captured) = Recorder::in_memory();
    let subscriber = tracing_subscriber::registry().with(XRayTracing::new());
    tracing::subscriber::with_default(subscriber, || {
        recorder.enter(|| {
            in_segment("s", || {
                let span = info_span!("span", count = tracing::field::Empty);
                for count in 0..100_000 {
                    span.record("count", count);
                }
            });
        });
    });
    assert_eq!(captured.entity("span").metadata("tracing_spans", "count"), Some(json!(99_999)));
    assert_eq!(recorder.stats().late_facts, 0);
}

#[test]
fn what_is_taken() {
    fn spans() {
        info_span!(target: "sqlx::query", "sqlx info");
        debug_span!(target: "sqlx::query", "sqlx debug");
        tracing::trace_span!(target: "sqlx::query", "sqlx trace");
        warn_span!(target: "hyper", "hyper warn");
        debug_span!(target: "hyper", "hyper debug");
        info_span!(target: "xray_runtime::anything", "own");
    }
    let taken = |layer| tree(&recorded_with(layer, spans).segment("s"));
    assert_eq!(taken(XRayTracing::new()), "s(sqlx info hyper warn)");
    assert_eq!(taken(XRayTracing::new().max_level(Level::WARN)), "s(hyper warn)");
    assert_eq!(taken(XRayTracing::new().with_target("sqlx", Level::DEBUG)), "s(sqlx info sqlx debug)");
    let mixed = XRayTracing::new().with_target("sqlx", Level::DEBUG).max_level(Level::WARN);
    assert_eq!(taken(mixed), "s(sqlx info sqlx debug hyper warn)");
    let without = XRayTracing::new().with_target("sqlx", LevelFilter::OFF).max_level(Level::TRACE);
    assert_eq!(taken(without), "s(hyper warn hyper debug)");
}

#[test]
fn beside_filters_of_other_layers_and_with_one_of_its_own() {
    let (recorder, captured) = Recorder::in_memory();
    let targets = Targets::new().with_target("sqlx", Level::TRACE);
    let subscriber = tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::sink).with_filter(LevelFilter::TRACE))
        .with(XRayTracing::new().max_level(Level::TRACE).with_filter(targets));
    tracing::subscriber::with_default(subscriber, || {
        recorder.enter(|| {
            in_segment("s", || {
                let of_hyper = info_span!(target: "hyper", "hyper");
                of_hyper.in_scope(|| {
                    tracing::trace_span!(target: "sqlx", "sqlx", n = 1).in_scope(leaf);
                    error!(target: "hyper", "not for this layer");
                });
                debug_span!(target: "sqlx", parent: &of_hyper, "child of hyper");
            });
        });
    });
    let segment = captured.segment("s");
    assert_eq!(tree(&segment), "s(sqlx(leaf) child of hyper)");
    assert!(!segment.is_fault());
}

#[derive(Debug)]
struct Failed(std::num::ParseIntError);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such order")
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn failed() -> Failed {
    Failed("x".parse::<i32>().expect_err("a letter is no number"))
}

fn exceptions(entity: &CapturedEntity) -> Vec<(String, String)> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let exceptions = entity.json()["cause"]["exceptions"].as_array().cloned().unwrap_or_default();
    exceptions.iter().map(|one| (text(one, "type"), text(one, "message"))).collect()
}

#[test]
fn an_error_event_is_the_cause_of_its_span() {
    let captured = recorded(|| {
        info_span!("value").in_scope(|| {
            error!(error = &failed() as &dyn Error, order = 7, "cannot pay");
        });
        info_span!("display").in_scope(|| error!(error = %failed()));
        info_span!("debug").in_scope(|| error!(err = ?"why", "because"));
        info_span!("message").in_scope(|| error!(target: "shop::till", "cannot pay {}", 12));
        info_span!("warning").in_scope(|| tracing::warn!(error = &failed() as &dyn Error, "warned"));
    });
    let segment = captured.segment("s");
    assert!(!segment.is_fault());
    let value = segment.subsegment("value");
    assert!(value.is_fault());
    let pairs = |pairs: &[(&str, &str)]| -> Vec<_> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    assert_eq!(
        exceptions(&value),
        pairs(&[("Failed", "no such order"), ("ParseIntError", "invalid digit found in string")])
    );
    assert_eq!(value.json()["metadata"]["tracing_spans"], json!({"order": 7, "message": "cannot pay"}));
    let frame = &value.json()["cause"]["exceptions"][0]["stack"][0];
    assert_eq!(frame["path"].as_str().map(|path| path.ends_with("tracing_spans.rs")), Some(true), "{frame}");
    assert!(frame["line"].as_u64() > Some(1));
    assert_eq!(exceptions(&segment.subsegment("display")), pairs(&[("error", "no such order")]));
    assert_eq!(exceptions(&segment.subsegment("debug")), pairs(&[("error", "\"why\"")]));
    assert_eq!(exceptions(&segment.subsegment("message")), pairs(&[("shop::till", "cannot pay 12")]));
    assert!(!segment.subsegment("warning").is_fault());
}

#[test]
fn an_error_event_is_of_what_is_current_or_of_the_span_that_it_names() {
    let captured = recorded(|| {
        let span = info_span!("span");
        span.in_scope(|| {
            in_subsegment("inner", || error!("inside"));
            debug_span!("passed over").in_scope(|| error!("of span"));
        });
        error!(parent: &span, "of span again");
        error!(parent: None, "of nobody");
        in_subsegment("bare", || error!("bare"));
    });
    let segment = captured.segment("s");
    assert!(!segment.is_fault());
    assert_eq!(segment.subsegment("span").exceptions(), ["of span again"]);
    assert_eq!(segment.subsegment("span").subsegment("inner").exceptions(), ["inside"]);
    assert_eq!(segment.subsegment("bare").exceptions(), ["bare"]);
}

#[test]
fn an_error_that_is_an_event_and_is_returned_is_recorded_once() {
    #[xray_capture]
    fn logs_value() -> Result<(), Failed> {
        error!(error = &failed() as &dyn Error, "first");
        Err(failed())
    }
    #[xray_capture]
    #[instrument(err)]
    fn logs_text() -> Result<(), Failed> {
        Err(failed())
    }
    let captured = recorded(|| {
        assert!(logs_value().is_err());
        assert!(logs_text().is_err());
    });
    let segment = captured.segment("s");
    assert_eq!(segment.subsegment("logs_value").exceptions().len(), 2);
    // `tracing`'s attribute is the outer one, in whatever order they stand: its event comes after the function has returned.
    let span = segment.subsegment("logs_text");
    let function = span.subsegment("logs_text");
    assert_eq!(function.exceptions().len(), 2);
    assert!(function.is_fault() && span.is_fault() && !segment.is_fault());
    assert_eq!(span.json()["cause"], function.json()["cause"]["exceptions"][0]["id"], "{}", span.json());
}

/// Each of them says so on its way up.
#[test]
fn an_error_that_passes_several_instrumented_functions_is_recorded_once() {
    #[instrument(err)]
    fn outer() -> Result<(), Failed> {
        middle()
    }
    #[instrument(err)]
    fn middle() -> Result<(), Failed> {
        inner()
    }
    #[instrument(err)]
    fn inner() -> Result<(), Failed> {
        Err(failed())
    }
    let captured = recorded(|| assert!(outer().is_err()));
    let outer = captured.segment("s").subsegment("outer");
    let middle = outer.subsegment("middle");
    let inner = middle.subsegment("inner");
    assert_eq!(inner.exceptions(), ["no such order"]);
    let id = &inner.json()["cause"]["exceptions"][0]["id"];
    assert!(outer.is_fault() && middle.is_fault() && id.is_string());
    assert_eq!((&middle.json()["cause"], &outer.json()["cause"]), (id, id));
}

#[test]
fn causes_of_another_level_or_of_none() {
    let events = || {
        info_span!("a").in_scope(|| tracing::warn!("warned"));
        info_span!("b").in_scope(|| error!("failed"));
    };
    let off = recorded_with(XRayTracing::new().causes(LevelFilter::OFF), events).segment("s");
    assert!(off.subsegments().iter().all(|child| !child.is_fault() && child.exceptions().is_empty()));
    let warn = recorded_with(XRayTracing::new().causes(Level::WARN), events).segment("s");
    assert_eq!(warn.subsegment("a").exceptions(), ["warned"]);
}

#[test]
fn a_panic_that_leaves_a_span() {
    let captured = recorded(|| {
        let panicked = std::panic::catch_unwind(|| {
            let _outer = info_span!("outer").entered();
            let _inner = info_span!("inner").entered();
            panic!("no luck");
        });
        assert!(panicked.is_err());
        leaf();
    });
    let segment = captured.segment("s");
    assert_eq!(tree(&segment), "s(outer(inner) leaf)");
    let outer = segment.subsegment("outer");
    assert!(outer.is_fault() && outer.subsegment("inner").is_fault() && !segment.is_fault());
}

#[test]
fn what_has_to_be_done_before() {
    let captured = recorded(|| {
        let before = info_span!("before");
        let after = info_span!("after");
        after.follows_from(&before);
        after.follows_from(tracing::Id::from_u64(1 << 40));
        let other = in_segment("other", || info_span!("of another segment"));
        after.follows_from(&other);
    });
    let segment = captured.segment("s");
    let before = segment.subsegment("before");
    assert_eq!(segment.subsegment("after").json()["precursor_ids"], json!([before.id()]));
}

#[test]
fn nothing_where_no_segment_is_current_or_it_is_not_sampled() {
    let (recorder, captured) = Recorder::in_memory();
    let subscriber = tracing_subscriber::registry().with(XRayTracing::new());
    let unsampled = Recorder::builder().service("u").sampler(NoneSampler).build().unwrap();
    tracing::subscriber::with_default(subscriber, || {
        recorder.enter(|| {
            let before = info_span!("before", n = 1);
            error!("nowhere");
            in_segment("s", || before.in_scope(leaf));
        });
        unsampled.enter(|| {
            let segment = begin_segment("u");
            let header = segment.trace_header();
            info_span!("a").in_scope(|| {
                error!("nowhere");
                assert_eq!(current().trace_header(), header);
            });
        });
    });
    assert_eq!(tree(&captured.segment("s")), "s(leaf)");
    assert_eq!(captured.documents().len(), 1);
    assert_eq!(unsampled.stats().recorded, 0);
}

/// Siblings of one task take turns, and each finds its own subsegments current.
#[tokio::test]
async fn instrumented_futures_over_awaits() {
    async fn step(name: &'static str) {
        for _ in 0..3 {
            async {
                let held = begin_subsegment("held");
                tokio::task::yield_now().await;
                captured_step().await;
                held.end();
            }
            .in_subsegment(name)
            .await;
        }
    }
    #[xray_capture]
    async fn captured_step() {
        tokio::task::yield_now().await;
        info_span!("deep").in_scope(|| ());
    }
    let (recorder, captured) = Recorder::in_memory();
    let subscriber = tracing_subscriber::registry().with(XRayTracing::new());
    let _default = tracing::subscriber::set_default(subscriber);
    let job = recorder.enter(|| {
        async {
            tokio::join!(
                step("x").instrument(info_span!("a")),
                step("y").instrument(info_span!("b")),
                step("z").in_subsegment("c"),
            );
            leaf();
        }
        .in_segment("s")
    });
    job.await;
    let steps = |name: &str| vec![format!("{name}(held(captured_step(deep)))"); 3].join(" ");
    let expected = format!("s(a({}) b({}) c({}) leaf)", steps("x"), steps("y"), steps("z"));
    assert_eq!(tree(&captured.segment("s")), expected);
}

/// A span carries the segment with it, as tokio's own `spawn` does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn instrumented_tasks_on_other_threads() {
    async fn work(n: u32) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
            info_span!("poll", n).in_scope(|| ());
        }
    }
    let (recorder, captured) = Recorder::in_memory();
    let subscriber = tracing_subscriber::registry().with(XRayTracing::new());
    // For the tasks: their threads have no default of their own.
    let dispatch = tracing::Dispatch::new(subscriber);
    let _default = tracing::dispatcher::set_default(&dispatch);
    let job = recorder.enter(|| {
        let dispatch = dispatch.clone();
        async move {
            let tasks: Vec<_> = (0..16)
                .map(|n| {
                    let task = work(n).instrument(info_span!("task", n));
                    tokio::spawn(task.with_subscriber(dispatch.clone()))
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
        .in_segment("s")
    });
    tokio::spawn(job.with_subscriber(dispatch)).await.unwrap();
    let documents = captured.documents();
    let mut polls = vec![0; 16];
    let mut tasks = 0;
    // Streamed parts too: each poll below the task of its own number.
    fn walk(value: &Value, within: Option<u64>, polls: &mut [u32], tasks: &mut u32) {
        let n = value.pointer("/metadata/tracing_spans/n").and_then(Value::as_u64);
        match value["name"].as_str() {
            Some("poll") => {
                polls[n.unwrap() as usize] += 1;
                assert!(within.is_none() || within == n, "{value}");
            }
            Some("task") => *tasks += 1,
            _ => {}
        }
        for child in value["subsegments"].as_array().into_iter().flatten() {
            walk(child, n, polls, tasks);
        }
    }
    for document in &documents {
        walk(document, None, &mut polls, &mut tasks);
    }
    assert_eq!((polls, tasks), (vec![20; 16], 16));
}
