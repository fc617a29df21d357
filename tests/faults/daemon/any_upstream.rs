//! Upstreams that do anything at all, in any order: the account closes.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::sleep;
use xray_daemon::relay::RelaySettings;
use xray_daemon::upstream::{Cause, Verdict};

use crate::clocked::{Reply, Rig};

fn cause() -> impl Strategy<Value = Cause> {
    use Cause::*;
    prop::sample::select(vec![ConnectionRefused, Http4xx, Http5xx, Timeout, UnknownHost, Other])
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        prop::option::of(0..400_u64)
            .prop_map(|after| Verdict::Retry { after: after.map(Duration::from_secs) }),
        Just(Verdict::Unanswered),
        Just(Verdict::Refuse),
        Just(Verdict::Split),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let at_once = prop_oneof![
        4 => Just(Reply::Take),
        1 => (0..60_usize).prop_map(Reply::Unprocessed),
        4 => (cause(), verdict()).prop_map(|(cause, verdict)| Reply::Fail(cause, verdict)),
        1 => Just(Reply::Hang),
    ];
    (prop::option::of(0..5_000_u64), at_once).prop_map(|(delay, reply)| match delay {
        Some(delay) => Reply::After(Duration::from_millis(delay), Box::new(reply)),
        None => reply,
    })
}

#[derive(Debug, Clone)]
enum Step {
    Push { documents: usize, bytes: usize },
    Pass(Duration),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..=50_usize, 10..3_000_usize).prop_map(|(documents, bytes)| Step::Push { documents, bytes }),
        2 => (0..20_000_u64).prop_map(|time| Step::Pass(Duration::from_millis(time))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn the_account_closes_whatever_the_upstream_does(
        replies in prop::collection::vec(reply(), 1..12),
        steps in prop::collection::vec(step(), 1..40),
        buffer_bytes in 1_000..400_000_usize,
        concurrency in 1..9_usize,
        grace in 0..60_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let next = std::sync::atomic::AtomicUsize::new(0);
            let mut rig = Rig::new(RelaySettings { buffer_bytes, concurrency }, move |_, _| {
                let next = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                replies[next % replies.len()].clone()
            });
            for step in steps {
                match step {
                    Step::Push { documents, bytes } => rig.push(documents, bytes),
                    Step::Pass(time) => sleep(time).await,
                }
                let stats = rig.stats();
                // Calls under way count with their requests; one request may pass the bound.
                let request = 50 * 3_004 + 128;
                assert!(stats.queue_bytes <= buffer_bytes as u64 + request, "{stats:?}");
            }
            rig.end(Duration::from_secs(grace)).await;
        });
    }
}
