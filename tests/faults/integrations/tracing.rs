//! Subscribers that are replaced, and spans that are left out of order, elsewhere, or never.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;
use tracing::level_filters::LevelFilter;
use tracing::span::EnteredSpan;
use tracing::{Dispatch, Instrument, Span, error, info_span};
use tracing_subscriber::prelude::*;
use tracing_subscriber::reload;
use xray_runtime::{
    FutureExt, Recorder, XRayTracing, begin_segment, begin_subsegment, current, current_segment, in_segment,
    in_subsegment, xray_capture,
};

use crate::support::{Delivered, Forest, SOON, recorder, recorder_with};

#[xray_capture]
fn leaf() {}

fn dispatch() -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(XRayTracing::new()))
}

/// Runs in a segment `s`, and holds the program to what is true after any spans: what was current is current again.
fn run(recorder: &Recorder, run: impl FnOnce()) {
    tracing::dispatcher::with_default(&dispatch(), || {
        recorder.enter(|| {
            let segment = begin_segment("s");
            run();
            assert_eq!(current().id(), segment.id(), "as it was before the spans");
            segment.end();
            assert_eq!(current().id(), None);
        });
    });
}

fn recorded(run_in_segment: impl FnOnce()) -> Forest {
    let (recorder, delivered) = recorder();
    run(&recorder, run_in_segment);
    delivered.complete(&recorder)
}

#[test]
fn spans_that_are_left_out_of_order() {
    let forest = recorded(|| {
        let a = info_span!("a").entered();
        let b = info_span!("b").entered();
        let c = info_span!("c").entered();
        let b = b.exit();
        in_subsegment("in c", || ());
        let a = a.exit();
        in_subsegment("in c still", || ());
        drop(c);
        leaf();
        drop((a, b));
    });
    let parents: Vec<_> =
        ["a", "b", "c", "in c", "in c still", "leaf"].iter().map(|name| forest.parent_of(name)).collect();
    assert_eq!(parents, ["s", "a", "b", "c", "c", "s"]);
}

#[test]
fn guards_of_subsegments_and_spans_that_end_crossed() {
    let forest = recorded(|| {
        let before = begin_subsegment("before");
        let span = info_span!("span").entered();
        let within = begin_subsegment("within");
        before.end();
        // No longer within the span, though what began in it goes on.
        drop(span);
        leaf();
        within.end();
        in_subsegment("after", || ());
    });
    let parents: Vec<_> =
        ["span", "within", "leaf", "after"].iter().map(|name| forest.parent_of(name)).collect();
    assert_eq!(parents, ["before", "span", "s", "s"]);
}

#[test]
fn a_segment_that_begins_in_a_span_and_outlives_it() {
    let (recorder, delivered) = recorder();
    run(&recorder, || {
        let span = info_span!("span").entered();
        let other = begin_segment("other");
        drop(span);
        leaf();
        other.end();
        in_subsegment("after", || ());
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("leaf"), "other");
    assert_eq!(forest.parent_of("after"), "s");
}

#[test]
fn spans_entered_again_and_clones_of_them() {
    let forest = recorded(|| {
        let span = info_span!("span");
        let clone = span.clone();
        span.in_scope(|| {
            clone.in_scope(leaf);
            in_subsegment("inner", || span.in_scope(|| in_subsegment("deep", || ())));
            in_subsegment("beside", || ());
        });
        drop(span);
        clone.in_scope(|| in_subsegment("by the clone", || ()));
    });
    for (name, parent) in
        [("leaf", "span"), ("inner", "span"), ("deep", "span"), ("beside", "span"), ("by the clone", "span")]
    {
        assert_eq!(forest.parent_of(name), parent, "{name}");
    }
}

/// A guard that is forgotten leaves its span entered for ever; with the span's end it is left.
#[test]
fn a_guard_that_is_forgotten() {
    let forest = recorded(|| {
        let span = info_span!("span");
        std::mem::forget(span.enter());
        leaf();
        drop(span);
        in_subsegment("after", || ());
    });
    assert_eq!(forest.parent_of("leaf"), "span");
    assert_eq!(forest.parent_of("after"), "s");
}

#[test]
fn spans_that_are_used_and_closed_on_other_threads() {
    let (recorder, delivered) = recorder();
    let dispatch = dispatch();
    tracing::dispatcher::with_default(&dispatch, || {
        recorder.enter(|| {
            let segment = begin_segment("s");
            let moved = info_span!("moved").entered().exit();
            let shared = info_span!("shared", n = tracing::field::Empty);
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    moved.in_scope(leaf);
                    assert_eq!(current().id(), None);
                });
                for n in 0..4 {
                    let shared = shared.clone();
                    scope.spawn(move || {
                        for _ in 0..50 {
                            shared.in_scope(|| in_subsegment("turn", || ()));
                        }
                        shared.record("n", n);
                        assert_eq!(current().id(), None);
                    });
                }
            });
            drop(shared);
            segment.end();
        });
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("moved"), "s");
    assert_eq!(forest.parent_of("leaf"), "moved");
    let shared = forest.one("shared").json["id"].as_str().map(str::to_owned);
    assert_eq!(forest.named("turn").filter(|turn| turn.parent == shared).count(), 200);
    assert!(forest.one("moved").json["end_time"].is_number());
}

