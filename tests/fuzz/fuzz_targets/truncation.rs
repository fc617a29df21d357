//! Any data with a body that the API takes can be made to fit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollbar_runtime::__conformance::truncate;
use serde_json::{Value, json};

fuzz_target!(|document: &str| {
    const MAX_BYTES: usize = 32 * 1024;
    let Ok(Value::Object(mut data)) = serde_json::from_str(document) else { return };
    // Short enough for the fuzzer, long enough for the limit.
    let large = document.repeat(1 + 2 * MAX_BYTES / document.len());
    data.insert("custom".to_owned(), json!({ "large": large, "same": data }));
    data.insert("body".to_owned(), json!({"message": {"body": large, "tree": data}}));
    data.retain(|key, _| {
        !["environment", "level", "uuid", "language", "title", "notifier"].contains(&key.as_str())
    });
    data.insert("environment".to_owned(), json!("production"));
    let mut payload = json!({ "data": data });
    let (fits, _) = truncate(&mut payload, MAX_BYTES);
    assert!(fits && payload.to_string().len() <= MAX_BYTES);
    assert!(payload.pointer("/data/body/message/body").is_some_and(Value::is_string));
});
