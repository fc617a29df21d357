//! The embedded daemon over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "each test binary uses its part")]
mod support;

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::{Client, PATIENCE, golden, segment, vector_traces};
use xray_daemon::{FinishedTrace, Limits, LocalDaemon, StartError};

fn start(limits: Limits) -> (LocalDaemon, Client, Receiver<FinishedTrace>) {
    let (sender, finished) = channel();
    let daemon = LocalDaemon::builder()
        .udp("127.0.0.1:0")
        .limits(limits)
        .sink(move |finished| sender.send(finished.clone()).map_err(io::Error::other))
        .start()
        .unwrap();
    let client = Client::new(daemon.udp_addr());
    (daemon, client, finished)
}

/// A trace that says: all that was sent before has been read.
fn fence(client: &Client, finished: &Receiver<FinishedTrace>) -> Vec<FinishedTrace> {
    client.document(&segment("fence", "f"));
    let mut before = Vec::new();
    loop {
        let trace = finished.recv_timeout(PATIENCE).expect("the fence");
        if trace.trace.id() == "fence" {
            return before;
        }
        before.push(trace);
    }
}

/// A writer that the test can read.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_real_request_is_drawn_within_a_second() {
    let out = Shared::default();
    let daemon = LocalDaemon::builder().udp("127.0.0.1:0").print_waterfalls(out.clone()).start().unwrap();
    let client = Client::new(daemon.udp_addr());
    for document in golden("02_notifications.json") {
        client.document(&document);
    }
    let stats = daemon.shutdown();
    assert_eq!((stats.received, stats.documents, stats.traces_shown), (1, 1, 1));
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    for part in [
        "GET /api/activities/noti",
        "└ notifications-activities",
        "└ mock_data",
        "metadata: namespace.key = {",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\x1b'), "a file gets no colours");
    assert!(text.ends_with("\n\n"));

    let (_daemon, client, finished) = start(Limits::default());
    let sent = Instant::now();
    for document in golden("02_notifications.json") {
        client.document(&document);
    }
    assert_eq!(finished.recv_timeout(PATIENCE).unwrap().trace.entities(), 3);
    let waited = sent.elapsed();
    assert!(waited >= Duration::from_millis(300), "quiet for 300 ms: {waited:?}");
    // The promise is a second; this allows for a machine that has other work.
    assert!(waited < Duration::from_secs(5), "{waited:?}");
}

#[test]
fn every_vector_trace_comes_out_whole() {
    let mut limits = Limits::default();
    limits.stalled = Duration::from_millis(600);
    let (daemon, client, finished) = start(limits);
    let traces = vector_traces();
    for (_, documents) in &traces {
        documents.iter().for_each(|document| client.document(document));
    }
    let mut left: HashSet<&str> = traces.iter().map(|(id, _)| id.as_str()).collect();
    let mut entities = HashMap::new();
    while !left.is_empty() {
        let finished = finished.recv_timeout(PATIENCE).expect("a trace");
        assert!(left.remove(finished.trace.id()), "{} twice", finished.trace.id());
        entities.insert(finished.trace.id().to_owned(), finished.trace.entities());
    }
    assert_eq!(entities["1-5e2b4150-000000000000000000000008"], 4);
    let stats = daemon.shutdown();
    assert_eq!(stats.received, traces.iter().map(|(_, documents)| documents.len() as u64).sum::<u64>());
    assert_eq!((stats.traces_shown, stats.rejected.total(), stats.dropped.total()), (14, 0, 0));
}

#[test]
fn a_streamed_trace_is_one_trace() {
    let (daemon, client, finished) = start(Limits::default());
    for document in golden("71_big_31.json") {
        client.document(&document);
    }
    let trace = finished.recv_timeout(PATIENCE).unwrap();
    assert_eq!(trace.trace.entities(), 32);
    assert_eq!(daemon.shutdown().traces_shown, 1);
}

#[test]
fn late_documents_show_the_trace_again() {
    let (daemon, client, finished) = start(Limits::default());
    client.document(&segment("t", "a"));
    assert!(!finished.recv_timeout(PATIENCE).unwrap().updated);
    client.document(&segment("t", "b"));
    let again = finished.recv_timeout(PATIENCE).unwrap();
    assert!(again.updated);
    assert_eq!(again.trace.entities(), 2);
    let stats = daemon.shutdown();
    assert_eq!((stats.traces_shown, stats.traces_updated), (1, 1));
}

#[test]
fn every_fault_is_counted_by_its_cause_and_harms_nothing() {
    let (daemon, client, finished) = start(Limits::default());
    client.send(b"");
    client.send(b"no newline");
    client.send(b"{\"format\":\"json\",\"version\":1}\n");
    client.send(b"{\"format\":\"json\",\"version\":2}\n{}");
    client.send(b"\xff\xfe\n{}");
    client.send(b"{\"format\":\"json\",\"version\":1}\n{\"id\":\"\xff\"}");
    client.document("not JSON");
    client.document(&"[".repeat(10_000));
    client.document("{\"id\":\"a\",\"trace_id\":\"t\",\"start_time\":NaN}");
    client.document("{}");
    // The largest datagram that IPv4 carries.
    client.document(&format!("{{\"id\":\"{}\"}}", "x".repeat(65_507 - 30 - 9)));
    let before = fence(&client, &finished);
    assert!(before.is_empty());
    let stats = daemon.shutdown();
    assert_eq!(stats.received, 12);
    assert_eq!((stats.rejected.missing_header, stats.rejected.missing_document), (2, 1));
    assert_eq!((stats.rejected.invalid_header, stats.rejected.invalid_document), (2, 6));
    assert_eq!((stats.documents, stats.dropped.total()), (1, 0));
}

