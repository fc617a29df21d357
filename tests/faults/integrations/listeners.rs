use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use xray_runtime::{
    Observed, Recorder, SegmentListener, begin_segment, begin_subsegment, current, in_segment, in_subsegment,
};

use crate::support::{SOON, recorder_with};

/// Panics wherever it can.
#[derive(Debug)]
struct Panics {
    asked: bool,
}

impl SegmentListener for Panics {
    fn on_begin(&self, _: &Observed<'_>) {
        panic!("on begin");
    }

    fn before_end(&self, _: &Observed<'_>) {
        panic!("before end");
    }

    fn after_end(&self, _: &Observed<'_>) {
        std::panic::panic_any(7);
    }

    fn hears_subsegments(&self) -> bool {
        assert!(self.asked, "asked");
        true
    }
}

#[test]
fn one_that_panics_harms_nobody_and_is_counted() {
    // That which panics when it is asked hears of segments only.
    for (asked, panics) in [(true, 3 * 3), (false, 3)] {
        let (recorder, documents) = recorder_with(|builder| builder.listener(Panics { asked }));
        recorder.enter(|| {
            let _segment = begin_segment("s");
            in_subsegment("one", || ());
            in_subsegment("two", || ());
        });
        let forest = documents.complete(&recorder);
        assert_eq!(forest.entities.len(), 3);
        let stats = recorder.stats();
        assert_eq!(stats.listener_panics, panics, "{stats:?}");
        assert!(forest.entities.values().all(|found| found.json.get("cause").is_none()), "{forest:?}");
    }
}

#[test]
fn nor_while_the_program_panics_itself() {
    let (recorder, documents) = recorder_with(|builder| builder.listener(Panics { asked: true }));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        recorder.enter(|| {
            let _segment = begin_segment("s");
            let _step = begin_subsegment("step");
            panic!("of the program");
        })
    }));
    assert!(caught.is_err());
    let forest = documents.complete(&recorder);
    assert_eq!(recorder.stats().listener_panics, 6);
    for name in ["s", "step"] {
        let json = &forest.one(name).json;
        assert_eq!(json["fault"], true, "{json}");
    }
    let text = format!("{forest:?}");
    assert!(text.contains("of the program"), "the cause is the program's panic: {text}");
    for of_listener in ["on begin", "before end", "Box<dyn Any>"] {
        assert!(!text.contains(of_listener), "{of_listener} is no cause of the program's: {text}");
    }
}

/// Records by itself, and leaves things open.
#[derive(Debug, Default)]
struct Records(Arc<AtomicU64>);

impl Records {
    fn record(&self) {
        self.0.fetch_add(1, Relaxed);
        in_subsegment("of the listener", || current().put_annotation("k", 1));
        in_segment("a segment of the listener", || in_subsegment("below it", || ()));
        std::mem::forget(begin_subsegment("forgotten"));
    }
}

impl SegmentListener for Records {
    fn on_begin(&self, _: &Observed<'_>) {
        self.record();
    }

    fn before_end(&self, ending: &Observed<'_>) {
        self.record();
        ending.put_annotation("seen", true);
    }

    fn after_end(&self, _: &Observed<'_>) {
        self.record();
    }

    fn hears_subsegments(&self) -> bool {
        true
    }
}

#[test]
fn one_that_records_is_told_of_nothing_of_its_own() {
    let told = Arc::new(AtomicU64::new(0));
    let listener = Records(Arc::clone(&told));
    let (recorder, documents) =
        recorder_with(|builder| builder.listener(listener).open_children_patience(std::time::Duration::ZERO));
    recorder.enter(|| {
        let segment = begin_segment("s");
        in_subsegment("step", || {
            current().put_annotation("mine", true);
            in_subsegment("deeper", || assert!(current().is_recorded()));
        });
        segment.end();
    });
    assert_eq!(told.load(Relaxed), 3 * 3, "begun, ending and ended of the program's own three");
    // What was left open holds its segment up for its patience only.
    let mut found = documents.flushed(&recorder);
    while !found.iter().any(|document| document["name"] == "s") {
        found.push(documents.next());
    }
    let text = serde_json::to_string(&found).unwrap();
    assert!(text.contains("\"mine\":true"));
    let step = find(&found, "step").unwrap();
    assert_eq!(step["annotations"]["seen"], true);
    assert!(find(&found, "deeper").is_some());
    assert_eq!(recorder.stats().listener_panics, 0);
}

fn find(documents: &[serde_json::Value], name: &str) -> Option<serde_json::Value> {
    documents.iter().find_map(|document| {
        if document["name"] == name {
            return Some(document.clone());
        }
        find(document["subsegments"].as_array().map_or(&[], Vec::as_slice), name)
    })
}

/// Counts, and flushes the recorder that it hears.
#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    ended: AtomicU64,
}

#[derive(Debug)]
struct Shared(Arc<Counts>);

impl SegmentListener for Shared {
    fn on_begin(&self, _: &Observed<'_>) {
        self.0.begun.fetch_add(1, Relaxed);
    }

    fn after_end(&self, ended: &Observed<'_>) {
        assert!(ended.name().is_some());
        self.0.ended.fetch_add(1, Relaxed);
    }

    fn hears_subsegments(&self) -> bool {
        true
    }
}

#[test]
fn of_many_threads_nothing_is_missed() {
    let counts = Arc::new(Counts::default());
    let listener = Shared(Arc::clone(&counts));
    let (recorder, documents) = recorder_with(|builder| builder.listener(listener));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                recorder.enter(|| {
                    for _ in 0..200 {
                        let _segment = begin_segment("s");
                        for _ in 0..5 {
                            in_subsegment("one", || in_subsegment("two", || ()));
                        }
                    }
                })
            });
        }
    });
    let forest = documents.complete(&recorder);
    let all = 4 * 200 * 11;
    assert_eq!(forest.entities.len() as u64, all);
    assert_eq!((counts.begun.load(Relaxed), counts.ended.load(Relaxed)), (all, all));
    assert_eq!(recorder.stats().listener_panics, 0);
}

#[derive(Debug)]
struct Flushes(std::sync::Mutex<Option<Recorder>>);

impl SegmentListener for Flushes {
    fn after_end(&self, _: &Observed<'_>) {
        if let Some(recorder) = &*self.0.lock().unwrap() {
            recorder.flush(SOON);
        }
    }
}

#[derive(Debug)]
struct Given(Arc<Flushes>);

impl SegmentListener for Given {
    fn after_end(&self, ended: &Observed<'_>) {
        self.0.after_end(ended);
    }
}

#[test]
fn one_that_flushes_its_recorder_locks_nothing() {
    let flushes = Arc::new(Flushes(std::sync::Mutex::new(None)));
    let listener = Given(Arc::clone(&flushes));
    let (recorder, documents) = recorder_with(|builder| builder.listener(listener));
    *flushes.0.lock().unwrap() = Some(recorder.clone());
    (0..3).for_each(|_| recorder.begin_segment("s").end());
    assert_eq!(documents.complete(&recorder).entities.len(), 3);
    // It holds the recorder, which holds it.
    *flushes.0.lock().unwrap() = None;
}
