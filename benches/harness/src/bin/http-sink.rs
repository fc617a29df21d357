//! The receiving end of reports: a local HTTP server that answers as Rollbar and Sentry do, and counts.
//!
//! `POST ../item/` is an item of Rollbar's, `POST ../envelope/` an envelope of Sentry's; `GET /counts` tells what came so far.

use std::time::Duration;

use harness::http::{self, Answer};
use memchr::memmem;

/// What came so far.
#[derive(Default)]
struct Counts {
    items: u64,
    bytes: u64,
    /// Losses that an envelope tells of.
    told: u64,
}

fn main() {
    let mut counts = Counts::default();
    http::serve(Duration::ZERO, |path, body| Answer { body: counts.answer(path, body), delayed: false });
}

impl Counts {
    fn answer(&mut self, path: &[u8], body: &[u8]) -> String {
        if path.starts_with(b"/counts") {
            let Counts { items, bytes, told } = *self;
            return format!(r#"{{"items":{items},"bytes":{bytes},"told":{told}}}"#);
        }
        self.bytes += body.len() as u64;
        if path.ends_with(b"/envelope/") {
            self.items += memmem::find_iter(body, br#""type":"event""#).count() as u64;
            self.told += told(body);
            r#"{"id":"00000000000000000000000000000000"}"#.to_owned()
        } else {
            self.items += 1;
            let uuid = memmem::find(body, br#""uuid":""#).and_then(|at| body.get(at + 8..at + 44));
            let uuid = uuid.and_then(|uuid| std::str::from_utf8(uuid).ok()).unwrap_or_default();
            format!(r#"{{"err":0,"result":{{"id":null,"uuid":"{uuid}"}}}}"#)
        }
    }
}

/// Errors that Sentry's client says it lost: `{"reason":"..","category":"error","quantity":3}` of a client report.
fn told(body: &[u8]) -> u64 {
    if memmem::find(body, br#""discarded_events""#).is_none() {
        return 0;
    }
    let text = String::from_utf8_lossy(body);
    let losses = text.split('{').filter(|part| part.contains(r#""category":"error""#));
    losses
        .filter_map(|part| {
            let digits = part.split_once(r#""quantity":"#)?.1;
            digits.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
        })
        .sum()
}
