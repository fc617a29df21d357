//! How much a captured future grows, in bytes, by number: 64 are allowed, arguments aside.
#![allow(missing_docs)]

use std::future::Future;
use std::mem::size_of_val;

use xray_runtime::xray_capture;

mod plain {
    pub(crate) async fn empty() {}

    pub(crate) async fn waits(text: &str, n: u64) -> Result<u64, String> {
        tokio::task::yield_now().await;
        if n == 0 { Err(text.to_owned()) } else { Ok(n) }
    }

    pub(crate) async fn carries(bytes: [u8; 256]) -> usize {
        tokio::task::yield_now().await;
        bytes.len()
    }

    pub(crate) fn returned(n: u64) -> impl Future<Output = u64> {
        std::future::ready(n)
    }

    use std::future::Future;
}

mod captured {
    use super::{Future, xray_capture};

    #[xray_capture]
    pub(crate) async fn empty() {}

    #[xray_capture]
    pub(crate) async fn waits(text: &str, n: u64) -> Result<u64, String> {
        tokio::task::yield_now().await;
        if n == 0 { Err(text.to_owned()) } else { Ok(n) }
    }

    #[xray_capture]
    pub(crate) async fn carries(bytes: [u8; 256]) -> usize {
        tokio::task::yield_now().await;
        bytes.len()
    }

    #[xray_capture]
    pub(crate) fn returned(n: u64) -> impl Future<Output = u64> {
        std::future::ready(n)
    }
}

#[test]
fn a_captured_future_grows_by_at_most_64_bytes() {
    let growth = [
        ("empty", size_of_val(&captured::empty()), size_of_val(&plain::empty()), 0),
        // Two arguments of 24 bytes together move into the inner future: the outer keeps a copy of them.
        ("waits", size_of_val(&captured::waits("", 1)), size_of_val(&plain::waits("", 1)), 24),
        ("carries", size_of_val(&captured::carries([0; 256])), size_of_val(&plain::carries([0; 256])), 0),
        ("returned", size_of_val(&captured::returned(1)), size_of_val(&plain::returned(1)), 0),
    ];
    for (name, captured, plain, arguments) in growth {
        println!("{name}: {plain} bytes plain, {captured} captured");
        assert!(captured <= plain + arguments + 64, "{name}: {plain} bytes plain, {captured} captured");
    }
}
