//! The relay, with upstreams of this process and a clock that jumps.

#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::time::{Instant, sleep};
use xray_daemon::batch::{BATCH_DOCUMENTS, Batch, OpenBatch};
use xray_daemon::relay::{Relay, RelaySettings, RelayStats};
use xray_daemon::upstream::{Cause, Failure, Receipt, Unprocessed, Upstream, Verdict};

/// What an upstream does with a batch.
#[derive(Debug, Clone)]
enum Act {
    Take,
    TakeAfter(Duration),
    /// Takes it, but names so many of its documents as unprocessed.
    Unprocessed(usize),
    Fail(Cause, Verdict),
    Panic,
}

/// Does what it is told, once each, and then what it is told last.
struct Scripted {
    acts: Mutex<VecDeque<Act>>,
    last: Mutex<Act>,
    /// Documents that it took, with how often.
    taken: Mutex<HashMap<Vec<u8>, usize>>,
    order: Mutex<Vec<Vec<u8>>>,
    calls: Mutex<Vec<Instant>>,
    under_way: Mutex<(usize, usize)>,
}

impl Scripted {
    fn new(acts: impl IntoIterator<Item = Act>, last: Act) -> Arc<Self> {
        Arc::new(Self {
            acts: Mutex::new(acts.into_iter().collect()),
            last: Mutex::new(last),
            taken: Mutex::default(),
            order: Mutex::default(),
            calls: Mutex::default(),
            under_way: Mutex::default(),
        })
    }

    fn keeps_to(&self, act: Act) {
        *self.last.lock().unwrap() = act;
    }

    fn calls(&self) -> Vec<Instant> {
        self.calls.lock().unwrap().clone()
    }

    fn take(&self, batch: &Batch) {
        for document in batch.documents() {
            *self.taken.lock().unwrap().entry(document.to_vec()).or_default() += 1;
            self.order.lock().unwrap().push(document.to_vec());
        }
    }

    /// Documents that it took, and how many of them more than once.
    fn taken(&self) -> (usize, usize) {
        let taken = self.taken.lock().unwrap();
        (taken.len(), taken.values().filter(|times| **times > 1).count())
    }

    fn most_under_way(&self) -> usize {
        self.under_way.lock().unwrap().1
    }
}

struct Handle(Arc<Scripted>);

impl Upstream for Handle {
    fn name(&self) -> &str {
        "scripted"
    }

    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Receipt, Failure>> {
        async move {
            let upstream = &self.0;
            upstream.calls.lock().unwrap().push(Instant::now());
            {
                let mut under_way = upstream.under_way.lock().unwrap();
                under_way.0 += 1;
                under_way.1 = under_way.1.max(under_way.0);
            }
            let next = upstream.acts.lock().unwrap().pop_front();
            let act = next.unwrap_or_else(|| upstream.last.lock().unwrap().clone());
            let result = match act {
                Act::Take => {
                    upstream.take(batch);
                    Ok(Receipt::default())
                }
                Act::TakeAfter(time) => {
                    upstream.take(batch);
                    sleep(time).await;
                    Ok(Receipt::default())
                }
                Act::Unprocessed(count) => {
                    upstream.take(batch);
                    Ok(Receipt { unprocessed: vec![Unprocessed::default(); count] })
                }
                Act::Fail(cause, verdict) => Err(Failure { cause, verdict, message: "as told".into() }),
                Act::Panic => panic!("as told"),
            };
            upstream.under_way.lock().unwrap().0 -= 1;
            result
        }
        .boxed()
    }
}

const RETRY: Act = Act::Fail(Cause::Http5xx, Verdict::Retry { after: None });

fn start(upstream: &Arc<Scripted>, settings: RelaySettings) -> Relay {
    Relay::start(Arc::new(Handle(upstream.clone())), settings)
}

/// Batches of so many documents each, all of them different.
fn push(relay: &Relay, sizes: impl IntoIterator<Item = usize>) -> usize {
    static NUMBER: Mutex<u64> = Mutex::new(0);
    let mut pushed = 0;
    for size in sizes {
        let batch: Batch = (0..size)
            .map(|_| {
                let mut number = NUMBER.lock().unwrap();
                *number += 1;
                format!("{{\"id\":\"{:016x}\"}}", *number).into_bytes()
            })
            .collect();
        relay.queue().push(batch);
        pushed += size;
    }
    pushed
}

