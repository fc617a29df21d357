//! Rollbar's API of the embedded daemon, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "each test binary uses its part")]
mod support;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use support::PATIENCE;
use support::http::{call, connect, message, parse, raw, request};
use xray_daemon::rollbar::{Fault, Mode, Occurrence};
use xray_daemon::{Builder, LocalDaemon, StartError};

fn start(set: impl FnOnce(Builder) -> Builder) -> (LocalDaemon, SocketAddr, Receiver<Occurrence>) {
    let (sender, items) = channel();
    let builder = LocalDaemon::builder().udp("127.0.0.1:0").tcp("127.0.0.1:0");
    let sink = move |item: &Occurrence| sender.send(item.clone()).map_err(io::Error::other);
    let daemon = set(builder.item_sink(sink)).start().unwrap();
    let addr = daemon.tcp_addr().unwrap();
    (daemon, addr, items)
}

#[test]
fn an_item_is_accepted_and_shown_with_its_line_and_trace() {
    let (daemon, addr, items) = start(|builder| builder.rollbar(Mode::Strict));
    let answer = call(addr, "POST", "/api/1/item/", &message("Hello World!", "warning"));
    assert_eq!((answer.status, answer.json()["err"].as_i64()), (200, Some(0)), "{answer:?}");
    assert!(answer.head.contains("content-type: application/json"), "{answer:?}");
    let item = items.recv_timeout(PATIENCE).unwrap();
    assert_eq!((&*item.message, &*item.level), ("Hello World!", "warning"));
    assert_eq!(answer.json()["result"]["uuid"], *item.uuid);

    // As the real SDK for Python sent it, and without the last slash.
    let flask = std::fs::read_to_string("tests/data/flask_exception.json").unwrap();
    assert_eq!(call(addr, "POST", "/api/1/item", &flask).status, 200);
    let item = items.recv_timeout(PATIENCE).unwrap();
    assert_eq!(item.uuid, "d16d0eda-e633-46a0-a634-5867f12de1a5");
    assert!(item.class.is_some() && item.user_frame.is_some(), "{item:?}");

    // The same uuid again is accepted, and not shown.
    assert_eq!(call(addr, "POST", "/api/1/item/", &flask).status, 200);
    let answer = call(addr, "GET", "/api/1/status/ping", "");
    assert_eq!((answer.status, &*answer.body), (200, "pong"));
    let stats = daemon.shutdown();
    assert_eq!((stats.rollbar.occurrences, stats.rollbar.duplicates, stats.items_shown), (2, 1, 2));
    assert_eq!((stats.requests, stats.requests_refused, stats.dropped.total()), (4, 0, 0));
    assert!(items.recv().is_err(), "the sink is gone with the daemon");
}

#[test]
fn the_modes_differ_in_what_is_merely_inferred() {
    let long = r#"{"data":{"environment":"test","uuid":"0123456789012345678901234567890123456789","body":{"message":{"body":"x"}}}}"#;
    let observed = r#"{"data":{"environment":"test","level":5,"body":{"message":{"body":"x"}}}}"#;
    for (mode, status) in [(Mode::Strict, 422), (Mode::Lenient, 200)] {
        let (daemon, addr, _items) = start(|builder| builder.rollbar(mode));
        assert_eq!(call(addr, "POST", "/api/1/item/", long).status, status);
        let answer = call(addr, "POST", "/api/1/item/", observed);
        assert_eq!(
            (answer.status, &*answer.message()),
            (422, "Invalid format. data.level should be string.")
        );
        assert_eq!(call(addr, "POST", "/api/1/item/", "no JSON").status, 400);
        let nameless =
            request("POST", "/api/1/item/", &[("Host", "localhost")], message("x", "info").as_bytes());
        assert_eq!(raw(addr, &nameless).status, 401);
        assert_eq!(daemon.shutdown().rollbar.refused, 3 + u64::from(mode == Mode::Strict));
    }
}

