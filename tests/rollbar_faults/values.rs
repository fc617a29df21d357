//! Values that are no JSON, or hardly.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rollbar_runtime::item::Request;
use rollbar_runtime::{Level, Report, current_scope};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::errors::only;

struct Panics;

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("no value")
    }
}

struct Fails;

impl Serialize for Fails {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("it has no value"))
    }
}

/// So many arrays, one within the other.
struct Deep(u32);

impl Serialize for Deep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.serialize_str("at the bottom"),
            n => serializer.collect_seq([Deep(n - 1)]),
        }
    }
}

#[test]
fn what_cannot_be_written_is_left_out_and_the_rest_arrives() {
    let not_utf8 = OsStr::from_bytes(b"/tmp/\xff\xfe");
    let data = only(|| {
        current_scope().put_custom("panics", Panics);
        current_scope().put_custom("fails", Fails);
        Report::message("odd values", Level::Error)
            .custom("panics too", Panics)
            .custom("fails too", Fails)
            .custom("path", Path::new(not_utf8))
            .custom("nan", f64::NAN)
            .custom("infinite", f32::NEG_INFINITY)
            .custom("large", u128::MAX)
            .custom("numbers as keys", BTreeMap::from([(1_u8, 'a')]))
            .custom("pairs as keys", BTreeMap::from([((1_u8, 2_u8), 'a')]))
            .custom("", "no key")
            .custom("k\u{0}\u{202e}\u{1f600}", "odd\u{0}\r\n\u{feff}")
            .custom("bytes", b"\xff\x00")
            .custom("lossy", not_utf8.to_string_lossy())
            .custom("password", "secret")
            .send()
            .unwrap();
    });
    let custom = &data["custom"];
    assert_eq!(custom["nan"], Value::Null);
    assert_eq!(custom["infinite"], Value::Null);
    assert_eq!(custom["numbers as keys"]["1"], "a");
    assert_eq!(custom[""], "no key");
    assert_eq!(custom["k\u{0}\u{202e}\u{1f600}"], "odd\u{0}\r\n\u{feff}");
    assert_eq!(custom["lossy"], "/tmp/\u{fffd}\u{fffd}");
    assert_eq!(custom["password"], "********");
    for gone in ["panics", "panics too", "fails", "fails too", "path", "pairs as keys"] {
        assert_eq!(custom.get(gone), None, "{gone}");
    }
}

#[test]
fn a_thousand_levels() {
    for levels in [50, 100, 130, 1_000] {
        let data = only(|| {
            Report::message("deep", Level::Error)
                .custom("deep", Deep(levels))
                .custom("shallow", 1)
                .send()
                .unwrap();
        });
        assert_eq!(data["custom"]["shallow"], 1);
        assert!(data["custom"]["deep"].is_array());
    }
}

#[test]
fn a_thousand_levels_that_a_hook_makes() {
    let local = crate::support::Local::new();
    let deep = |_: ()| (0..1_000).fold(Value::from("bottom"), |inner, _| serde_json::json!([{ "a": inner }]));
    let rollbar = local
        .builder()
        .transform(move |item| {
            item.custom_mut().insert("first".to_owned(), deep(()));
            true
        })
        .before_send(move |data| {
            data["custom"]["last"] = deep(());
            data["request"]["extra"] = deep(());
            true
        })
        .build()
        .unwrap();
    let (_, flushed) = crate::support::report(&rollbar, "deep");
    assert_eq!(flushed.sent, 1, "{:#?}", rollbar.stats());
}

#[test]
fn a_hook_that_makes_nonsense_of_it_loses_that_item_alone() {
    let local = crate::support::Local::new();
    let calls = std::sync::atomic::AtomicU32::new(0);
    let rollbar = local
        .builder()
        .before_send(move |data| {
            match calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => *data = Value::Null,
                1 => data["body"] = Value::from(7),
                2 => data["level"] = Value::from(vec![1]),
                3 => data["uuid"] = Value::Null,
                _ => data["custom"] = serde_json::json!({ "fine": true }),
            }
            true
        })
        .build()
        .unwrap();
    for n in 0..5 {
        let _ = crate::support::report(&rollbar, &format!("number {n}"));
    }
    let stats = rollbar.stats();
    assert_eq!((stats.sent, stats.dropped_refused, stats.dropped()), (2, 3, 3), "{stats:#?}");
}

#[test]
fn a_request_with_odd_headers() {
    let data = only(|| {
        let mut request = Request::new("GET", "http://h/?token=1");
        request.put_header("x-odd", "\u{fffd}\u{0}");
        request.put_header("", "");
        request.put_header("Cookie", "session=1");
        current_scope().set_request(Some(request));
        Report::message("odd", Level::Error).send().unwrap();
    });
    assert_eq!(data["request"]["headers"]["x-odd"], "\u{fffd}\u{0}");
    assert_eq!(data["request"]["headers"]["Cookie"], "********");
}
