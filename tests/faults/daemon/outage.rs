//! Outages that would take a test minutes: on a virtual clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::sleep;
use xray_daemon::relay::RelaySettings;
use xray_daemon::upstream::{Cause, Verdict};

use crate::clocked::{Reply, Rig};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const SECOND: Duration = seconds(1);

/// The longest pause between calls, as the relay has it.
const LONGEST_PAUSE: Duration = seconds(30);

const OUTAGE: std::ops::Range<Duration> = seconds(10)..seconds(310);

fn down_for_five_minutes(at: Duration) -> Reply {
    if OUTAGE.contains(&at) { Reply::retry(Cause::ConnectionRefused) } else { Reply::Take }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn five_minutes_without_an_upstream_lose_nothing() {
    let mut rig = Rig::new(RelaySettings::default(), |at, _| down_for_five_minutes(at));
    for _ in 0..350 {
        rig.push(50, 700);
        sleep(SECOND).await;
        rig.stats();
    }
    // Before any shutdown: it found out by itself, a pause after the end at the latest.
    let stats = rig.stats();
    assert_eq!((stats.pending, stats.failing), (0, false), "{stats:?}");
    let calls = rig.calls();
    let during = calls.iter().filter(|call| OUTAGE.contains(&call.at)).count();
    assert!((10..=30).contains(&during), "a call now and then, not a flood: {during}");
    let back = calls.iter().find(|call| call.at >= OUTAGE.end).unwrap().at;
    assert!(back <= OUTAGE.end + LONGEST_PAUSE, "{back:?}");
    assert_eq!(stats.failed_calls, during as u64);
    assert_eq!(stats.errors.connection_refused_count, 1, "one batch failed, again and again: {stats:?}");
    let (stats, taken) = rig.end(SECOND).await;
    assert_eq!((stats.sent, stats.dropped.total()), (350 * 50, 0));
    assert_eq!(taken, (0..350 * 50).collect::<Vec<_>>(), "in the order in which they came");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_outage_beyond_the_bound_keeps_the_newest() {
    let settings = RelaySettings { buffer_bytes: 1 << 20, ..RelaySettings::default() };
    let mut rig = Rig::new(settings, |at, _| down_for_five_minutes(at));
    let mut fullest = 0;
    for _ in 0..350 {
        rig.push(50, 700);
        sleep(SECOND).await;
        fullest = fullest.max(rig.stats().queue_bytes);
    }
    assert!((700_000..=1 << 20).contains(&fullest), "the bound is used and kept: {fullest}");
    let (stats, taken) = rig.end(SECOND).await;
    assert_eq!(stats.dropped.memory, stats.dropped.total());
    assert_eq!(stats.sent + stats.dropped.memory, 350 * 50);
    // Of those that came in the outage: what came first is missing, in one piece.
    let missing: Vec<usize> = (0..350 * 50).filter(|number| taken.binary_search(number).is_err()).collect();
    assert_eq!(missing.len() as u64, stats.dropped.memory);
    assert!(missing.windows(2).all(|pair| pair[0] + 1 == pair[1]), "the oldest of the outage");
    assert!(missing.len() > 200 * 50 && missing[0] >= 9 * 50 && missing[0] <= 11 * 50, "{}", missing[0]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_upstream_that_is_back_when_the_daemon_ends_gets_all() {
    let back = Arc::new(AtomicBool::new(false));
    let is_back = back.clone();
    let mut rig = Rig::new(RelaySettings::default(), move |_, _| {
        if is_back.load(Relaxed) { Reply::Take } else { Reply::retry(Cause::ConnectionRefused) }
    });
    rig.push(50, 700);
    // The pauses are at least 15 s by now, and one has just begun: the next call would come after the grace.
    while rig.calls().len() < 12 {
        sleep(SECOND).await;
    }
    back.store(true, Relaxed);
    let (stats, _) = rig.end(seconds(8)).await;
    assert_eq!((stats.sent, stats.dropped.shutdown), (50, 0), "the last chance is taken: {stats:?}");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_hangs_leaves_room_for_what_comes() {
    let settings = RelaySettings { buffer_bytes: 3 << 20, concurrency: 64 };
    let mut rig = Rig::new(settings, |_, _| Reply::Hang);
    let mut fullest = 0;
    for _ in 0..200 {
        rig.push(50, 2_000);
        tokio::task::yield_now().await;
        fullest = fullest.max(rig.stats().queue_bytes);
    }
    let stats = rig.stats();
    // Calls under way count with their requests; one request may pass the bound.
    assert!(fullest <= (3 << 20) + 50 * 2_010, "{fullest} bytes are held where 3 MiB may be");
    assert!(stats.dropped.memory > 0 && stats.queue_batches > 5, "the newest wait: {stats:?}");
    let (stats, _) = rig.end(seconds(8)).await;
    assert_eq!(stats.dropped.memory + stats.dropped.shutdown, 200 * 50);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_is_unanswered_is_lost_one_batch_at_a_time() {
    // 20 s without answers, each noticed after 2 s; then all is well.
    let mut rig = Rig::new(RelaySettings::default(), |at, _| {
        let lost = Reply::Fail(Cause::Timeout, Verdict::Unanswered);
        if at < seconds(20) { Reply::After(seconds(2), Box::new(lost)) } else { Reply::Take }
    });
    for _ in 0..100 {
        rig.push(50, 700);
        sleep(SECOND).await;
    }
    let calls = rig.calls();
    let during = calls.iter().filter(|call| call.at < seconds(20)).count();
    let (stats, taken) = rig.end(seconds(8)).await;
    assert_eq!(stats.dropped.unanswered, 50 * during as u64, "never sent again");
    assert_eq!(stats.dropped.unanswered, stats.dropped.total());
    assert!(during <= 10, "while it does not answer one call at a time finds out: {during}");
    assert_eq!(taken.len() as u64, stats.sent);
}
