//! Any body of a sampling call is answered with JSON, and any file of rules is taken or refused with a reason.
#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use xray_console::sampling::{PATHS, RulesFile, SamplingRules};

fuzz_target!(|bytes: &[u8]| {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    if let Ok(text) = std::str::from_utf8(bytes) {
        match RulesFile::from_json(text) {
            Ok(file) => answers(&SamplingRules::new(file, now), b"{}", now),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    answers(&SamplingRules::everything(now), bytes, now);
});

fn answers(rules: &SamplingRules, body: &[u8], now: SystemTime) {
    for path in PATHS {
        let answer = rules.answer(path, body, now);
        assert!(matches!(answer.status, 200 | 400), "{}", answer.status);
        serde_json::from_slice::<serde_json::Value>(&answer.body).expect("an answer is JSON");
    }
}
