//! Proxies that answer for the service or not at all, and a service that goes and comes back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rollbar_runtime::{Level, Proxy, Rollbar, RollbarBuilder, Stats, report_message};
use xray_console::rollbar::Mode;
use xray_daemon::LocalDaemon;

use crate::accounts::assert_adds_up;
use crate::support::{LONG, Local, TOKEN, report};

/// What stands between the client and the double.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Answers all by itself.
    Html(u16),
    /// Accepts and says nothing.
    Hangs,
    /// Answers with bytes that are no HTTP.
    Noise,
    /// Answers without end.
    Endless,
    /// Closes at once.
    Closes,
}

struct Middle {
    url: String,
    calls: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
}

impl Middle {
    fn new(way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (calls, over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, ended) = (Arc::clone(&calls), Arc::clone(&over));
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                counted.fetch_add(1, Ordering::Relaxed);
                match way {
                    Way::Closes => drop(stream),
                    Way::Hangs => kept.push(stream),
                    Way::Html(_) | Way::Noise | Way::Endless => {
                        std::thread::spawn(move || answer(stream, way));
                    }
                }
            }
        });
        Self { url, calls, over }
    }
}

impl Drop for Middle {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

fn answer(mut stream: TcpStream, way: Way) {
    let mut request = vec![0; 64 << 10];
    let mut read = 0;
    while !request[..read].windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut request[read..]) {
            Ok(bytes) if bytes > 0 => read += bytes,
            _ => return,
        }
    }
    let html = "<html><body>Access through this proxy needs a login</body></html>";
    let _ = match way {
        Way::Html(status) => write!(
            stream,
            "HTTP/1.1 {status} Proxy\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{html}",
            html.len()
        ),
        Way::Noise => stream.write_all(&[0xff; 300]),
        _ => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
            while stream.write_all(&[b'<'; 4096]).is_ok() {}
            Ok(())
        }
    };
}

fn builder(middle: &Middle) -> RollbarBuilder {
    // Plain http to a name that only the proxy could know.
    Rollbar::builder()
        .access_token(TOKEN)
        .environment("test")
        .endpoint("http://rollbar.invalid/api/1/")
        .proxy(Proxy::Url(middle.url.clone()))
        .panics(false)
        .retries(0)
        .timeouts(Duration::from_secs(5), Duration::from_millis(700))
}

fn one(way: Way) -> (Stats, u32) {
    let middle = Middle::new(way);
    let rollbar = builder(&middle).build().unwrap();
    let (_, flushed) = report(&rollbar, "to a proxy");
    assert_eq!(flushed.pending, 0);
    let stats = rollbar.stats();
    assert_adds_up(&stats);
    assert!(rollbar.is_enabled());
    (stats, middle.calls.load(Ordering::Relaxed))
}

#[test]
fn a_proxy_that_answers_html() {
    for status in [403, 407, 200 + 204, 511 - 89] {
        assert_eq!(one(Way::Html(status)).0.dropped_refused, 1, "{status}");
    }
    for status in [502, 503, 504] {
        assert_eq!(one(Way::Html(status)).0.dropped_unreachable, 1, "{status}");
    }
}

#[test]
fn a_proxy_that_says_nothing_or_nonsense() {
    for way in [Way::Hangs, Way::Noise, Way::Closes] {
        let (stats, calls) = one(way);
        assert_eq!(stats.dropped_unreachable, 1, "{stats:#?}");
        assert!(calls >= 1);
    }
    let (stats, _) = one(Way::Endless);
    assert_eq!(stats.sent + stats.dropped(), 1, "{stats:#?}");
}

#[test]
fn a_proxy_that_hangs_delays_neither_the_program_nor_its_end() {
    /// As long takes whatever waits for the proxy.
    const HANGS: Duration = Duration::from_secs(60);
    let middle = Middle::new(Way::Hangs);
    let rollbar = builder(&middle)
        .timeouts(HANGS, HANGS)
        .shutdown_timeout(Duration::from_millis(50))
        .install()
        .unwrap();
    let begun = Instant::now();
    rollbar.enter(|| {
        for n in 0..1_000 {
            report_message(format!("number {n}"), Level::Error).unwrap();
        }
    });
    let flushed = rollbar.flush(Duration::from_millis(50));
    assert_eq!((flushed.sent, flushed.dropped, flushed.pending), (0, 0, 1_000));
    drop(rollbar);
    assert!(begun.elapsed() < HANGS, "{:?}", begun.elapsed());
}

fn daemon(address: &str) -> LocalDaemon {
    let end = Instant::now() + LONG;
    loop {
        match LocalDaemon::builder().udp("127.0.0.1:0").tcp(address).rollbar(Mode::Strict).start() {
            Ok(daemon) => return daemon,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
    }
}

#[test]
fn a_service_that_goes_and_comes_back() {
    let first = daemon("127.0.0.1:0");
    let address = first.tcp_addr().unwrap().to_string();
    let rollbar = Rollbar::builder()
        .access_token(TOKEN)
        .environment("test")
        .endpoint(format!("http://{address}"))
        .proxy(Proxy::Off)
        .panics(false)
        .retries(6)
        .build()
        .unwrap();
    let mut uuids: Vec<String> = Vec::new();
    let mut send = |text: &str| {
        let uuid = rollbar.enter(|| report_message(text, Level::Error)).unwrap().to_string();
        uuids.push(uuid);
    };
    send("first");
    assert_eq!(rollbar.flush(LONG).sent, 1);
    first.shutdown();
    for n in 0..8 {
        send(&format!("while it is gone {n}"));
    }
    // The first tries fail.
    assert_eq!(rollbar.flush(Duration::from_millis(300)).pending, 8);
    let second = daemon(&address);
    assert_eq!(rollbar.flush(LONG).sent, 8, "{:#?}", rollbar.stats());
    let mut arrived: Vec<String> =
        second.rollbar().occurrences(100).iter().map(|occurrence| occurrence.uuid.clone()).collect();
    arrived.sort();
    uuids.remove(0);
    uuids.sort();
    assert_eq!(arrived, uuids);
    assert_eq!(second.rollbar().stats().duplicates, 0);
}

#[test]
fn a_thousand_lost_answers_make_no_duplicate() {
    let local = Local::new();
    for n in 0..40 {
        local.double().inject(xray_console::rollbar::Fault {
            reset_mid_body: n % 2 == 0,
            accept: true,
            status: (n % 2 == 1).then_some(502),
            ..Default::default()
        });
    }
    let rollbar = local.builder().retries(10).connections(16).build().unwrap();
    rollbar.enter(|| {
        for n in 0..200 {
            report_message(format!("number {n}"), Level::Error).unwrap();
        }
    });
    assert_eq!(rollbar.flush(LONG).sent, 200, "{:#?}", rollbar.stats());
    let stats = local.double().stats();
    assert_eq!((stats.occurrences, stats.duplicates), (200, 40), "{stats:?}");
}
