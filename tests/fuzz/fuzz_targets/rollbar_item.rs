//! Any body is answered by the double of Rollbar's API, and what it accepts is drawn.
#![no_main]

use std::time::SystemTime;

use libfuzzer_sys::fuzz_target;
use xray_console::rollbar::{Double, Event, Request, Settings};
use xray_console::{Format, View};

fuzz_target!(|bytes: &[u8]| {
    let double = Double::new(Settings::default());
    for encoding in ["identity", "gzip"] {
        let headers = [("x-rollbar-access-token", "t"), ("content-encoding", encoding)];
        let request = Request {
            headers: &headers,
            body: bytes,
            ..Request::new("POST", "/api/1/item/", SystemTime::UNIX_EPOCH)
        };
        let answer = double.answer(&request);
        match answer.event {
            Some(Event::Occurrence(occurrence)) => {
                assert_eq!(answer.status, 200);
                assert!(!occurrence.line(Format::Human, View::new()).is_empty());
                assert!(!occurrence.drawing(View::new()).is_empty());
            }
            _ => assert!(answer.status >= 400 || answer.reason == "duplicate"),
        }
    }
});
