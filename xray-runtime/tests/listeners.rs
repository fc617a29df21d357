//! Listeners are told of what begins and ends, and can do no harm.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use xray_runtime::{
    Captured, FutureExt, NoneSampler, Observed, Recorder, SegmentListener, begin_segment, begin_subsegment,
    current, in_segment, in_subsegment, xray_capture,
};

/// Writes down what it is told.
#[derive(Clone, Debug, Default)]
struct Diary {
    told: Arc<Mutex<Vec<String>>>,
    subsegments: bool,
}

impl Diary {
    fn write(&self, what: &str, observed: &Observed<'_>) {
        let kind = if observed.is_segment() { "segment" } else { "subsegment" };
        let name = observed.name().unwrap_or("?");
        let fault = if observed.is_fault() { " fault" } else { "" };
        let timed = if observed.duration().is_some() { " timed" } else { "" };
        self.told.lock().unwrap().push(format!("{what} {kind} {name}{fault}{timed}"));
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl SegmentListener for Diary {
    fn on_begin(&self, begun: &Observed<'_>) {
        self.write("begun", begun);
        begun.put_annotation("begun", true);
    }

    fn before_end(&self, ending: &Observed<'_>) {
        self.write("ending", ending);
        ending.put_annotation("ending", true);
    }

    fn after_end(&self, ended: &Observed<'_>) {
        self.write("ended", ended);
        ended.put_annotation("ended", true);
    }

    fn hears_subsegments(&self) -> bool {
        self.subsegments
    }
}

fn with(subsegments: bool) -> (Recorder, Captured, Diary) {
    let diary = Diary { subsegments, ..Diary::default() };
    let (recorder, captured) = Recorder::builder().listener(diary.clone()).in_memory().unwrap();
    (recorder, captured, diary)
}

#[xray_capture("step")]
fn step(fail: bool) -> Result<(), std::fmt::Error> {
    if fail { Err(std::fmt::Error) } else { Ok(()) }
}

#[xray_capture("later")]
async fn later() {
    tokio::task::yield_now().await;
}

#[test]
fn of_segments_only_where_nothing_else_was_asked_for() {
    let (recorder, captured, diary) = with(false);
    recorder.enter(|| {
        in_segment("one", || step(true)).unwrap_err();
        in_segment(String::from("two"), || ());
    });
    assert_eq!(
        diary.told(),
        [
            "begun segment one",
            "ending segment one",
            "ended segment one timed",
            "begun segment two",
            "ending segment two",
            "ended segment two timed",
        ]
    );
    let one = captured.segment("one");
    assert_eq!(one.annotation("begun"), Some(true.into()));
    assert_eq!(one.annotation("ending"), Some(true.into()));
    assert_eq!(one.annotation("ended"), None, "too late");
    assert_eq!(one.subsegment("step").annotation("begun"), None);
    let stats = recorder.stats();
    assert_eq!((stats.sent, stats.after_end, stats.listener_panics), (3, 2, 0), "{stats:?}");
}

#[test]
fn of_subsegments_where_one_asks() {
    let (recorder, captured, diary) = with(true);
    recorder.enter(|| {
        let _segment = begin_segment("s");
        step(true).unwrap_err();
        in_subsegment(format!("made at {}", "run time"), || step(false).unwrap());
        assert!(current().id().is_some());
    });
    assert_eq!(
        diary.told(),
        [
            "begun segment s",
            "begun subsegment step",
            "ending subsegment step fault",
            "ended subsegment step fault timed",
            "begun subsegment made at run time",
            "begun subsegment step",
            "ending subsegment step",
            "ended subsegment step timed",
            "ending subsegment made at run time",
            "ended subsegment made at run time timed",
            "ending segment s",
            "ended segment s timed",
        ]
    );
    let segment = captured.segment("s");
    let outer = segment.subsegment("made at run time");
    for entity in [&segment, &segment.subsegment("step"), &outer, &outer.subsegment("step")] {
        assert_eq!(entity.annotation("begun"), Some(true.into()), "{entity:?}");
        assert_eq!(entity.annotation("ending"), Some(true.into()), "{entity:?}");
        assert_eq!(entity.annotation("ended"), None, "{entity:?}");
        assert!(!entity.is_in_progress());
    }
    assert_eq!(segment.subsegments().len(), 2);
}

/// Many, so that chunks grow, are streamed, and are used again.
#[test]
fn nothing_is_missed_of_segments_that_are_streamed() {
    let (recorder, captured, diary) = with(true);
    for _ in 0..3 {
        recorder.enter(|| {
            let _segment = begin_segment("s");
            let open = begin_subsegment("open");
            (0..1_000).for_each(|_| step(false).unwrap());
            open.end();
        });
    }
    let told = diary.told();
    for what in ["begun", "ending", "ended"] {
        assert_eq!(told.iter().filter(|line| line.starts_with(what)).count(), 3 * 1_002, "{what}");
    }
    let stats = recorder.stats();
    assert_eq!(captured.segments().len(), 3);
    let stats = (recorder.stats().sent, stats.dropped(), recorder.stats().pending);
    assert_eq!(stats, (3 * 1_002, 0, 0));
}

#[tokio::test]
async fn of_futures_and_those_that_are_dropped() {
    let (recorder, captured, diary) = with(true);
    let entered = recorder.entered();
    let segment = async {
        later().await;
        let never = std::future::pending::<()>().in_subsegment("never");
        tokio::select! {
            biased;
            () = never => {}
            () = later() => {}
        }
    }
    .in_segment("s");
    drop(entered);
    segment.await;
    let mut told = diary.told();
    assert_eq!(told.len(), 12, "{told:?}");
    assert_eq!(told.first().unwrap(), "begun segment s");
    assert_eq!(told.pop().unwrap(), "ended segment s timed");
    assert!(told.contains(&"ended subsegment never timed".into()), "{told:?}");
    let never = captured.segment("s").subsegment("never");
    assert_eq!(never.annotation("cancelled"), Some(true.into()));
    assert_eq!(never.annotation("ending"), Some(true.into()));
}

#[test]
fn of_subsegments_that_end_on_another_thread_or_out_of_order() {
    let (recorder, captured, diary) = with(true);
    recorder.enter(|| {
        let segment = begin_segment("s");
        let (outer, inner) = (begin_subsegment("outer"), begin_subsegment("inner"));
        outer.end();
        inner.end();
        let elsewhere = begin_subsegment("elsewhere");
        std::thread::spawn(move || elsewhere.end()).join().unwrap();
        segment.end();
    });
    let told = diary.told();
    for what in ["begun", "ending", "ended"] {
        assert_eq!(told.iter().filter(|line| line.starts_with(what)).count(), 4, "{told:?}");
    }
    assert_eq!(captured.entity("elsewhere").annotation("ending"), Some(true.into()));
    assert_eq!(captured.entity("outer").annotation("ending"), Some(true.into()));
}

#[test]
fn of_what_is_not_recorded_nobody_is_told() {
    let diary = Diary { subsegments: true, ..Diary::default() };
    let (recorder, captured) =
        Recorder::builder().sampler(NoneSampler).listener(diary.clone()).in_memory().unwrap();
    recorder.enter(|| in_segment("s", || step(true)).unwrap_err());
    assert!(diary.told().is_empty());
    assert!(captured.documents().is_empty());
}

/// Takes its time, and says when it began.
#[derive(Debug)]
struct Slow(Duration);

impl SegmentListener for Slow {
    fn before_end(&self, ending: &Observed<'_>) {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        ending.put_metadata("began", began.as_secs_f64());
        std::thread::sleep(self.0);
    }

    fn hears_subsegments(&self) -> bool {
        true
    }
}

#[test]
fn what_listeners_take_is_not_the_entitys() {
    let takes = Duration::from_millis(50);
    let (recorder, captured) = Recorder::builder().listener(Slow(takes)).in_memory().unwrap();
    recorder.enter(|| {
        let segment = begin_segment("s");
        step(false).unwrap();
        segment.end();
    });
    let segment = captured.segment("s");
    for entity in [&segment, &segment.subsegment("step")] {
        let began = entity.metadata("default", "began").and_then(|at| at.as_f64()).unwrap();
        let ended = entity.json()["end_time"].as_f64().unwrap();
        // The readings of two clocks.
        assert!(ended < began + takes.as_secs_f64() / 2.0, "{ended} {began}");
    }
}
