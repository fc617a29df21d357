//! Any header is read, and what is read is written so that it reads alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xray_runtime::TraceHeader;

fuzz_target!(|value: &[u8]| {
    let header = TraceHeader::parse_bytes(value);
    let written = header.to_string();
    let again = TraceHeader::parse(&written);
    assert_eq!(again, header);
    assert_eq!(again.to_string(), written);
    let data: usize = header.data().map(|(key, value)| key.len() + value.len()).sum();
    assert!(data <= 256);
});
