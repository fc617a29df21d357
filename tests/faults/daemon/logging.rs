//! The log: disks that are full, files that are moved away.

use std::io::Write;
use std::path::PathBuf;

use conformance::upstream::{Behaviour, Double, TRACE_SEGMENTS};
use nix::sys::signal::Signal;

use crate::process::{Start, start_quietly, until};

fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn a_full_disk_costs_lines_and_nothing_else() {
    let double = Double::start().unwrap();
    let start = || {
        Start::bare().args(["-f", "/dev/full", "-l", "dev", "-n", "us-east-1", "--endpoint", &double.url()])
    };
    let mut daemon = start_quietly(start);
    for _ in 0..20 {
        daemon.send_next(50);
        daemon.send_bytes(b"junk");
    }
    let account = daemon.settled();
    assert_eq!((account.sent, account.rejected, account.dropped()), (1_000, 20, 0));
    let page = daemon.get("/metrics");
    let lost = page.lines().find_map(|line| line.strip_prefix("xray_daemon_log_lines_lost_total ")).unwrap();
    assert!(lost.parse::<f64>().unwrap() >= 5.0, "{lost}");
    daemon.signal(Signal::SIGTERM);
    let ended = daemon.ended();
    assert_eq!(ended.status.code(), Some(0), "{:?}", ended.errors);
    assert_eq!((double.received(1_000).len(), double.account().duplicates()), (1_000, 0));
}

#[test]
fn sighup_opens_the_log_anew_and_loses_nothing() {
    let double = Double::start().unwrap();
    let (log, moved) = (file("xray.log"), file("xray.log.moved"));
    let start =
        || Start::bare().args(["-f", log.to_str().unwrap(), "-n", "us-east-1", "--endpoint", &double.url()]);
    let mut daemon = start_quietly(start);
    until("it is written", || std::fs::read_to_string(&log).ok()?.contains("Listening on UDP").then_some(()));
    daemon.send_next(50);
    // Not a batch yet: it waits for company.
    daemon.send_next(20);
    std::fs::rename(&log, &moved).unwrap();
    daemon.signal(Signal::SIGHUP);
    until("the log is there again", || log.exists().then_some(()));
    daemon.send_next(30);
    let account = daemon.settled();
    assert_eq!((account.sent, account.kernel), (100, 0));
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().status.code(), Some(0));
    assert_eq!((double.received(100).len(), double.account().duplicates()), (100, 0));
    let (before, after) = (std::fs::read_to_string(&moved).unwrap(), std::fs::read_to_string(&log).unwrap());
    assert!(before.contains("Listening on UDP") && !after.contains("Listening on UDP"), "{before}\n{after}");
    assert!(after.contains("Received 100 segments: 100 sent"), "{after}");
    let _ = (std::fs::remove_file(log), std::fs::remove_file(moved));
}

#[test]
fn an_upstream_that_comes_and_goes_is_told_of_once_a_second() {
    let double = Double::start().unwrap();
    for _ in 0..20 {
        double.next(TRACE_SEGMENTS, 1, Behaviour::error(500, "InternalFailure"));
        double.next(TRACE_SEGMENTS, 1, Behaviour::usual());
    }
    let mut daemon = Start::before(&double).start();
    daemon.send_next(2_000);
    let account = daemon.settled();
    assert_eq!((account.sent, account.retried), (2_000, 1_000));
    let (_, ended) = daemon.end();
    for kind in ["Sending segment batch failed with: status 500", "segments are accepted again"] {
        let told: Vec<&str> =
            ended.log.iter().filter(|line| line.contains(kind)).map(|line| &line[..19]).collect();
        assert!(!told.is_empty(), "{kind}: {:#?}", ended.log);
        // The second of a line is that in which it is written, a moment after it was let through.
        assert!(told.chunk_by(|one, next| one == next).all(|same| same.len() <= 2), "{kind}: {told:?}");
    }
}

#[test]
fn a_reader_of_the_log_that_goes_away_does_not_end_it() {
    let double = Double::start().unwrap();
    let mut daemon = Start::before(&double).args(["-l", "dev"]).start();
    daemon.stop_reading();
    for _ in 0..5 {
        daemon.send_next(50);
        daemon.send_bytes(b"junk");
    }
    let account = daemon.settled();
    assert_eq!((account.sent, account.rejected), (250, 5));
    daemon.signal(Signal::SIGTERM);
    let status = until("it has ended", || daemon.has_ended());
    assert_eq!((status.code(), double.received(250).len()), (Some(0), 250));
}

#[test]
fn a_reader_of_the_log_that_stops_reading_does_not_hold_it_up() {
    let double = Double::start().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    // There is no room in the pipe, at any time.
    let mut fill = writer.try_clone().unwrap();
    let filling = std::thread::spawn(move || while fill.write_all(&[b'x'; 4_096]).is_ok() {});
    let mut daemon = start_quietly(|| {
        let log = writer.try_clone().unwrap();
        Start::bare().args(["-l", "dev", "-n", "us-east-1", "--endpoint", &double.url()]).log_to(log)
    });
    daemon.send_next(500);
    for _ in 0..20 {
        daemon.send_bytes(b"junk");
        daemon.signal(Signal::SIGHUP);
    }
    let account = daemon.settled();
    assert_eq!((account.sent, account.rejected), (500, 20));
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().status.code(), Some(0));
    assert_eq!((double.received(500).len(), double.account().duplicates()), (500, 0));
    drop((reader, writer));
    filling.join().unwrap();
}
