use std::net::UdpSocket;

use xray_runtime::{AllSampler, Flushed, Recorder, begin_segment};

use crate::support::{Forest, SOON, parse};

fn recorder(address: &str) -> Recorder {
    Recorder::builder().service("udp").sampler(AllSampler).daemon_address(address).build().unwrap()
}

fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().unwrap().port()
}

fn segments(recorder: &Recorder, count: usize) -> Flushed {
    recorder.enter(|| (0..count).for_each(|_| begin_segment("s").end()));
    recorder.flush(SOON)
}

/// Receives a datagram; its document.
fn receive(socket: &UdpSocket) -> serde_json::Value {
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut buffer = vec![0; 65_535];
    let size = socket.recv(&mut buffer).unwrap();
    let text = std::str::from_utf8(&buffer[..size]).unwrap();
    let (header, document) = text.split_once('\n').unwrap();
    assert_eq!(header, r#"{"format":"json","version":1}"#);
    parse(document.trim_end())
}

#[test]
fn a_daemon_that_is_not_there_costs_counted_losses() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("127.0.0.1:{}", port(&free));
    drop(free);
    let recorder = recorder(&address);
    for _ in 0..20 {
        assert_eq!(segments(&recorder, 10).pending, 0, "nothing waits for it");
    }
    let stats = recorder.stats();
    assert_eq!(stats.recorded, 200);
    assert_eq!(stats.sent + stats.dropped() + stats.pending, 200, "{stats:?}");
    assert!(stats.dropped_send_failed > 0, "{stats:?}");
}

#[test]
fn a_name_that_nobody_knows_costs_counted_losses() {
    let recorder = recorder("no-such-host.invalid:2000");
    segments(&recorder, 10);
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.sent), (10, 0), "{stats:?}");
    assert_eq!(stats.dropped_send_failed + stats.pending, 10, "{stats:?}");
}

#[test]
fn a_daemon_that_goes_and_comes_back_is_found_again() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = daemon.local_addr().unwrap();
    let recorder = recorder(&address.to_string());
    segments(&recorder, 1);
    receive(&daemon);
    drop(daemon);
    segments(&recorder, 3);
    segments(&recorder, 3);
    let daemon = UdpSocket::bind(address).unwrap();
    // The first may meet the answer of the socket that was gone.
    segments(&recorder, 1);
    segments(&recorder, 1);
    assert_eq!(receive(&daemon)["name"], "s");
    let stats = recorder.stats();
    assert_eq!(stats.sent + stats.dropped(), 9, "{stats:?}");
}

#[test]
fn ipv6_is_sent_to() {
    let Ok(daemon) = UdpSocket::bind("[::1]:0") else {
        // A machine without IPv6: then the address is refused by the kernel, and that is counted.
        let recorder = recorder("[::1]:2000");
        segments(&recorder, 1);
        assert_eq!(recorder.stats().dropped_send_failed, 1);
        return;
    };
    let recorder = recorder(&format!("[::1]:{}", port(&daemon)));
    segments(&recorder, 1);
    assert_eq!(receive(&daemon)["name"], "s");
}

/// `localhost` is often ::1 first, and many daemons listen on IPv4 alone.
#[test]
fn localhost_reaches_a_daemon_on_ipv4() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let recorder = recorder(&format!("localhost:{}", port(&daemon)));
    for _ in 0..3 {
        segments(&recorder, 1);
    }
    assert_eq!(receive(&daemon)["name"], "s");
}

#[test]
fn every_document_fits_a_datagram() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let recorder = recorder(&format!("127.0.0.1:{}", port(&daemon)));
    recorder.enter(|| {
        let segment = begin_segment("large");
        segment.put_metadata("fits", "x".repeat(63_000));
        segment.put_metadata("does not", "x".repeat(250_000));
        segment.set_user("u".repeat(1_000));
    });
    recorder.flush(SOON);
    let document = receive(&daemon);
    let forest = Forest::of(&[document]);
    let metadata = &forest.one("large").json["metadata"];
    assert_eq!(metadata["xray_runtime"]["truncated"][0], "metadata.default.does not");
    assert_eq!(metadata["default"]["fits"].as_str().unwrap().len(), 63_000);
    let stats = recorder.stats();
    assert_eq!((stats.sent, stats.dropped()), (1, 0), "{stats:?}");
}

#[test]
fn a_burst_of_equal_and_unequal_documents_arrives_whole() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let recorder = recorder(&format!("127.0.0.1:{}", port(&daemon)));
    for n in 0..200_usize {
        recorder.enter(|| {
            let segment = begin_segment("s");
            // Runs of equal size, then one that is different.
            segment.put_annotation("n", 1_000 + n);
            if n % 7 == 0 {
                segment.put_metadata("pad", "x".repeat(n * 37));
            }
        });
        if n % 40 == 39 {
            recorder.flush(SOON);
            for _ in 0..40 {
                receive(&daemon);
            }
        }
    }
    let stats = recorder.stats();
    assert_eq!((stats.sent, stats.packets_sent, stats.dropped()), (200, 200, 0), "{stats:?}");
}
