//! Values that are far too large: what is kept of them is bounded, and so is the time.

use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};

use rollbar_runtime::item::{Person, Telemetry};
use rollbar_runtime::{Level, Report, current_scope, record_telemetry, report_error, report_message};

use crate::errors::{only, traces};
use crate::support::{LONG, Local};

const MANY: usize = 50 << 20;

/// Longer than it takes in a debug build beside other tests.
const BOUND: Duration = Duration::from_secs(20);

/// Errors of 50 MB, in one piece and bit by bit.
#[derive(Debug)]
struct Large {
    piece: usize,
}

impl fmt::Display for Large {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let piece = "\u{e9}".repeat(self.piece / 2);
        for _ in 0..MANY / self.piece {
            f.write_str(&piece)?;
        }
        Ok(())
    }
}

impl std::error::Error for Large {}

#[test]
fn a_message_of_50_mb() {
    let message = "x\u{1f600}y".repeat(MANY / 6);
    let begun = Instant::now();
    let data = only(move || assert!(report_message(message, Level::Error).is_some()));
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    assert!(data["body"]["message"]["body"].as_str().unwrap().starts_with("x\u{1f600}yx"));
}

#[test]
fn an_error_text_of_50_mb() {
    for piece in [MANY, 4_096, 2] {
        let begun = Instant::now();
        let data = only(|| assert!(report_error(&Large { piece }).is_some()));
        assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
        assert!(traces(&data)[0]["exception"]["message"].as_str().unwrap().chars().all(|c| c == '\u{e9}'));
    }
}

#[test]
fn all_the_rest_of_20_mb() {
    let text = "t ".repeat(10 << 20);
    let local = Local::new();
    let rollbar = local.builder().queue(10, 1 << 30).build().unwrap();
    let begun = Instant::now();
    rollbar.enter(|| {
        for _ in 0..200 {
            record_telemetry(Telemetry::log(Level::Info, &text[..1 << 20]));
        }
        current_scope().put_custom("large", &text);
        current_scope().set_context(Some(&text));
        let mut keys = String::new();
        for n in 0..1_000 {
            write!(keys, "{n},").unwrap();
            current_scope().put_custom(format!("{n}{}", &text[..1_000]), n);
        }
        Report::message("small", Level::Error)
            .title(&text)
            .fingerprint(&text)
            .context(&text)
            .person(Person::new(&text).with_username(&text).with("large", text.clone()))
            .custom("list", vec![&text[..1_000]; 10_000])
            .custom("text", &text)
            .send()
            .unwrap();
    });
    assert_eq!(rollbar.flush(Duration::from_secs(120)).sent, 1, "{:#?}", rollbar.stats());
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let occurrences = local.double().occurrences(10);
    assert_eq!(occurrences[0].message, "small");
    assert!(occurrences[0].bytes <= 512 * 1024);
}

#[test]
fn what_alone_is_more_than_the_queue_takes_drives_nothing_out() {
    let local = Local::new();
    // Nothing is sent yet: the first call takes its time.
    local.double().inject(xray_console::rollbar::Fault { slow_read_ms: 500, ..Default::default() });
    let rollbar = local.builder().connections(1).queue(100, 1 << 20).build().unwrap();
    rollbar.enter(|| {
        for n in 0..10 {
            assert!(report_message(format!("small {n}"), Level::Debug).is_some());
        }
        let large = "l".repeat(2 << 20);
        for report in [
            Report::message("m", Level::Critical).fingerprint(&large),
            Report::message("m", Level::Critical).title(&large),
            Report::message("m", Level::Critical).context(&large),
            Report::message("m", Level::Critical).custom("large", &large),
        ] {
            assert_eq!(report.send(), None);
        }
    });
    assert_eq!(rollbar.flush(LONG).pending, 0);
    let stats = rollbar.stats();
    assert_eq!(stats.dropped_queue_full, 4, "{stats:#?}");
    assert!(stats.sent >= 10, "{stats:#?}");
}