/// The segment of the span is not that of the thread; each goes on where it was.
#[test]
fn a_span_within_another_segment() {
    let (recorder, delivered) = recorder();
    run(&recorder, || {
        let span = info_span!("span");
        in_segment("other", || {
            in_subsegment("around", || {
                span.in_scope(|| {
                    leaf();
                    info_span!("inner").in_scope(|| in_subsegment("deep", || ()));
                });
                in_subsegment("after", || ());
            });
        });
        // Left out of order, over two trees.
        let entered = span.entered();
        let other = begin_segment("third");
        let third = info_span!("of third").entered();
        let span = entered.exit();
        in_subsegment("in third", || ());
        drop(third);
        other.end();
        drop(span);
    });
    let forest = delivered.complete(&recorder);
    for (name, parent) in [
        ("leaf", "span"),
        ("inner", "span"),
        ("deep", "inner"),
        ("after", "around"),
        ("of third", "third"),
        ("in third", "of third"),
    ] {
        assert_eq!(forest.parent_of(name), parent, "{name}");
    }
}

/// Entered below and above a segment that ends before either is left.
#[test]
fn a_span_entered_again_over_a_segment_that_ends_first() {
    let (recorder, delivered) = recorder();
    run(&recorder, || {
        let (span, beside) = (info_span!("span"), info_span!("beside"));
        let first = span.clone().entered();
        let other = begin_segment("other");
        let of_other = info_span!("of other");
        let again = span.entered();
        other.end();
        let beside = beside.entered();
        let of_other = of_other.entered();
        drop(first);
        in_subsegment("in other", || ());
        drop(again);
        drop(beside);
        drop(of_other);
        in_subsegment("after", || ());
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("in other"), "of other");
    assert_eq!(forest.parent_of("after"), "s");
}

/// The segment of each span is not that of the thread, and those that were entered first are left first.
#[test]
fn spans_of_another_segment_that_are_left_out_of_order() {
    let (recorder, delivered) = recorder();
    run(&recorder, || {
        let (a, b) = (info_span!("a"), info_span!("b"));
        let other = begin_segment("other");
        let a = a.entered();
        let third = begin_segment("third");
        let b = b.entered();
        drop(a);
        in_subsegment("in b", || ());
        drop(b);
        in_subsegment("in third", || ());
        third.end();
        in_subsegment("in other", || ());
        other.end();
    });
    let forest = delivered.complete(&recorder);
    for (name, parent) in [("in b", "b"), ("in third", "third"), ("in other", "other")] {
        assert_eq!(forest.parent_of(name), parent, "{name}");
    }
}

/// What three threads have recorded comes back in an order in which the part that was made first is neither first nor last.
#[test]
fn a_segment_that_ends_while_a_thread_is_in_a_span() {
    let (recorder, delivered) = recorder();
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let dispatch = dispatch();
    tracing::dispatcher::with_default(&dispatch, || {
        recorder.enter(|| {
            let segment = begin_segment("s");
            let (first, second) = (info_span!("first"), info_span!("second"));
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    first.in_scope(|| {
                        leaf();
                        entered.send(()).unwrap();
                        released.recv().unwrap();
                    });
                });
                has_entered.recv().unwrap();
                scope.spawn(move || second.in_scope(leaf)).join().unwrap();
                segment.end();
                release.send(()).unwrap();
            });
        });
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("leaf").count(), 2);
    assert!(forest.entities.values().all(|found| found.json["end_time"].is_number()));
}

