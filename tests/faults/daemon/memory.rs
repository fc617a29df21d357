//! The memory bound, reached.

use conformance::upstream::{Behaviour, Double, TRACE_SEGMENTS};
use nix::sys::signal::Signal;

use crate::process::Start;

/// What the process may take beside what it holds: the allocator's slack, requests that are being written.
const SLACK_KIB: u64 = 6 * 1_024;

const BOUND_KIB: u64 = 3 * 1_024;

/// A document of 2 KiB with its number.
fn large(number: u64) -> String {
    format!(r#"{{"id":"{number:016x}","name":"{}"}}"#, "x".repeat(2_000))
}

/// Sends 12 MB, which the upstream does not take, and then lets it.
#[track_caller]
fn flood(double: &Double, heal: impl FnOnce(&Double)) {
    let mut daemon = Start::before(double).args(["-m", "3"]).start();
    daemon.get("/metrics");
    let before = daemon.memory_kib("RssAnon");
    let count = 6_000;
    for number in 0..count {
        daemon.send(large(number));
        if number % 50 == 0 {
            daemon.until("the datagrams came", |account| account.arrived() + 100 > daemon.sent());
        }
    }
    let account = daemon.until("all came", |account| account.arrived() == daemon.sent());
    assert!(account.memory > 3_000, "{account:?}");
    let most = before + BOUND_KIB + SLACK_KIB;
    let (after, peak) =
        (daemon.memory_kib("RssAnon"), daemon.memory_kib("VmHWM") - daemon.memory_kib("RssFile"));
    assert!(
        after < most && peak < most,
        "{before} KiB before, {after} after, {peak} at its peak; {most} may be"
    );
    daemon.line("Segment buffer is full. Dropping oldest segment document.");

    heal(double);
    let account = daemon.settled();
    assert_eq!(
        (account.received, account.sent + account.memory),
        (count - account.kernel, count - account.kernel)
    );
    let (last, ended) = daemon.end();
    assert_eq!((last.sent, last.memory), (account.sent, account.memory));
    let told = ended.log.iter().filter(|line| line.contains("Segment buffer is full")).count();
    assert!(told < 60, "{told} lines");
    let kept = double.account();
    assert_eq!((kept.kept.len() as u64, kept.duplicates()), (account.sent, 0));
    // The newest were kept.
    if account.kernel == 0 {
        let newest = format!("{:016x}", count - 1);
        let ids: Vec<&str> = kept.kept.iter().filter_map(|document| document.id.as_deref()).collect();
        let (first, last) = (ids.iter().min(), ids.iter().max());
        assert!(ids.contains(&&*newest), "{first:?} to {last:?}");
    }
}

#[test]
fn an_upstream_that_is_down_takes_no_more_memory_than_allowed() {
    let double = Double::start().unwrap();
    double.down().unwrap();
    flood(&double, |double| double.up().unwrap());
}

#[test]
fn an_upstream_that_fails_takes_no_more_memory_than_allowed() {
    let double = Double::start().unwrap();
    double.always(TRACE_SEGMENTS, Behaviour::error(500, "InternalFailure"));
    flood(&double, Double::heal);
}

/// A daemon that is stopped: what the kernel's buffer does not hold is lost before anybody sees it, and still counted.
#[test]
fn what_the_kernel_drops_is_counted() {
    let double = Double::start().unwrap();
    let mut daemon = Start::before(&double).start();
    daemon.send_next(50);
    daemon.settled();
    daemon.signal(Signal::SIGSTOP);
    for number in 50..10_050 {
        daemon.send(large(number));
    }
    daemon.signal(Signal::SIGCONT);
    let account = daemon.settled();
    assert!(account.kernel > 0 && account.received > 50, "{account:?}");
    assert_eq!((account.received + account.kernel, account.sent), (10_050, account.received));
    let (last, _) = daemon.end();
    assert_eq!((last.received, last.kernel), (account.received, account.kernel));
    assert_eq!((double.account().kept.len() as u64, double.account().duplicates()), (account.sent, 0));
}
