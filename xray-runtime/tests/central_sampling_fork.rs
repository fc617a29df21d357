//! A process that forks: the thread that asks for rules stays with the parent. Alone in its process and without threads of a test harness.
#![allow(missing_docs, unsafe_code, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use serde_json::Value;
use xray_runtime::{CentralSampler, Sampler, SamplingRequest};

#[path = "central_sampling_daemon/mod.rs"]
mod daemon;
use daemon::{Call, Daemon, SOON, record, rules, targets};

const SHORT: Duration = Duration::from_millis(2);

/// Rule, client and requests of the only statistics of a call.
fn told(call: &Call) -> (String, u64) {
    let [document] = &call.body["SamplingStatisticsDocuments"].as_array().unwrap()[..] else {
        panic!("{call:?}")
    };
    (document["ClientID"].as_str().unwrap().to_owned(), document["RequestCount"].as_u64().unwrap())
}

fn main() {
    let daemon = Daemon::start(|call| match call.path.as_str() {
        "/GetSamplingRules" => rules(vec![record("all", "*", 1.0)]),
        _ => targets(vec![]),
    });
    let sampler = CentralSampler::builder()
        .daemon_address(daemon.address.to_string().parse().unwrap())
        .intervals(Duration::from_secs(3_600), SHORT, SOON)
        .build();
    let decide = || sampler.decide(&SamplingRequest::new()).rule_name.is_some();
    while !decide() {
        std::thread::yield_now();
    }
    let (parent, _) = told(&daemon.next("SamplingTargets"));

    // SAFETY: the child calls only what is under test, and is ended from here.
    let child = match unsafe { fork() }.unwrap() {
        ForkResult::Child => loop {
            // Its thread is missed when the next second begins.
            decide();
            std::thread::sleep(SHORT);
        },
        ForkResult::Parent { child } => child,
    };
    assert_eq!(
        daemon.next("GetSamplingRules").body,
        Value::from(serde_json::Map::new()),
        "the child asks anew"
    );
    let (client, _) = told(&daemon.next("SamplingTargets"));
    assert_ne!(client, parent, "it is another client");
    kill(child, Signal::SIGKILL).unwrap();
    assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Signaled(child, Signal::SIGKILL, false));
    daemon.forget();

    assert!(decide(), "the parent goes on");
    assert_eq!(
        told(&daemon.next("SamplingTargets")),
        (parent, 1),
        "as the client that it was, with its own counts"
    );
}