#[test]
fn ten_thousand_nested_spans() {
    let (recorder, delivered) = recorder();
    run(&recorder, || {
        let entered: Vec<EnteredSpan> = (0..10_000).map(|_| info_span!("nested").entered()).collect();
        leaf();
        // Outermost first: each is left while those within it are not. (Closed in that order the registry itself would end in a
        // recursion as deep, at the last one.)
        let mut left: Vec<Span> = entered.into_iter().map(EnteredSpan::exit).collect();
        leaf();
        while left.pop().is_some() {}
        let mut entered: Vec<EnteredSpan> = (0..10_000).map(|_| info_span!("nested").entered()).collect();
        while entered.pop().is_some() {}
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("nested").count(), 20_000);
    assert!(forest.named("nested").all(|span| span.json["end_time"].is_number()));
}

#[test]
fn spans_that_never_close_leave_the_segment_alone() {
    let (recorder, delivered) =
        recorder_with(|builder| builder.open_children_patience(Duration::from_millis(20)));
    let leaked = dispatch();
    tracing::dispatcher::with_default(&leaked, || {
        recorder.enter(|| {
            in_segment("s", || {
                let span = info_span!("never closed");
                span.in_scope(leaf);
                std::mem::forget(span);
            });
        });
    });
    let document = delivered.next();
    assert_eq!(document["name"], "s");
    assert!(document["end_time"].is_number());
    let forest = Forest::of(&[document]);
    assert!(forest.one("never closed").is("in_progress"));
    assert_eq!(forest.parent_of("leaf"), "never closed");
    assert_eq!(recorder.stats().dropped(), 0);
}

/// Each span goes on with the subscriber that made it; those of another know nothing of it.
#[test]
fn a_subscriber_that_is_replaced_while_spans_are_open() {
    let (recorder, delivered) = recorder();
    run(&recorder, || {
        let outer = info_span!("outer").entered();
        let inner = {
            // Without our layer: what is open stays current.
            let _none = tracing::subscriber::set_default(tracing_subscriber::registry());
            let unseen = info_span!("unseen").entered();
            in_subsegment("in outer", || ());
            // With another of our layers, whose ids are the same numbers.
            let second = tracing::dispatcher::set_default(&dispatch());
            let inner = info_span!("inner").entered();
            drop(unseen);
            drop(second);
            leaf();
            inner
        };
        // The subscriber of `inner` is no longer any thread's.
        let outer = outer.exit();
        in_subsegment("in inner", || ());
        drop(inner);
        drop(outer);
        in_subsegment("after", || ());
    });
    let forest = delivered.complete(&recorder);
    for (name, parent) in [
        ("outer", "s"),
        ("in outer", "outer"),
        ("inner", "outer"),
        ("leaf", "inner"),
        ("in inner", "inner"),
        ("after", "s"),
    ] {
        assert_eq!(forest.parent_of(name), parent, "{name}");
    }
    assert_eq!(forest.named("unseen").count(), 0);
}

/// A layer that is taken out leaves its spans; what it has begun ends with them all the same.
#[test]
fn a_layer_that_is_taken_out_and_put_in_at_run_time() {
    let (recorder, delivered) = recorder();
    let (layer, handle) = reload::Layer::new(Some(XRayTracing::new()));
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    tracing::dispatcher::with_default(&dispatch, || {
        recorder.enter(|| {
            let segment = begin_segment("s");
            let kept = info_span!("kept");
            let outer = info_span!("outer").entered();
            let inner = info_span!("inner").entered();
            handle.reload(None).unwrap();
            let unseen = info_span!("unseen").entered();
            in_subsegment("in inner", || ());
            drop(unseen);
            // Nobody is told, and yet both are left when they close.
            drop(inner);
            in_subsegment("in outer", || ());
            drop(outer);
            in_subsegment("in s", || ());
            let between = info_span!("between");
            handle.reload(Some(XRayTracing::new())).unwrap();
            // The new layer goes on with spans of the old one, and knows nothing of those that were made without one.
            kept.in_scope(|| in_subsegment("in kept", || ()));
            between.in_scope(|| info_span!("new").in_scope(leaf));
            drop((kept, between));
            segment.end();
            assert_eq!(current().id(), None);
        });
    });
    let forest = delivered.complete(&recorder);
    for (name, parent) in [
        ("in inner", "inner"),
        ("in outer", "outer"),
        ("in s", "s"),
        ("in kept", "kept"),
        ("new", "s"),
        ("leaf", "new"),
    ] {
        assert_eq!(forest.parent_of(name), parent, "{name}");
    }
    assert_eq!(forest.named("unseen").count() + forest.named("between").count(), 0);
    assert!(forest.entities.values().all(|found| found.json["end_time"].is_number()));
}

/// A filter that changes says which spans are made; those that are there go on.
#[test]
fn a_filter_that_changes_at_run_time() {
    let (recorder, delivered) = recorder();
    let (filter, handle) = reload::Layer::new(LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry().with(XRayTracing::new().with_filter(filter));
    tracing::subscriber::with_default(subscriber, || {
        recorder.enter(|| {
            in_segment("s", || {
                let before = info_span!("before").entered();
                handle.reload(LevelFilter::OFF).unwrap();
                info_span!("unseen").in_scope(leaf);
                error!("not seen");
                drop(before);
                handle.reload(LevelFilter::INFO).unwrap();
                info_span!("after").in_scope(|| ());
            });
        });
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("leaf"), "before");
    assert_eq!(forest.parent_of("after"), "s");
    assert_eq!(forest.named("unseen").count(), 0);
    assert!(!forest.one("before").is("fault"));
}

/// Many threads make spans while the layer is replaced again and again.
#[test]
fn a_layer_that_is_replaced_while_threads_use_it() {
    let (recorder, delivered) =
        recorder_with(|builder| builder.open_children_patience(Duration::from_millis(20)));
    let (layer, handle) = reload::Layer::new(Some(XRayTracing::new()));
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    tracing::dispatcher::with_default(&dispatch, || {
                        recorder.enter(|| {
                            for n in 0..500 {
                                in_segment("s", || {
                                    info_span!("outer", n).in_scope(|| info_span!("inner").in_scope(leaf));
                                });
                                assert_eq!(current().id(), None);
                            }
                        });
                    });
                })
            })
            .collect();
        let mut with_one = false;
        while threads.iter().any(|thread| !thread.is_finished()) {
            handle.reload(with_one.then(XRayTracing::new)).unwrap();
            with_one = !with_one;
        }
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("s").count(), 1_500);
    assert_eq!(forest.named("leaf").count(), 1_500);
    assert!(forest.entities.values().all(|found| found.json["end_time"].is_number()));
}

