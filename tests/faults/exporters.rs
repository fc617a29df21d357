use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use xray_runtime::{AllSampler, Batch, DropCause, Exporter, Recorder, Stats, begin_segment, in_subsegment};

use crate::support::{SOON, recorder, recorder_with};

fn exporting(exporter: impl Exporter + 'static, queue_bytes: usize) -> Recorder {
    let builder = Recorder::builder().service("s").sampler(AllSampler).exporter(exporter);
    builder.queue_bytes(queue_bytes).build().unwrap()
}

#[track_caller]
fn assert_adds_up(stats: &Stats, recorded: u64) {
    assert_eq!(stats.recorded, recorded, "{stats:?}");
    assert_eq!(stats.sent + stats.dropped() + stats.pending, recorded, "{stats:?}");
}

#[derive(Debug)]
struct Panics {
    every: usize,
    calls: usize,
}

impl Exporter for Panics {
    fn export(&mut self, _: &mut Batch) {
        self.calls += 1;
        assert!(!self.calls.is_multiple_of(self.every), "an exporter of the user's");
    }

    fn flush(&mut self) {
        panic!("its flush too");
    }
}

#[test]
fn an_exporter_that_panics_costs_its_batch_only() {
    let recorder = exporting(Panics { every: 2, calls: 0 }, usize::MAX);
    for _ in 0..10 {
        recorder.begin_segment("s").end();
        recorder.flush(SOON);
    }
    let stats = recorder.stats();
    assert_adds_up(&stats, 10);
    assert_eq!((stats.sent, stats.dropped_exporter_panicked), (5, 5), "{stats:?}");
}

/// Waits for a word before each batch.
#[derive(Debug)]
struct Blocks {
    entered: Sender<usize>,
    go: Arc<Mutex<Receiver<()>>>,
}

impl Exporter for Blocks {
    fn export(&mut self, batch: &mut Batch) {
        let _ = self.entered.send(batch.len());
        // An error: the test is over.
        let _ = self.go.lock().unwrap().recv();
    }
}

fn blocking(queue_bytes: usize) -> (Recorder, Receiver<usize>, Sender<()>) {
    let (entered, has_entered) = channel();
    let (release, go) = channel();
    (exporting(Blocks { entered, go: Arc::new(Mutex::new(go)) }, queue_bytes), has_entered, release)
}

#[test]
fn a_flush_keeps_its_deadline_where_the_exporter_blocks() {
    let (recorder, entered, release) = blocking(usize::MAX);
    recorder.begin_segment("s").end();
    entered.recv_timeout(SOON).unwrap();
    (0..3).for_each(|_| recorder.begin_segment("s").end());
    let begun = Instant::now();
    // The exporter goes on at the end of the test only: a flush that waited for it would never return.
    let flushed = recorder.flush(Duration::from_millis(50));
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!((flushed.sent, flushed.pending), (0, 4), "what is queued is pending");
    assert_eq!(recorder.flush(Duration::ZERO).pending, 4);
    assert_adds_up(&recorder.stats(), 4);
    drop(release);
    assert_eq!(recorder.flush(Duration::MAX).pending, 0);
    assert_adds_up(&recorder.stats(), 4);
    assert_eq!(recorder.stats().sent, 4);
}

#[tokio::test]
async fn a_flush_that_is_awaited_does_not_block_the_thread() {
    let (recorder, entered, release) = blocking(usize::MAX);
    recorder.begin_segment("s").end();
    entered.recv_timeout(SOON).unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(20), recorder.flush_async()).await;
    assert!(waited.is_err());
    drop(release);
    // Several at once, one of which gives up.
    let (first, second) = tokio::join!(recorder.flush_async(), recorder.flush_async());
    assert_eq!((first.pending, second.pending), (0, 0));
    assert_eq!(recorder.stats().sent, 1);
}

#[test]
fn a_slow_exporter_fills_the_queue_and_every_loss_is_counted() {
    let (recorder, entered, release) = blocking(64 << 10);
    recorder.begin_segment("s").end();
    entered.recv_timeout(SOON).unwrap();
    // A caller that waited for the exporter would never get past this: it goes on below.
    for _ in 0..2_000 {
        recorder.enter(|| {
            let _segment = begin_segment("s");
            in_subsegment("child", || ());
        });
    }
    let stats = recorder.stats();
    assert_adds_up(&stats, 4_001);
    assert!(stats.dropped_queue_full > 3_000 && stats.pending > 10, "{stats:?}");
    drop(release);
    recorder.flush(SOON);
    let after = recorder.stats();
    assert_adds_up(&after, 4_001);
    assert_eq!((after.pending, after.dropped_queue_full), (0, stats.dropped_queue_full), "{after:?}");
}

#[test]
fn a_queue_of_no_bytes_drops_all_and_counts_it() {
    for bytes in [0, 1, 500] {
        let (recorder, delivered) =
            recorder_with(|builder| builder.queue_bytes(bytes).streaming_threshold(1));
        recorder.enter(|| {
            let _segment = begin_segment("s");
            (0..10).for_each(|_| in_subsegment("child", || ()));
        });
        assert!(delivered.flushed(&recorder).is_empty());
        let stats = recorder.stats();
        assert_adds_up(&stats, 11);
        assert_eq!(stats.dropped_queue_full, 11);
    }
}

#[derive(Debug)]
struct FailsSome;

impl Exporter for FailsSome {
    fn export(&mut self, batch: &mut Batch) {
        for index in (0..batch.len()).step_by(2) {
            batch.fail(index, DropCause::SendFailed);
        }
        batch.fail(usize::MAX, DropCause::TooLarge);
    }
}

#[test]
fn what_an_exporter_fails_is_counted_by_cause() {
    let recorder = exporting(FailsSome, usize::MAX);
    for _ in 0..10 {
        recorder.enter(|| {
            let _segment = begin_segment("s");
            in_subsegment("child", || ());
        });
        recorder.flush(SOON);
    }
    let stats = recorder.stats();
    assert_adds_up(&stats, 20);
    assert_eq!(stats.dropped_send_failed, 20);
}

#[test]
fn a_segment_arrives_without_a_flush() {
    let (recorder, delivered) = recorder();
    for _ in 0..200 {
        recorder.begin_segment("s").end();
        // A thread that nobody wakes rests for longer than this waits.
        assert_eq!(delivered.next()["name"], "s");
    }
}

#[test]
fn segments_of_many_threads_arrive_without_a_flush() {
    let (recorder, delivered) = recorder();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for n in 0..200 {
                    recorder.begin_segment("s").end();
                    if n % 10 == 0 {
                        std::thread::yield_now();
                    }
                }
            });
        }
        for _ in 0..1_600 {
            delivered.next();
        }
    });
}

#[test]
fn a_recorder_that_is_dropped_sends_what_is_queued() {
    for _ in 0..50 {
        let (recorder, delivered) = recorder();
        (0..20).for_each(|_| recorder.begin_segment("s").end());
        drop(recorder);
        // Until the exporter is gone.
        let mut count = 0;
        while delivered.0.recv_timeout(SOON).is_ok() {
            count += 1;
        }
        assert_eq!(count, 20);
    }
}

#[test]
fn a_segment_that_outlives_its_recorder_is_sent() {
    let (recorder, delivered) = recorder();
    let segment = recorder.begin_segment("s");
    drop(recorder);
    in_subsegment("child", || ());
    segment.end();
    assert_eq!(delivered.next()["subsegments"][0]["name"], "child");
}
