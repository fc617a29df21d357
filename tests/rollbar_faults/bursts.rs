//! Floods: the books are right at every moment.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rollbar_runtime::{Level, Report, Rollbar};
use xray_console::rollbar::Fault;

use crate::accounts::{assert_adds_up, settled};
use crate::support::{LONG, Local};

const LEVELS: [Level; 5] = [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical];

/// Eight threads report 50,000 errors while another one looks at the books.
fn flood(rollbar: &Rollbar) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                scope.spawn(move || {
                    rollbar.enter(|| {
                        for n in 0..50_000 / 8 {
                            // Some texts over and over, the others distinct.
                            let text = if n % 3 == 0 { "again".to_owned() } else { format!("{thread}: {n}") };
                            let error = std::io::Error::other(text);
                            let report = Report::error(&error).level(LEVELS[n % 5]).backtrace(false);
                            // Of these none stands for another.
                            let alone = n % 3 == 1;
                            if alone { report.fingerprint(format!("{thread}: {n}")) } else { report }.send();
                        }
                    });
                })
            })
            .collect();
        scope.spawn(|| {
            let mut before = rollbar.stats();
            while !over.load(Ordering::Relaxed) {
                let stats = rollbar.stats();
                assert_adds_up(&stats);
                assert!(stats.sent >= before.sent && stats.coalesced >= before.coalesced);
                assert!(stats.dropped() >= before.dropped());
                before = stats;
                let flushed = rollbar.flush(Duration::ZERO);
                assert!(flushed.sent <= 100_000 && flushed.dropped <= 100_000, "{flushed:?}");
            }
        });
        let joined: Vec<_> = threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        joined.into_iter().for_each(|thread| thread.unwrap());
    });
}

#[test]
fn a_flood_to_a_slow_service() {
    let local = Local::new();
    for _ in 0..40 {
        local.double().inject(Fault { slow_read_ms: 20, ..Fault::default() });
    }
    let rollbar = local.builder().queue(2_000, 8 << 20).build().unwrap();
    flood(&rollbar);
    let stats = settled(&rollbar);
    assert_adds_up(&stats);
    assert_eq!(stats.pending, 0);
    // Its own notes of what was lost are reports as well.
    assert!((50_000..50_010).contains(&stats.reported), "{stats:#?}");
    assert_eq!(local.double().stats().occurrences, stats.sent);
    assert_eq!(stats.dropped(), stats.dropped_queue_full);
    assert!(stats.coalesced > 0 && stats.dropped_queue_full > 0, "{stats:#?}");
}

#[test]
fn a_flood_that_is_all_lost() {
    for (fault, retries) in [
        (Fault { status: Some(422), ..Fault::default() }, 0),
        (Fault { status: Some(503), ..Fault::default() }, 0),
        (Fault { status: Some(401), slow_read_ms: 300, ..Fault::default() }, 3),
    ] {
        let local = Local::always(fault);
        let rollbar = local.builder().retries(retries).queue(1_000, 8 << 20).build().unwrap();
        flood(&rollbar);
        let stats = settled(&rollbar);
        assert_adds_up(&stats);
        assert_eq!((stats.pending, stats.sent, stats.coalesced), (0, 0, 0), "{stats:#?}");
        assert_eq!(stats.dropped(), stats.reported);
        // What was lost with an item is told by the flush that saw it, not subtracted from what was sent.
        assert_eq!(rollbar.flush(LONG).sent, 0);
    }
}

#[test]
fn a_flood_that_a_hook_holds_back() {
    let local = Local::new();
    // Every other one that reaches it, whatever its level: a queue that is full may let through the critical ones alone.
    let seen = AtomicU64::new(0);
    let rollbar = local
        .builder()
        .queue(1_000, 8 << 20)
        .transform(move |_| seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(2))
        .build()
        .unwrap();
    flood(&rollbar);
    let stats = settled(&rollbar);
    assert_adds_up(&stats);
    assert_eq!(stats.pending, 0);
    assert!((50_000..50_010).contains(&(stats.reported + stats.filtered)), "{stats:#?}");
    assert!(stats.filtered > 0, "{stats:#?}");
    assert_eq!(local.double().stats().occurrences, stats.sent);
}

/// The end comes while threads report: each occurrence is sent or counted.
#[test]
fn a_flood_while_the_client_ends() {
    for _ in 0..20 {
        let local = Local::new();
        let guard = local.builder().shutdown_timeout(Duration::from_millis(5)).install().unwrap();
        let reported = AtomicU64::new(0);
        let over = AtomicBool::new(false);
        let kept = guard.rollbar().clone();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (kept, reported, over) = (&kept, &reported, &over);
                scope.spawn(move || {
                    kept.enter(|| {
                        while !over.load(Ordering::Relaxed) {
                            Report::message(format!("{thread}"), Level::Error).send();
                            reported.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                });
            }
            while reported.load(Ordering::Relaxed) < 500 {
                std::thread::yield_now();
            }
            drop(guard);
            let _ = kept.flush(Duration::from_millis(1));
            over.store(true, Ordering::Relaxed);
        });
        let stats = settled(&kept);
        assert_adds_up(&stats);
        assert_eq!(stats.pending, 0, "{stats:#?}");
    }
}