/// Many subscribers, one after the other, and spans that outlive each.
#[test]
fn a_subscriber_a_request() {
    let (recorder, delivered) = recorder();
    let mut kept: Vec<Span> = vec![];
    for n in 0..200 {
        tracing::dispatcher::with_default(&dispatch(), || {
            recorder.enter(|| {
                in_segment("s", || {
                    let span = info_span!("span", n);
                    span.in_scope(leaf);
                    kept.push(span);
                });
            });
        });
        if n % 3 == 0 {
            kept.clear();
        }
    }
    drop(kept);
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("span").count(), 200);
    assert!(forest.named("span").all(|span| !span.is("in_progress")));
}

/// Twice the same layer: one subsegment a span, one cause an event.
#[test]
fn two_layers_of_ours() {
    let (recorder, delivered) = recorder();
    let subscriber = tracing_subscriber::registry().with(XRayTracing::new()).with(XRayTracing::new());
    tracing::subscriber::with_default(subscriber, || {
        recorder.enter(|| {
            in_segment("s", || {
                info_span!("span").in_scope(|| {
                    error!("once");
                    leaf();
                });
                in_subsegment("after", || ());
            });
        });
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.one("span").json["cause"]["exceptions"].as_array().map(Vec::len), Some(1));
    assert_eq!(forest.parent_of("leaf"), "span");
    assert_eq!(forest.parent_of("after"), "s");
}

/// Its `Debug` panics, or goes on for ever, or makes events and spans of its own.
struct Hostile(u8);

impl std::fmt::Debug for Hostile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => panic!("no text"),
            1 => (0..1_000_000).try_for_each(|_| f.write_str("endless ")),
            _ => {
                info_span!("within a value").in_scope(|| error!("within a value"));
                f.write_str("fine")
            }
        }
    }
}

