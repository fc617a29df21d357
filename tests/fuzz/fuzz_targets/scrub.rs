//! Any text is scrubbed once and for all, and what is left of it stood in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollbar_runtime::__conformance::scrub;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let fields = ["password", "token", "api_key", "x-*"];
    let mut once = Value::from(text);
    scrub(&fields, &mut once);
    let mut again = once.clone();
    scrub(&fields, &mut again);
    assert_eq!(once, again);
    // Also as a key, and as what a tree is read from.
    scrub(&fields, &mut Value::Object([(text.to_owned(), once)].into_iter().collect()));
    if let Ok(mut tree) = serde_json::from_str(text) {
        scrub(&fields, &mut tree);
    }
});