#[test]
fn shutdown_and_drop_show_what_is_pending() {
    let open = r#"{"trace_id":"t","id":"a","name":"api","start_time":1579893132.0,"in_progress":true}"#;
    let (daemon, client, finished) = start(Limits::default());
    client.document(open);
    let stats = daemon.shutdown();
    assert_eq!(stats.traces_shown, 1);
    assert!(!finished.recv().unwrap().trace.is_closed());
    assert!(finished.recv().is_err(), "the sink is gone with the daemon");

    let (daemon, client, finished) = start(Limits::default());
    client.document(open);
    drop(daemon);
    assert_eq!(finished.recv().unwrap().trace.id(), "t");
}

#[test]
fn a_taken_port_is_an_error_to_match() {
    let daemon = LocalDaemon::builder().udp("127.0.0.1:0").start().unwrap();
    let addr = daemon.udp_addr().to_string();
    match LocalDaemon::builder().udp(&addr).start() {
        Err(StartError::AddrInUse { addr: taken }) => assert_eq!(taken, addr),
        other => panic!("{other:?}"),
    }
    // The port is free again at once.
    drop(daemon);
    drop(LocalDaemon::builder().udp(&addr).start().unwrap());
}

#[test]
fn bad_addresses_are_errors_that_name_them() {
    for addr in ["", "127.0.0.1", "127.0.0.1:99999", "192.0.2.1:0", "::1:2000:x"] {
        match LocalDaemon::builder().udp(addr).start() {
            Err(error @ StartError::Bind { .. }) => {
                assert!(error.to_string().contains(&format!("{addr:?}")), "{error}")
            }
            other => panic!("{addr}: {other:?}"),
        }
    }
}

#[test]
fn ipv6_works_where_the_machine_has_it() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        // Not a skipped test: the error must be the typed one.
        assert!(matches!(LocalDaemon::builder().udp("[::1]:0").start(), Err(StartError::Bind { .. })));
        return;
    }
    let (sender, finished) = channel();
    let sink =
        move |finished: &FinishedTrace| sender.send(finished.trace.entities()).map_err(io::Error::other);
    let daemon = LocalDaemon::builder().udp("[::1]:0").sink(sink).start().unwrap();
    Client::new(daemon.udp_addr()).document(&segment("t", "a"));
    assert_eq!(finished.recv_timeout(PATIENCE), Ok(1));
}

#[test]
fn a_sink_that_fails_or_panics_is_counted_and_called_again() {
    let (sender, called) = channel();
    let daemon = LocalDaemon::builder()
        .udp("127.0.0.1:0")
        .sink(move |finished| {
            sender.send(finished.trace.id().to_owned()).unwrap();
            match finished.trace.id() {
                "fails" => Err(io::Error::other("no room")),
                "panics" => panic!("a test's panic"),
                _ => Ok(()),
            }
        })
        .start()
        .unwrap();
    let client = Client::new(daemon.udp_addr());
    for trace in ["fails", "panics", "works"] {
        client.document(&segment(trace, "a"));
        assert_eq!(called.recv_timeout(PATIENCE).unwrap(), trace);
    }
    let stats = daemon.shutdown();
    assert_eq!((stats.traces_shown, stats.dropped.sink_failed), (3, 2));
}

#[test]
fn a_sink_that_blocks_loses_nothing_uncounted_and_memory_stays_bounded() {
    let (release, blocked) = channel::<()>();
    let (entered, in_sink) = channel();
    let daemon = LocalDaemon::builder()
        .udp("127.0.0.1:0")
        .sink(move |_| {
            let _ = entered.send(());
            // Until the test lets go of the other end.
            let _ = blocked.recv();
            Ok(())
        })
        .start()
        .unwrap();
    let client = Client::new(daemon.udp_addr());
    client.document(&segment("first", "a"));
    in_sink.recv_timeout(PATIENCE).unwrap();
    // 60 MB of documents against a queue of 32 MiB, each sent when the one before has been received.
    let large = format!(r#"{{"trace_id":"t","id":"a","name":"{}"}}"#, "x".repeat(60_000));
    for sent in 2..=1_001 {
        client.document(&large);
        let deadline = Instant::now() + PATIENCE;
        while daemon.stats().received < sent {
            assert!(Instant::now() < deadline, "{:?}", daemon.stats());
            std::thread::yield_now();
        }
    }
    let stats = daemon.stats();
    assert!(stats.dropped.queue_full > 400, "{stats:?}");
    drop(release);
    let stats = daemon.shutdown();
    assert_eq!(stats.received, 1_001);
    assert_eq!(stats.received, stats.documents + stats.rejected.total() + stats.dropped.queue_full);
}

#[test]
fn a_thousand_traces_from_eight_clients_are_all_shown() {
    let (daemon, client, finished) = start(Limits::default());
    let addr = daemon.udp_addr();
    std::thread::scope(|scope| {
        for client in 0..8 {
            scope.spawn(move || {
                let socket = Client::new(addr);
                for trace in 0..125 {
                    socket.document(&segment(&format!("t{client}-{trace}"), "a"));
                }
            });
        }
    });
    let mut seen: HashSet<String> =
        fence(&client, &finished).iter().map(|shown| shown.trace.id().to_owned()).collect();
    let stats = daemon.shutdown();
    seen.extend(finished.try_iter().map(|shown| shown.trace.id().to_owned()));
    // The kernel may drop datagrams on a busy machine; what was received must all be there.
    assert_eq!(seen.len() as u64, stats.received - 1, "{stats:?}");
    assert_eq!(stats.dropped.total() + stats.rejected.total(), 0, "{stats:?}");
}
