//! The exporter's thread is never left asleep beside a full queue: every interleaving of the words that it and its callers
//! exchange, by loom.
//!
//! `sleep.rs` is the runtime's own file. The queue is a counter and the thread's loop is written here as in `worker.rs`: its waits
//! with a timeout are left out, as they must not be needed. loom knows SeqCst for fences only, so that each SeqCst access
//! is an access with a fence on the side that the other access of the same thread stands on.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

#[path = "../../xray-runtime/src/exporter/sleep.rs"]
mod sleep;

use sleep::Sleep;
use sync::Ordering;

mod sync {
    pub(crate) use loom::sync::atomic::Ordering;
    use loom::sync::atomic::fence;

    #[derive(Debug)]
    pub(crate) struct AtomicU32(loom::sync::atomic::AtomicU32);

    impl AtomicU32 {
        pub(crate) fn new(value: u32) -> Self {
            Self(loom::sync::atomic::AtomicU32::new(value))
        }

        pub(crate) fn load(&self, order: Ordering) -> u32 {
            assert_eq!(order, Ordering::SeqCst, "anything weaker loses a wake-up");
            fence(Ordering::SeqCst);
            self.0.load(Ordering::Acquire)
        }

        pub(crate) fn store(&self, value: u32, order: Ordering) {
            assert_eq!(order, Ordering::SeqCst, "anything weaker loses a wake-up");
            self.0.store(value, Ordering::Release);
            fence(Ordering::SeqCst);
        }
    }
}

struct Shared {
    sleep: Sleep,
    queue: AtomicUsize,
}

/// `callers` threads queue one shipment each; the thread must see them all. A lost wake-up is a deadlock, which loom reports.
fn model(callers: usize) {
    let mut checker = loom::model::Builder::new();
    // All interleavings of one caller; of two, those with at most two involuntary switches: more take hours.
    checker.preemption_bound = (callers > 1).then_some(2);
    checker.check(move || {
        let shared = Arc::new(Shared { sleep: Sleep::new(), queue: AtomicUsize::new(0) });
        // Awake, as it is once the first shipment has started it.
        shared.sleep.awake();
        let exporter = thread::spawn({
            let shared = Arc::clone(&shared);
            move || run(&shared, callers)
        });
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                let (shared, exporter) = (Arc::clone(&shared), exporter.thread().clone());
                thread::spawn(move || {
                    shared.queue.fetch_add(1, Ordering::AcqRel);
                    if shared.sleep.is_asleep() {
                        shared.sleep.awake();
                        exporter.unpark();
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        exporter.join().unwrap();
    });
}

fn run(shared: &Shared, expected: usize) {
    let mut seen = 0;
    loop {
        shared.sleep.awake();
        seen += shared.queue.swap(0, Ordering::AcqRel);
        if seen == expected {
            return;
        }
        shared.sleep.fall_asleep();
        if shared.queue.load(Ordering::Acquire) != 0 {
            continue;
        }
        thread::park();
    }
}

#[test]
fn one_caller_never_finds_the_thread_asleep_for_good() {
    model(1);
}

#[test]
fn two_callers_never_find_the_thread_asleep_for_good() {
    model(2);
}

/// One round of the thread beside one caller: what was queued is seen, or the caller sees that it must wake the thread.
fn one_round(looks_again: bool) {
    loom::model(move || {
        let shared = Arc::new((Sleep::new(), AtomicUsize::new(0)));
        shared.0.awake();
        let caller = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.1.fetch_add(1, Ordering::AcqRel);
                shared.0.is_asleep()
            }
        });
        let mut seen = shared.1.load(Ordering::Acquire);
        shared.0.fall_asleep();
        if looks_again {
            seen = shared.1.load(Ordering::Acquire);
        }
        let wakes = caller.join().unwrap();
        assert!(seen == 1 || wakes, "left behind");
    });
}

#[test]
fn the_last_look_or_the_caller_sees() {
    one_round(true);
}

/// The model can tell: without the last look a shipment is left.
#[test]
#[should_panic = "left behind"]
fn without_the_last_look_a_wake_up_is_lost() {
    one_round(false);
}
