//! A process that forks: the worker's thread stays with the parent. Alone in its process and without threads of a test harness.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use rollbar_runtime::{Level, RollbarGuard, report_message, rollbar_report};

#[path = "../rollbar_delivery/support.rs"]
#[allow(dead_code)]
mod support;

use support::{LONG, Local};

/// A thread that works while its process forks may hold its lock for ever in the child, as any thread's lock: a program forks while it
/// is at rest. No event tells that.
fn let_it_fall_asleep() {
    std::thread::sleep(Duration::from_millis(100));
}

#[rollbar_report]
fn fails(of: &str) -> Result<(), std::io::Error> {
    Err(std::io::Error::other(format!("an error of {of}")))
}

fn work(guard: &RollbarGuard, of: &str) -> bool {
    for n in 0..5 {
        assert!(report_message(format!("{of} {n}"), Level::Error).is_some());
    }
    assert!(fails(of).is_err());
    assert!(std::panic::catch_unwind(|| panic!("a panic of {of}")).is_err());
    let flushed = guard.flush(LONG);
    flushed.pending == 0 && flushed.dropped == 0
}

/// Runs in a child of `fork`, and gives its exit code.
fn in_child(child: impl FnOnce() -> bool) -> i32 {
    let_it_fall_asleep();
    // SAFETY: the child calls only what is under test, which takes locks that no thread of the parent holds while it sleeps, and
    // leaves by `_exit`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let code = i32::from(!child());
            // SAFETY: ends this process at once; nothing of the parent's is unwound twice.
            unsafe { nix::libc::_exit(code) }
        }
        ForkResult::Parent { child } => match waitpid(child, None).unwrap() {
            WaitStatus::Exited(_, code) => code,
            other => panic!("{other:?}"),
        },
    }
}

fn main() {
    let local = Local::new();
    let guard = local.builder().panics(true).shutdown_timeout(LONG).install().unwrap();
    assert!(work(&guard, "the parent"));
    let mut expected = 7;

    assert_eq!(in_child(|| work(&guard, "a child")), 0);
    expected += 7;

    // A child of the child.
    let grandchild = || in_child(|| work(&guard, "a grandchild")) == 0;
    assert_eq!(
        in_child(|| work(&guard, "its parent") && grandchild() && work(&guard, "its parent again")),
        0
    );
    expected += 21;

    // A child that reports nothing owes nothing: neither a flush nor the end of the guard waits for what the parent has.
    let begun = Instant::now();
    let mut guard = Some(guard);
    assert_eq!(
        in_child(|| {
            let guard = guard.take().unwrap();
            let flushed = guard.flush(LONG);
            drop(guard);
            flushed.sent == 0
        }),
        0
    );
    assert!(begun.elapsed() < LONG, "a wait would have been as long: {:?}", begun.elapsed());

    // The guard's end sends what the child has, without a flush.
    assert_eq!(
        in_child(|| {
            report_message("before its end", Level::Error);
            let kept = guard.as_ref().unwrap().rollbar().clone();
            drop(guard.take());
            kept.enter(|| report_message("after its end", Level::Error)).is_none()
        }),
        0
    );
    expected += 1;

    let guard = guard.unwrap();
    assert!(work(&guard, "the parent again"));
    expected += 7;
    let stats = guard.stats();
    assert_eq!((stats.sent, stats.dropped(), stats.pending), (14, 0, 0), "{stats:#?}");
    let mut uuids: BTreeMap<String, u32> = BTreeMap::new();
    for occurrence in local.double().occurrences(1_000) {
        *uuids.entry(occurrence.uuid.clone()).or_default() += 1;
    }
    assert_eq!(uuids.len(), expected, "{uuids:?}");
    assert_eq!(local.double().stats().duplicates, 0);
    println!("test fork ... ok");
}
