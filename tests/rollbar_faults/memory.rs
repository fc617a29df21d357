//! A service that is dead for long: the program's memory is bounded, and its threads lose no time to it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub
)]

use std::time::{Duration, Instant};

use rollbar_runtime::{Level, Proxy, Report, Rollbar, report_message};

/// Kilobytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Processor time of this thread, in its own words: `/proc` has it in ticks of 10 ms.
fn thread_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let ticks: u64 = after.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn main() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let before = resident();
    let rollbar = Rollbar::builder()
        .access_token("0123456789abcdef0123456789abcdef")
        .endpoint(dead)
        .proxy(Proxy::Off)
        .panics(false)
        .shutdown_timeout(Duration::from_millis(100))
        .install()
        .unwrap();
    const REPORTS: u32 = 1_000_000;
    let (begun, used) = (Instant::now(), thread_time());
    let mut highest = 0;
    rollbar.enter(|| {
        for n in 0..REPORTS {
            match n % 4 {
                0 => {
                    Report::error(&std::io::Error::other(format!("number {n}"))).backtrace(n % 64 == 0).send()
                }
                1 => Report::message(format!("number {n}"), Level::Warning).custom("n", n).send(),
                2 => report_message("again and again", Level::Info),
                _ => report_message(format!("number {n}"), Level::Critical),
            };
            if n % 10_000 == 0 {
                highest = highest.max(resident());
            }
        }
    });
    let (took, used) = (begun.elapsed(), thread_time() - used);
    let stats = rollbar.stats();
    let grown = highest.saturating_sub(before) / 1024;
    println!(
        "{REPORTS} reports to a dead service: {grown} MiB more at the most, {:.2} us of the caller's time each ({took:?} in all), {} wait",
        used.as_secs_f64() * 1e6 / f64::from(REPORTS),
        stats.pending,
    );
    assert_eq!(stats.reported, stats.sent + stats.coalesced + stats.dropped() + stats.pending, "{stats:#?}");
    assert_eq!(stats.reported, u64::from(REPORTS));
    // The queue's 32 MiB are counted by the texts, and what holds these takes as much again.
    assert!(grown < 160, "{grown} MiB");
    // Ten times what a release build may take.
    assert!(used < Duration::from_micros(20) * REPORTS, "{used:?}");
    let kept = rollbar.rollbar().clone();
    drop(rollbar);
    assert_eq!(kept.flush(Duration::from_secs(60)).pending, 0);
    let stats = kept.stats();
    assert!(stats.dropped_after_shutdown > 0, "the end does not wait for all of it: {stats:#?}");
    println!("test memory ... ok");
}
