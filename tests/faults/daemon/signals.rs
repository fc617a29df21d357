//! Signals at the wrong moment.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use conformance::upstream::{Behaviour, Double, TRACE_SEGMENTS};
use nix::sys::signal::Signal;

use crate::account::Account;
use crate::process::{Start, document};

#[test]
fn sigterm_under_load_delivers_all_that_had_arrived() {
    let double = Double::start().unwrap();
    double.always(TRACE_SEGMENTS, Behaviour::usual().after(Duration::from_millis(20)));
    let daemon = Start::before(&double).start();
    let sent = Arc::new(AtomicU64::new(0));
    let load = {
        let (sent, socket) = (sent.clone(), UdpSocket::bind("127.0.0.1:0").unwrap());
        socket.connect(daemon.udp()).unwrap();
        // Until the daemon's socket is gone.
        std::thread::spawn(move || {
            for number in 0.. {
                let datagram = format!("{{\"format\":\"json\",\"version\":1}}\n{}", document(number));
                if socket.send(datagram.as_bytes()).is_err() {
                    break;
                }
                sent.fetch_add(1, Ordering::SeqCst);
                if number % 20 == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        })
    };
    double.received(2_000);
    let before = sent.load(Ordering::SeqCst);
    daemon.signal(Signal::SIGTERM);
    let ended = daemon.ended();
    load.join().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
    let account = Account::of_last_line(&ended.log);
    assert!(account.is_closed() && account.dropped() == 0, "{account:?}");
    assert!(account.arrived() >= before, "{account:?}, {before} were sent before the signal");
    assert_eq!(account.sent, account.received);
    let kept = double.account();
    assert_eq!((kept.kept.len() as u64, kept.duplicates()), (account.sent, 0));
}

/// What has not made a batch yet does not wait for company.
#[track_caller]
fn ends_at_once(signal: Signal) {
    let double = Double::start().unwrap();
    let mut daemon = Start::before(&double).start();
    daemon.send_next(7);
    daemon.send_bytes(b"junk");
    daemon.until("it came", |account| account.received == 8);
    let (account, _) = daemon.end_by(signal);
    assert_eq!((account.sent, account.rejected), (7, 1));
    let double = double.account();
    assert_eq!((double.kept.len(), double.duplicates()), (7, 0));
    // The last telemetry knows of the last batch.
    let sum = |name: &str| double.telemetry.iter().map(|record| record[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(
        (sum("SegmentsReceivedCount"), sum("SegmentsSentCount"), sum("SegmentsRejectedCount")),
        (8, 7, 1)
    );
}

#[test]
fn sigterm_sends_what_waits() {
    ends_at_once(Signal::SIGTERM);
}

#[test]
fn sigint_sends_what_waits() {
    ends_at_once(Signal::SIGINT);
}

#[test]
fn a_second_signal_ends_it_though_the_upstream_hangs() {
    let double = Double::start().unwrap();
    double.always(TRACE_SEGMENTS, Behaviour::hang());
    let mut daemon = Start::before(&double).start();
    daemon.send_next(50);
    double.received(50);
    daemon.signal(Signal::SIGTERM);
    daemon.line("Got shutdown signal");
    daemon.signal(Signal::SIGINT);
    let ended = daemon.ended();
    assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.log);
    assert_eq!((double.account().batch_sizes(), double.account().duplicates()), (vec![50], 0));
    let account = Account::of_last_line(&ended.log);
    assert!(account.is_closed(), "{account:?}");
    assert_eq!((account.received, account.shutdown), (50, 50));
}

#[test]
fn the_same_signal_again_and_sighup_leave_it_its_time() {
    let double = Double::start().unwrap();
    double.always(TRACE_SEGMENTS, Behaviour::usual().after(Duration::from_millis(300)));
    let mut daemon = Start::before(&double).start();
    daemon.send_next(50);
    double.received(50);
    daemon.signal(Signal::SIGTERM);
    daemon.line("Got shutdown signal");
    // As `timeout` tells the process and then its group, and as a terminal that goes away does.
    daemon.signal(Signal::SIGTERM);
    daemon.signal(Signal::SIGHUP);
    let ended = daemon.ended();
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
    let account = Account::of_last_line(&ended.log);
    assert_eq!((account.received, account.sent, account.is_closed()), (50, 50, true), "{account:?}");
}

#[test]
fn other_signals_do_not_end_it() {
    let double = Double::start().unwrap();
    let mut daemon = Start::before(&double).start();
    for signal in [Signal::SIGUSR1, Signal::SIGHUP, Signal::SIGPIPE, Signal::SIGHUP] {
        daemon.send_next(10);
        daemon.signal(signal);
    }
    assert_eq!(daemon.settled().sent, 40);
    daemon.end();
    assert_eq!(double.received(40).len(), 40);
}