#[test]
fn deploys_are_told_changed_and_shown() {
    let (sender, deploys) = channel();
    let sink = move |deploy: &xray_daemon::rollbar::Deploy| {
        sender.send((deploy.id, deploy.status.clone())).map_err(io::Error::other)
    };
    let (_daemon, addr, _items) = start(|builder| builder.deploy_sink(sink));
    let answer = call(
        addr,
        "POST",
        "/api/1/deploy/",
        r#"{"environment":"production","revision":"a1b2","status":"started"}"#,
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.json()["data"]["deploy_id"].as_u64().unwrap();
    assert_eq!(deploys.recv_timeout(PATIENCE).unwrap(), (id, "started".to_owned()));
    let answer = call(addr, "PATCH", &format!("/api/1/deploy/{id}"), r#"{"status":"failed"}"#);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(deploys.recv_timeout(PATIENCE).unwrap(), (id, "failed".to_owned()));
}

#[test]
fn paths_and_methods_that_are_none_are_said_so() {
    let (_daemon, addr, _items) = start(|builder| builder);
    for (method, path, status) in [
        ("GET", "/api/1/item/", 405),
        ("POST", "/api/1/nothing/", 404),
        ("POST", "/api/1/", 404),
        ("POST", "/api/2/item/", 404),
        ("GET", "/", 404),
        ("POST", "/debug/rollbar/faults", 404),
    ] {
        let answer = call(addr, method, path, "{}");
        assert_eq!((answer.status, answer.json()["err"].as_i64()), (status, Some(1)), "{method} {path}");
        assert!(!answer.message().is_empty());
    }
    assert!(call(addr, "POST", "/api/2/item/", "{}").message().contains("/api/1/item/"));
}

#[test]
fn a_page_of_another_site_is_refused_whatever_it_asks() {
    let (daemon, addr, items) = start(|builder| builder.allow_host("Console.Example"));
    let ask = |headers: &[(&str, &str)]| {
        let headers = [headers, &[("X-Rollbar-Access-Token", "any")]].concat();
        raw(addr, &request("POST", "/api/1/item/", &headers, message("x", "info").as_bytes()))
    };
    let origin = ("Origin", "http://evil.example:2000");
    for host in
        ["evil.example:2000", "EVIL.example", "evil.example.", "localhost.evil.example", "xray-daemon:2000"]
    {
        let answer = ask(&[("Host", host), origin]);
        assert_eq!(answer.status, 403, "{host}");
        assert!(answer.message().contains("--allow-host"), "{answer:?}");
        assert!(!answer.head.contains("access-control"), "{answer:?}");
    }
    assert_eq!(ask(&[origin]).status, 403, "no Host");
    assert_eq!(ask(&[("Host", "xray-daemon:2000"), ("Accept", "text/html")]).status, 403);
    let http10 = b"GET /api/1/status/ping HTTP/1.0\r\nSec-Fetch-Mode: cors\r\n\r\n";
    assert_eq!(raw(addr, http10).status, 403);
    let absolute = b"GET http://evil.example/api/1/status/ping HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(addr, absolute).status, 403);
    assert!(items.try_recv().is_err());

    for host in
        ["localhost:2000", "LOCALHOST.", "127.0.0.1", "[::1]:2000", "10.1.2.3:2000", "console.example:80"]
    {
        assert_eq!(ask(&[("Host", host), origin]).status, 200, "{host}");
    }
    assert_eq!(ask(&[("Host", "xray-daemon:2000")]).status, 200);
    assert_eq!(ask(&[]).status, 200);
    let stats = daemon.shutdown();
    assert_eq!((stats.requests, stats.requests_refused, stats.rollbar.occurrences), (17, 9, 8));
}

#[test]
fn bodies_are_bounded_and_the_answer_is_read_all_the_same() {
    let (daemon, addr, _items) = start(|builder| builder);
    let room = 512 * 1024 - message("", "info").len();
    assert_eq!(call(addr, "POST", "/api/1/item/", &message(&"x".repeat(room), "info")).status, 200);
    for more in [1, 1024, 20 << 20] {
        let answer = call(addr, "POST", "/api/1/item/", &message(&"x".repeat(room + more), "info"));
        assert_eq!((answer.status, answer.json()["err"].as_i64()), (413, Some(1)), "{more}");
    }
    // In chunks, without a length.
    let mut stream = connect(addr);
    let head = "POST /api/1/item/ HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let piece = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    for _ in 0..32 {
        stream.write_all(&piece).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert_eq!(parse(&all).status, 413);
    assert_eq!(daemon.shutdown().rollbar.occurrences, 1);
}

#[test]
fn what_is_no_http_harms_nothing() {
    let (daemon, addr, items) = start(|builder| builder);
    assert_eq!(raw(addr, b"nonsense\r\n\r\n").status, 400);
    assert_eq!(raw(addr, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").status, 400, "TLS");
    let many: String = (0..200).map(|number| format!("X-{number}: x\r\n")).collect();
    assert_eq!(raw(addr, format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).status, 431);
    // A client that goes away in the middle of its head, and one in the middle of its body.
    for part in
        ["POST /api/1/item/ HTT", "POST /api/1/item/ HTTP/1.1\r\nContent-Length: 100\r\n\r\n{\"data\":"]
    {
        let mut stream = connect(addr);
        stream.write_all(part.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty() || parse(&rest).status == 400, "{part}");
    }
    let nested = format!("{{\"data\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!((400..500).contains(&call(addr, "POST", "/api/1/item/", &nested).status));
    assert_eq!(call(addr, "POST", "/api/1/item/", &message("still here", "info")).status, 200);
    assert_eq!(items.recv_timeout(PATIENCE).unwrap().message, "still here");
    drop(daemon);
}

/// A head that is too large is refused while it is still being sent, so that the answer may be lost to a reset.
#[test]
fn a_head_without_end_is_cut_off() {
    let (_daemon, addr, _items) = start(|builder| builder);
    let mut stream = connect(addr);
    stream.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
    let piece = [b'x'; 1 << 16];
    let mut sent = 0;
    while sent < 64 << 20 && stream.write_all(&piece).is_ok() {
        sent += piece.len();
    }
    assert!(sent < 64 << 20, "the daemon reads on and on");
    assert_eq!(call(addr, "GET", "/api/1/status/ping", "").status, 200);
}

#[test]
fn faults_are_played_on_the_socket() {
    let (daemon, addr, items) = start(|builder| builder.faults(true));
    let faults = "/debug/rollbar/faults";
    let send = || call(addr, "POST", "/api/1/item/", &message("x", "info"));

    let two = r#"[{"status":503},{"status":429,"headers":{"X-Rate-Limit-Remaining-Seconds":"7"}}]"#;
    assert_eq!(call(addr, "POST", faults, two).json()["injected"], 2);
    assert_eq!(send().status, 503);
    let answer = send();
    assert!(answer.status == 429 && answer.head.contains("x-rate-limit-remaining-seconds: 7"), "{answer:?}");
    daemon.rollbar().inject(Fault {
        html: Some("<h1>Bad gateway".to_owned()),
        status: Some(502),
        ..Fault::default()
    });
    let answer = send();
    assert!(answer.status == 502 && answer.head.contains("content-type: text/html"), "{answer:?}");
    daemon
        .rollbar()
        .inject(Fault { redirect_to: Some("http://127.0.0.1:1/".to_owned()), ..Fault::default() });
    let answer = send();
    assert!(answer.status == 307 && answer.head.contains("location: http://127.0.0.1:1/"), "{answer:?}");
    assert!(items.try_recv().is_err(), "none of these was accepted");

    call(addr, "POST", faults, r#"{"slow_read_ms":300}"#);
    let sent = Instant::now();
    assert_eq!(send().status, 200);
    assert!(sent.elapsed() >= Duration::from_millis(300));

    // The whole answer comes at once, and the end of the connection later.
    call(addr, "POST", faults, r#"{"slow_close_ms":400}"#);
    let mut stream = connect(addr);
    let sent = Instant::now();
    let ask = request(
        "POST",
        "/api/1/item/",
        &[("X-Rollbar-Access-Token", "any")],
        message("x", "info").as_bytes(),
    );
    stream.write_all(&ask).unwrap();
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&all).contains("\"err\"") {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "the end before the answer");
        all.extend_from_slice(&piece[..length]);
    }
    stream.read_to_end(&mut all).unwrap();
    assert!(sent.elapsed() >= Duration::from_millis(400));
    assert_eq!(parse(&all).status, 200);

    call(addr, "POST", faults, r#"{"reset_mid_body":true,"accept":true}"#);
    let mut stream = connect(addr);
    stream.write_all(&ask).unwrap();
    let mut all = Vec::new();
    let error = stream.read_to_end(&mut all).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(all.is_empty() || all.starts_with(b"HTTP/1.1 200"), "{all:?}");

    // Bad ones are refused with the reason, and those that wait can be forgotten.
    let answer = call(addr, "POST", faults, r#"{"stauts":503}"#);
    assert!(answer.status == 400 && answer.message().contains("stauts"), "{answer:?}");
    assert_eq!(call(addr, "POST", faults, "{").status, 400);
    assert_eq!(call(addr, "PUT", faults, "").status, 405);
    call(addr, "POST", faults, r#"{"status":500,"times":0}"#);
    assert_eq!((send().status, send().status), (500, 500));
    assert_eq!(call(addr, "DELETE", faults, "").json()["cleared"], 1);
    assert_eq!(send().status, 200);
    assert!(call(addr, "GET", faults, "").json()["faults"].as_u64().unwrap() >= 9);
    let page = [("Host", "localhost"), ("Origin", "http://localhost")];
    assert_eq!(raw(addr, &request("POST", faults, &page, b"{}")).status, 403);
}

#[test]
fn more_connections_than_places_wait_their_turn() {
    let (_daemon, addr, _items) = start(|builder| builder);
    let idle: Vec<_> = (0..200).map(|_| connect(addr)).collect();
    let asking = std::thread::spawn(move || call(addr, "GET", "/api/1/status/ping", ""));
    drop(idle);
    assert_eq!(asking.join().unwrap().body, "pong");
}

#[test]
fn one_connection_serves_many_requests_and_the_end_closes_it() {
    let (daemon, addr, _items) = start(|builder| builder);
    let mut stream = connect(addr);
    for _ in 0..3 {
        stream.write_all(b"GET /api/1/status/ping HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut all = Vec::new();
        let mut piece = [0; 4096];
        while !all.ends_with(b"pong") {
            let length = stream.read(&mut piece).unwrap();
            assert!(length > 0);
            all.extend_from_slice(&piece[..length]);
        }
    }
    let began = Instant::now();
    assert_eq!(daemon.shutdown().requests, 3);
    assert!(began.elapsed() < Duration::from_secs(2), "an idle connection is not waited for");
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_request_under_way_is_answered_at_the_end() {
    let (daemon, addr, items) = start(|builder| builder);
    daemon.rollbar().inject(Fault { slow_read_ms: 300, ..Fault::default() });
    let asking = std::thread::spawn(move || call(addr, "POST", "/api/1/item/", &message("last", "info")));
    let deadline = Instant::now() + PATIENCE;
    while daemon.stats().requests == 0 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(daemon.shutdown().items_shown, 1);
    assert_eq!(asking.join().unwrap().status, 200);
    assert_eq!(items.recv().unwrap().message, "last");
}

#[test]
fn a_taken_tcp_port_is_an_error_to_match() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = other.local_addr().unwrap().to_string();
    match LocalDaemon::builder().udp("127.0.0.1:0").tcp(&addr).start() {
        Err(StartError::TcpAddrInUse { addr: taken }) => assert_eq!(taken, addr),
        other => panic!("{other:?}"),
    }
    for bad in ["", "127.0.0.1", "192.0.2.1:0"] {
        let error = LocalDaemon::builder().udp("127.0.0.1:0").tcp(bad).start().unwrap_err();
        assert!(matches!(error, StartError::TcpBind { .. }) && error.to_string().contains(bad), "{error}");
    }
    let daemon = LocalDaemon::builder().udp("127.0.0.1:0").start().unwrap();
    assert_eq!(daemon.tcp_addr(), None);
}

#[test]
fn an_item_sink_that_fails_or_panics_is_counted_and_called_again() {
    let (sender, called) = channel();
    let (daemon, addr, _items) = start(|builder| {
        builder.item_sink(move |item| {
            sender.send(item.message.clone()).unwrap();
            match &*item.message {
                "fails" => Err(io::Error::other("no room")),
                "panics" => panic!("a test's panic"),
                _ => Ok(()),
            }
        })
    });
    for text in ["fails", "panics", "works"] {
        assert_eq!(call(addr, "POST", "/api/1/item/", &message(text, "info")).status, 200);
        assert_eq!(called.recv_timeout(PATIENCE).unwrap(), text);
    }
    let stats = daemon.shutdown();
    assert_eq!((stats.items_shown, stats.dropped.sink_failed), (3, 2));
}
