//! What may come over UDP.

use conformance::upstream::Double;

use crate::process::{Start, document};

const HEADER: &[u8] = b"{\"format\":\"json\",\"version\":1}\n";

/// The most that a datagram of IPv4 carries.
const LARGEST: usize = 65_507;

#[test]
fn junk_is_counted_by_cause_and_told_now_and_then() {
    let double = Double::start().unwrap();
    let mut daemon = Start::before(&double).start();
    daemon.get("/metrics");
    let before = daemon.memory_kib("RssAnon");
    let no_line: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').cycle().take(1_200).collect();
    let wrong_header = b"{\"format\":\"xml\",\"version\":1}\n{}".to_vec();
    let binary_header = [&no_line[..], b"\n", &no_line].concat();
    let junk: [&[u8]; 6] = [&no_line, HEADER, &wrong_header, &binary_header, b"\n", b""];
    for round in 0..500 {
        for datagram in junk {
            daemon.send_bytes(datagram);
        }
        if round % 10 == 0 {
            daemon.send(document(round));
        }
        // Let the daemon follow: the kernel's buffer is not what is tested.
        if round % 5 == 0 {
            daemon.until("the datagrams came", |account| account.arrived() + 20 > daemon.sent());
        }
    }
    let account = daemon.settled();
    let after = daemon.memory_kib("RssAnon");
    assert_eq!(account.rejected, account.missing_header + account.missing_document + account.invalid_header);
    if account.kernel == 0 {
        // `HEADER` and the line feed alone have nothing after them.
        assert_eq!(
            (account.missing_header, account.missing_document, account.invalid_header),
            (1_000, 1_000, 1_000)
        );
        assert_eq!(account.sent, 50);
    }
    assert!(after < before + 8 * 1_024, "{before} KiB before, {after} after");
    let (last, ended) = daemon.end();
    assert_eq!((last.rejected, last.sent), (account.rejected, account.sent));
    // Two causes, each at most once in a second.
    let told = ended.log.iter().filter(|line| line.contains("[Warn]")).count();
    assert!((2..60).contains(&told), "{told} lines: {:#?}", ended.log);
    assert!(ended.log.iter().all(|line| line.len() < 600), "lines are short: {:#?}", ended.log);
    assert_eq!(double.account().kept.len() as u64, account.sent);
}

#[test]
fn the_largest_datagrams_arrive_whole() {
    let double = Double::start().unwrap();
    let mut daemon = Start::before(&double).start();
    let mut sent = Vec::new();
    for number in 0..20 {
        let start = format!(r#"{{"id":"{number:016x}","name":"large","metadata":{{"text":""#);
        let room = LARGEST - HEADER.len() - start.len() - 3;
        // Bytes of every kind that UTF-8 and JSON know.
        let text: String =
            "0123456789 \u{e9}\u{2603}\u{1f600}\\u0000\\\\\\\"".chars().cycle().take(room / 2).collect();
        let text = text.trim_end_matches('\\');
        let document = format!("{start}{text:<0$}\"}}}}", 0);
        let padding = " ".repeat(LARGEST - HEADER.len() - document.len());
        let document = document + &padding;
        daemon.send(&document);
        sent.push(document);
        daemon.until("it came", |account| account.arrived() == daemon.sent());
    }
    let account = daemon.settled();
    assert_eq!((account.sent, account.kernel), (20, 0));
    daemon.end();
    let mut came: Vec<String> = double.received(20).into_iter().map(|document| document.text).collect();
    came.sort();
    assert!(came == sent && sent.iter().all(|text| text.len() + HEADER.len() == LARGEST), "byte for byte");
}

#[test]
fn bodies_are_forwarded_whatever_they_are() {
    let double = Double::start().unwrap();
    let mut daemon = Start::before(&double).start();
    let bodies: [&[u8]; 7] = [
        b"no JSON",
        b"{\"id\":\"1\",",
        b"a line\nand another\r\n\n",
        b"\x00\x01\x7f \"quoted\" \\ back\\u2603",
        "\u{2603} \u{1f600} \u{2028}".as_bytes(),
        b"\xff\xfe no UTF-8 \xc3\x28 \xed\xa0\x80",
        b"\n",
    ];
    for body in bodies {
        daemon.send(body);
    }
    let account = daemon.settled();
    assert_eq!((account.sent, account.rejected), (7, 0));
    daemon.end();
    let came: Vec<String> = double.received(7).into_iter().map(|document| document.text).collect();
    // JSON holds text only: what is none becomes U+FFFD, as with the AWS daemon.
    assert_eq!(came, bodies.map(|body| String::from_utf8_lossy(body).into_owned()));
}

#[test]
fn headers_alone_are_rejected_and_nothing_is_called() {
    let double = Double::start().unwrap();
    let mut daemon = Start::before(&double).start();
    for _ in 0..100 {
        daemon.send_bytes(HEADER);
    }
    let account = daemon.settled();
    assert_eq!((account.missing_document, account.rejected), (100, 100));
    let (account, ended) = daemon.end();
    assert_eq!((account.rejected, account.sent), (100, 0));
    assert!(
        ended.log.iter().any(|line| line.contains("[Warn] Missing header or segment")),
        "{:#?}",
        ended.log
    );
    assert!(double.account().kept.is_empty() && double.account().batch_sizes().is_empty());
}