#[test]
fn values_that_panic_or_never_end() {
    let forest = recorded(|| {
        for kind in 0..3 {
            let span = info_span!("span", value = ?Hostile(kind), later = tracing::field::Empty);
            span.record("later", tracing::field::debug(Hostile(kind)));
            span.in_scope(|| error!(error = ?Hostile(kind), other = ?Hostile(kind), "told"));
        }
    });
    assert_eq!(forest.named("span").count(), 3);
    for span in forest.named("span") {
        let metadata = &span.json["metadata"]["faults_integrations::tracing"];
        for key in ["value", "later", "other"] {
            assert!(metadata[key].as_str().is_some_and(|text| text.len() <= 4_096), "{key}: {metadata}");
        }
        assert!(span.is("fault"));
    }
}

/// A destructor that the unwinding runs: the panic is not its spans'.
#[test]
fn events_and_spans_in_destructors_during_a_panic() {
    struct Cleans(Span);
    impl Drop for Cleans {
        fn drop(&mut self) {
            self.0.in_scope(|| {
                error!("cannot clean");
                info_span!("cleaning").in_scope(leaf);
            });
        }
    }
    let forest = recorded(|| {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _outer = info_span!("outer").entered();
            let _cleans = Cleans(info_span!("older"));
            let _inner = info_span!("inner").entered();
            panic!("no luck");
        }));
        assert!(panicked.is_err());
        leaf();
    });
    assert!(forest.one("outer").is("fault") && forest.one("inner").is("fault"));
    let older = forest.one("older");
    assert_eq!(older.json["cause"]["exceptions"][0]["message"], "cannot clean");
    assert!(!forest.one("cleaning").is("fault") && !forest.one("s").is("fault"));
    assert_eq!(forest.parent_of("cleaning"), "older");
    assert_eq!(forest.named("leaf").count(), 2);
}

#[test]
fn a_future_that_panics_in_its_span() {
    let (recorder, delivered) = recorder();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    run(&recorder, || {
        let job = async {
            tokio::task::yield_now().await;
            panic!("no luck");
        };
        let panicked = catch_unwind(AssertUnwindSafe(|| runtime.block_on(job.instrument(info_span!("job")))));
        assert!(panicked.is_err());
    });
    let forest = delivered.complete(&recorder);
    assert!(forest.one("job").is("fault") && !forest.one("s").is("fault"));
}

/// A guard that is held over an await stays entered while other tasks run: `tracing` warns of it. Each segment is whole all the same.
#[test]
fn a_span_s_guard_held_over_an_await() {
    let (recorder, delivered) = recorder();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tracing::dispatcher::with_default(&dispatch(), || {
        recorder.enter(|| {
            let request = |held: bool| {
                async move {
                    let entered = held.then(|| info_span!("held").entered());
                    for _ in 0..3 {
                        tokio::task::yield_now().await;
                        leaf();
                        info_span!("step").in_scope(leaf);
                    }
                    drop(entered);
                    let at = current().id();
                    assert_eq!(at, current_segment().id());
                }
                .in_segment(if held { "with" } else { "without" })
            };
            runtime.block_on(async {
                let tasks = tokio::task::LocalSet::new();
                for n in 0..8 {
                    tasks.spawn_local(request(n % 2 == 0));
                }
                tasks.await;
            });
            assert_eq!(current().id(), None);
        });
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("leaf").count(), 8 * 6);
    for (id, found) in &forest.entities {
        if found.name == "step" {
            let parent = &forest.entities[found.parent.as_ref().unwrap()].name;
            assert!(parent == "held" || parent == "without", "{id} is below {parent}");
        }
    }
}

/// Futures that are dropped half way, with the spans that they were in.
#[tokio::test]
async fn instrumented_futures_that_are_dropped() {
    let (recorder, delivered) = recorder();
    let _default = tracing::dispatcher::set_default(&dispatch());
    let job = recorder.enter(|| {
        async {
            let endless = async {
                let _held = begin_subsegment("held");
                info_span!("inner").in_scope(leaf);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = endless.instrument(info_span!("endless")) => {}
                () = tokio::task::yield_now() => {}
            }
            in_subsegment("after", || ());
        }
        .in_segment("s")
    });
    job.await;
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.parent_of("held"), "endless");
    assert_eq!(forest.parent_of("inner"), "held");
    assert_eq!(forest.parent_of("after"), "s");
    assert!(forest.entities.values().all(|found| found.json["end_time"].is_number()));
}