#[track_caller]
fn account(stats: &RelayStats) {
    assert_eq!(
        stats.received,
        stats.sent + stats.unprocessed + stats.dropped.total() + stats.pending,
        "{stats:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_down_for_five_minutes_gets_everything_once_and_in_order() {
    let down = Act::Fail(Cause::ConnectionRefused, Verdict::Retry { after: None });
    let upstream = Scripted::new([], down);
    // One call at a time, so that the order can be seen.
    let relay = start(&upstream, RelaySettings { concurrency: 1, ..RelaySettings::default() });
    let began = Instant::now();
    let mut pushed = 0;
    for _ in 0..300 {
        pushed += push(&relay, [BATCH_DOCUMENTS, 7]);
        sleep(Duration::from_secs(1)).await;
    }
    let calls = upstream.calls().len();
    // 100 ms doubled to 30 s, each at least half of that: a few calls, no flood.
    assert!((12..=30).contains(&calls), "{calls} calls in five minutes");
    assert_eq!((relay.stats().pending, relay.stats().sent), (pushed as u64, 0));
    assert!(relay.stats().failing);
    assert!(relay.stats().oldest_seconds >= 299.0);
    upstream.keeps_to(Act::Take);
    while relay.stats().pending > 0 {
        sleep(Duration::from_secs(1)).await;
    }
    assert!(began.elapsed() <= Duration::from_secs(300 + 31), "back within one pause");
    let stats = relay.shutdown(Duration::from_secs(1)).await;
    account(&stats);
    assert_eq!((stats.sent, stats.dropped.total(), stats.failing), (pushed as u64, 0, false));
    assert_eq!(upstream.taken(), (pushed, 0));
    let order = upstream.order.lock().unwrap();
    assert!(order.is_sorted(), "the oldest first");
    // Each batch that failed counts once, however often.
    assert_eq!((stats.errors.connection_refused_count, stats.failed_calls), (1, calls as u64));
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_one_call_finds_out_whether_it_is_back() {
    let upstream = Scripted::new(vec![RETRY; 8], Act::TakeAfter(Duration::from_millis(50)));
    let relay = start(&upstream, RelaySettings { concurrency: 8, ..RelaySettings::default() });
    let pushed = push(&relay, vec![BATCH_DOCUMENTS; 40]);
    let stats = relay.shutdown(Duration::from_secs(60)).await;
    account(&stats);
    assert_eq!(upstream.taken(), (pushed, 0));
    assert_eq!(upstream.most_under_way(), 8);
    let calls = upstream.calls();
    // Eight fail together; then one, alone until it has succeeded; then eight again.
    assert_eq!(calls.iter().filter(|at| **at == calls[0]).count(), 8);
    assert!(calls[8] >= calls[0] + Duration::from_millis(50));
    assert_eq!(calls[9], calls[8] + Duration::from_millis(50));
    assert_eq!(stats.failed_calls, 8);
}

#[tokio::test(start_paused = true)]
async fn what_the_upstream_asks_for_is_waited_for() {
    let asked = Duration::from_secs(7);
    let upstream =
        Scripted::new([Act::Fail(Cause::Http4xx, Verdict::Retry { after: Some(asked) })], Act::Take);
    let relay = start(&upstream, RelaySettings::default());
    push(&relay, [3]);
    while relay.stats().sent < 3 {
        sleep(Duration::from_millis(100)).await;
    }
    let calls = upstream.calls();
    assert!(calls[1] - calls[0] >= asked && calls[1] - calls[0] < asked + Duration::from_millis(10));
    account(&relay.stats());
}

#[tokio::test(start_paused = true)]
async fn what_is_slow_gets_nothing_twice() {
    let unanswered = Act::Fail(Cause::Timeout, Verdict::Unanswered);
    let upstream = Scripted::new([unanswered], Act::Take);
    let relay = start(&upstream, RelaySettings { concurrency: 1, ..RelaySettings::default() });
    push(&relay, [10, 20]);
    let stats = relay.shutdown(Duration::from_secs(60)).await;
    account(&stats);
    assert_eq!((stats.sent, stats.dropped.unanswered, stats.retried), (20, 10, 0));
    assert_eq!(stats.errors.timeout_count, 1);
    // Not at once: what comes after it would be lost as well.
    let calls = upstream.calls();
    assert!(calls[1] - calls[0] >= Duration::from_millis(50));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_dropped_and_what_is_unprocessed_counted() {
    let upstream = Scripted::new(
        [Act::Fail(Cause::Http4xx, Verdict::Refuse), Act::Unprocessed(2), Act::Unprocessed(99)],
        Act::Take,
    );
    let relay = start(&upstream, RelaySettings { concurrency: 1, ..RelaySettings::default() });
    push(&relay, [5, 10, 3, 1]);
    let stats = relay.shutdown(Duration::from_secs(60)).await;
    account(&stats);
    assert_eq!((stats.sent, stats.unprocessed, stats.dropped.refused), (9, 5, 5));
    assert_eq!(upstream.calls().len(), 4);
    assert_eq!(stats.errors.http_code_4xx_count, 1);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_refuses_a_batch_is_back() {
    let refuse = Act::Fail(Cause::Http4xx, Verdict::Refuse);
    let upstream = Scripted::new([RETRY, refuse], Act::TakeAfter(Duration::from_millis(50)));
    let relay = start(&upstream, RelaySettings { concurrency: 1, ..RelaySettings::default() });
    push(&relay, vec![1; 3]);
    let stats = relay.shutdown(Duration::from_secs(60)).await;
    account(&stats);
    let calls = upstream.calls();
    assert_eq!(calls[2], calls[1], "no pause after an answer");
    assert_eq!((stats.sent, stats.dropped.refused), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_too_large_goes_in_halves() {
    let split = Act::Fail(Cause::Http4xx, Verdict::Split);
    // 5 -> 2 and 3; 2 -> 1 and 1, of which the first is refused for its size alone.
    let upstream = Scripted::new([split.clone(), split.clone(), split], Act::Take);
    let relay = start(&upstream, RelaySettings { concurrency: 1, ..RelaySettings::default() });
    push(&relay, [5]);
    let stats = relay.shutdown(Duration::from_secs(60)).await;
    account(&stats);
    assert_eq!((stats.sent, stats.dropped.refused), (4, 1));
    assert_eq!(upstream.taken(), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_the_oldest_make_room() {
    let upstream = Scripted::new([], RETRY);
    let settings = RelaySettings { buffer_bytes: 100_000, concurrency: 4 };
    let relay = start(&upstream, settings);
    let mut pushed = 0;
    for _ in 0..500 {
        pushed += push(&relay, [BATCH_DOCUMENTS]);
        let stats = relay.stats();
        account(&stats);
        assert!(stats.queue_bytes <= 100_000, "{stats:?}");
        sleep(Duration::from_millis(10)).await;
    }
    let stats = relay.stats();
    assert_eq!(stats.dropped.memory + stats.pending, pushed as u64);
    assert!(stats.pending > 1_000, "it is used: {stats:?}");
    upstream.keeps_to(Act::Take);
    let stats = relay.shutdown(Duration::from_secs(60)).await;
    account(&stats);
    assert_eq!(upstream.taken(), (stats.sent as usize, 0));
    // What was kept are the newest.
    let newest = upstream.order.lock().unwrap().iter().max().cloned();
    let text = String::from_utf8(newest.unwrap()).unwrap();
    assert!(upstream.order.lock().unwrap().is_sorted(), "{text}");
}

#[tokio::test(start_paused = true)]
async fn bursts_of_the_largest_documents_fit_in_the_least_bound() {
    let upstream = Scripted::new([], Act::TakeAfter(Duration::from_millis(20)));
    let relay = start(&upstream, RelaySettings { buffer_bytes: 3 << 20, ..RelaySettings::default() });
    let mut open = OpenBatch::new();
    for number in 0..200 {
        open.push(format!("{number:064000}").as_bytes(), Instant::now());
        if open.is_full() {
            relay.queue().push(open.close().unwrap());
        }
        if number % 20 == 19 {
            sleep(Duration::from_millis(100)).await;
        }
    }
    open.close().into_iter().for_each(|last| relay.queue().push(last));
    let stats = relay.shutdown(Duration::from_secs(1)).await;
    account(&stats);
    assert_eq!((stats.sent, stats.dropped.total()), (200, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slow_upstream_may_have_most_of_the_least_bound() {
    let upstream = Scripted::new([], Act::TakeAfter(Duration::from_secs(2)));
    let relay = start(&upstream, RelaySettings { buffer_bytes: 3 << 20, ..RelaySettings::default() });
    for _ in 0..240 {
        relay.queue().push((0..BATCH_DOCUMENTS).map(|_| vec![b'x'; 700]).collect());
        // 12 a second, so that 24 are under way.
        sleep(Duration::from_secs(1) / 12).await;
        let stats = relay.stats();
        assert!(stats.queue_bytes <= 3 << 20, "{stats:?}");
    }
    let stats = relay.shutdown(Duration::from_secs(8)).await;
    account(&stats);
    assert_eq!((stats.sent, stats.dropped.total()), (240 * BATCH_DOCUMENTS as u64, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_larger_than_the_bound_is_dropped() {
    let upstream = Scripted::new([], Act::Take);
    let relay = start(&upstream, RelaySettings { buffer_bytes: 1_000, concurrency: 1 });
    push(&relay, [BATCH_DOCUMENTS, 1]);
    let stats = relay.shutdown(Duration::from_secs(1)).await;
    account(&stats);
    assert_eq!((stats.dropped.memory, stats.sent), (BATCH_DOCUMENTS as u64, 1));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_before_the_end_is_counted() {
    let upstream = Scripted::new([], RETRY);
    let relay = start(&upstream, RelaySettings::default());
    let queue = relay.queue();
    push(&relay, [10, 20]);
    let began = Instant::now();
    let stats = relay.shutdown(Duration::from_secs(8)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(8));
    account(&stats);
    assert_eq!((stats.dropped.shutdown, stats.pending), (30, 0));
    queue.push([b"{}".to_vec()].into_iter().collect());
    assert_eq!(queue.stats().dropped.shutdown, 31);
    account(&queue.stats());
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_back_gets_what_waits_for_a_pause_before_the_end() {
    // Which is seen first, the last batch or the end, is left to chance.
    for round in 0..32 {
        let upstream = Scripted::new([], RETRY);
        let relay = start(&upstream, RelaySettings::default());
        let mut pushed = push(&relay, [10]);
        sleep(Duration::from_secs(600)).await;
        upstream.keeps_to(Act::Take);
        pushed += push(&relay, [20]);
        let stats = relay.shutdown(Duration::from_secs(8)).await;
        account(&stats);
        assert_eq!((stats.sent, stats.dropped.shutdown), (pushed as u64, 0), "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_hang_do_not_keep_one_from_finding_out() {
    let hang = Act::TakeAfter(Duration::from_secs(3_600));
    let upstream = Scripted::new([hang, RETRY], Act::Take);
    let relay = start(&upstream, RelaySettings { concurrency: 8, ..RelaySettings::default() });
    push(&relay, [1, 2, 3]);
    sleep(Duration::from_secs(1)).await;
    let stats = relay.stats();
    account(&stats);
    assert_eq!((stats.sent, stats.pending, stats.failing), (5, 1, false));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_does_not_hold_up_the_end() {
    let upstream = Scripted::new([], Act::TakeAfter(Duration::from_secs(3_600)));
    let relay = start(&upstream, RelaySettings::default());
    push(&relay, [10]);
    let stats = relay.shutdown(Duration::from_secs(8)).await;
    account(&stats);
    assert_eq!((stats.dropped.shutdown, stats.pending), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_is_dropped_counts_what_it_had() {
    let upstream = Scripted::new([], Act::TakeAfter(Duration::from_secs(3_600)));
    let relay = start(&upstream, RelaySettings { concurrency: 1, ..RelaySettings::default() });
    let queue = relay.queue();
    push(&relay, [10, 20]);
    sleep(Duration::from_secs(1)).await;
    drop(relay);
    sleep(Duration::from_secs(1)).await;
    account(&queue.stats());
    assert_eq!(queue.stats().dropped.shutdown, 30);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_panics_costs_its_batch_only() {
    let upstream = Scripted::new([Act::Panic], Act::Take);
    let relay = start(&upstream, RelaySettings { concurrency: 1, ..RelaySettings::default() });
    push(&relay, [10, 20]);
    let stats = relay.shutdown(Duration::from_secs(1)).await;
    account(&stats);
    assert_eq!((stats.dropped.panicked, stats.sent), (10, 20));
}

#[tokio::test(start_paused = true)]
async fn calls_are_as_many_as_batches_wait_and_no_more_than_allowed() {
    let upstream = Scripted::new([], Act::TakeAfter(Duration::from_millis(20)));
    let relay = start(&upstream, RelaySettings { concurrency: 16, ..RelaySettings::default() });
    for _ in 0..10 {
        push(&relay, [1]);
        sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(upstream.most_under_way(), 1);
    push(&relay, vec![1; 100]);
    let began = Instant::now();
    let stats = relay.shutdown(Duration::from_secs(10)).await;
    account(&stats);
    assert_eq!(upstream.most_under_way(), 16);
    assert!(began.elapsed() <= Duration::from_millis(20 * 100_u64.div_ceil(16)));
}
