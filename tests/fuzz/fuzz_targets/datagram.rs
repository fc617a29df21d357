//! Any datagram is rejected with a reason, or its document is refused with one, or it is drawn.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use xray_console::{Document, Format, Trace, View};
use xray_daemon::parse_datagram;

const HEADER: &[u8] = b"{\"format\":\"json\",\"version\":1}\n";

fuzz_target!(|bytes: &[u8]| {
    match parse_datagram(bytes) {
        Ok(datagram) => {
            assert!(!datagram.body.is_empty() && bytes.ends_with(datagram.body));
            draw(datagram.body);
        }
        Err(reject) => assert!(!reject.to_string().is_empty()),
    }
    // The document is where the depth is: do not wait until the fuzzer has found the header.
    let framed = [HEADER, bytes].concat();
    match parse_datagram(&framed) {
        Ok(datagram) => {
            assert_eq!(datagram.body, bytes);
            draw(bytes);
        }
        Err(_) => assert!(bytes.is_empty()),
    }
});

fn draw(document: &[u8]) {
    match Document::parse(document) {
        Ok(document) => {
            let trace = Trace::of(vec![Arc::new(document)]).expect("one document makes a trace");
            for format in [Format::Human, Format::Json, Format::Logfmt] {
                assert!(!trace.line(format, View::new()).is_empty());
            }
            assert!(!trace.waterfall(View::new()).is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