/// The warnings of this crate are events too, and come while spans are open.
#[test]
fn our_own_warnings_are_no_causes() {
    let (recorder, delivered) = recorder();
    run(&recorder, || {
        info_span!("span").in_scope(|| {
            error!(target: "xray_runtime", "ours");
            error!(target: "xray_runtime::exporter", "ours");
            info_span!(target: "xray_runtime::exporter", "ours").in_scope(leaf);
        });
    });
    let forest = delivered.complete(&recorder);
    assert!(!forest.one("span").is("fault"));
    assert_eq!(forest.parent_of("leaf"), "span");
    assert_eq!(forest.named("ours").count(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    New,
    Enter(u8),
    /// One of those that are entered, counted from the innermost.
    Exit(u8),
    Close(u8),
    Begin,
    End(u8),
    Segment,
    EndSegment,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::New),
        4 => any::<u8>().prop_map(Step::Enter),
        3 => Just(Step::Exit(0)),
        1 => any::<u8>().prop_map(Step::Exit),
        1 => any::<u8>().prop_map(Step::Close),
        2 => Just(Step::Begin),
        2 => Just(Step::End(0)),
        1 => any::<u8>().prop_map(Step::End),
        1 => Just(Step::Segment),
        1 => Just(Step::EndSegment),
    ];
    prop::collection::vec(step, 0..200)
}

fn of<T>(all: &mut Vec<T>, from_the_end: u8) -> Option<T> {
    let at = all.len().checked_sub(1 + usize::from(from_the_end) % all.len().max(1))?;
    Some(all.remove(at))
}

fn random_program(steps: &[Step], recorder: &Recorder, delivered: &Delivered) {
    let (mut spans, mut entered) = (vec![], vec![]);
    let (mut subsegments, mut segments) = (vec![], vec![]);
    let mut made = 0;
    tracing::dispatcher::with_default(&dispatch(), || {
        recorder.enter(|| {
            let outermost = begin_segment("s");
            for step in steps {
                match step {
                    Step::New => {
                        let recorded = current().is_recorded();
                        spans.push(info_span!("span"));
                        made += u32::from(recorded);
                    }
                    Step::Enter(at) if !spans.is_empty() => {
                        let span: &Span = &spans[usize::from(*at) % spans.len()];
                        entered.push(span.clone().entered());
                    }
                    Step::Exit(at) => drop(of(&mut entered, *at)),
                    Step::Close(at) => drop(of(&mut spans, *at)),
                    Step::Begin => subsegments.push(begin_subsegment("sub")),
                    Step::End(at) => drop(of(&mut subsegments, *at)),
                    Step::Segment if segments.len() < 3 => segments.push(begin_segment("t")),
                    Step::EndSegment => drop(segments.pop()),
                    Step::Enter(_) | Step::Segment => {}
                }
            }
            drop((entered, subsegments, spans));
            while segments.pop().is_some() {}
            outermost.end();
            assert_eq!(current().id(), None);
            // The thread is as good as new.
            in_segment("next", || info_span!("last").in_scope(leaf));
        });
    });
    recorder.flush(SOON);
    let forest = delivered.complete(recorder);
    assert_eq!(forest.named("span").count(), made as usize);
    assert_eq!(forest.parent_of("last"), "next");
    assert_eq!(forest.parent_of("leaf"), "last");
    assert!(forest.entities.values().all(|found| found.json["end_time"].is_number()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is entered, left and ended in whatever order: nothing is lost, every tree is whole, and the thread is free after it.
    #[test]
    fn random_programs(steps in steps(), threshold in prop_oneof![Just(0_usize), Just(3), Just(100)]) {
        let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(threshold));
        random_program(&steps, &recorder, &delivered);
    }
}
