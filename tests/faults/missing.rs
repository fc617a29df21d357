//! What happens where no segment is current. One test, alone in its process: the strategy is that of the installed recorder.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use xray_runtime::{ContextMissing, Recorder, RecorderGuard, begin_subsegment, xray_capture};

/// Keeps the messages of our warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Visit for Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "xray_runtime"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[xray_capture("alone")]
fn captured() -> u32 {
    7
}

fn installed(strategy: ContextMissing) -> RecorderGuard {
    Recorder::builder().service("s").context_missing(strategy).install().unwrap()
}

/// On a thread of its own: a thread does not ask twice.
fn on_a_thread(f: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        scope.spawn(&f).join().unwrap();
    });
}

fn call_a_lot() {
    for _ in 0..100 {
        assert_eq!(captured(), 7);
        begin_subsegment("alone").end();
    }
}

struct CallsOnDrop;

impl Drop for CallsOnDrop {
    fn drop(&mut self) {
        captured();
    }
}

#[test]
fn each_strategy_does_what_it_says() {
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let written = || warnings.0.lock().unwrap().len();

    on_a_thread(call_a_lot);
    assert_eq!(written(), 0, "with no recorder");

    let guard = installed(ContextMissing::IgnoreError);
    on_a_thread(call_a_lot);
    assert_eq!(written(), 0);
    drop(guard);

    let guard = installed(ContextMissing::LogError);
    for _ in 0..5 {
        on_a_thread(call_a_lot);
    }
    assert_eq!(written(), 1, "one a minute");
    let text = warnings.0.lock().unwrap()[0].clone();
    assert!(text.contains("`alone`") && text.contains("AWS_XRAY_CONTEXT_MISSING"), "{text}");
    assert_eq!(guard.stats().context_missing_warnings, 1);
    drop(guard);

    let guard = installed(ContextMissing::RuntimeError);
    on_a_thread(|| {
        let panic = catch_unwind(captured).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("no X-Ray segment is current") && text.contains("`alone`"), "{text}");
    });
    on_a_thread(|| {
        // While a panic unwinds a second one would abort the program.
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _calls = CallsOnDrop;
            std::panic::panic_any("the program's own");
        }));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"the program's own"));
    });
    on_a_thread(|| {
        // Within a segment nothing is missing, sampled or not.
        for sampler in [true, false] {
            let recorder = Recorder::builder()
                .service("s")
                .exporter(xray_runtime::JsonLinesExporter::new(std::io::sink()));
            let recorder = if sampler {
                recorder.sampler(xray_runtime::AllSampler)
            } else {
                recorder.sampler(xray_runtime::NoneSampler)
            };
            let _segment = recorder.build().unwrap().begin_segment("s");
            assert_eq!(captured(), 7);
        }
    });
    drop(guard);
    on_a_thread(call_a_lot);

    assert_eq!(written(), 1, "a program without a recorder is left alone");
}
