//! Code of the expansion shows no lint, whatever the user's crate denies.
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    unused_results,
    trivial_casts,
    unused_lifetimes
)]
#![deny(
    single_use_lifetimes,
    let_underscore_drop,
    unit_bindings,
    non_ascii_idents,
    elided_lifetimes_in_paths
)]
#![deny(
    unused_braces,
    unused_parens,
    unreachable_code,
    unused_assignments,
    dead_code,
    unused_must_use,
    keyword_idents
)]
#![deny(
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::redundant_closure_call,
    clippy::items_after_statements
)]
#![deny(
    clippy::used_underscore_binding,
    clippy::needless_pass_by_value,
    clippy::let_unit_value,
    clippy::large_futures
)]
#![deny(
    clippy::ignored_unit_patterns,
    clippy::semicolon_if_nothing_returned,
    clippy::needless_borrows_for_generic_args
)]
#![deny(clippy::shadow_unrelated, clippy::shadow_reuse)]

use std::error::Error;
use std::future::Future;

use xray_runtime::xray_capture;

#[xray_capture]
fn plain(first: u32, second: u32) -> u32 {
    first + second
}

#[xray_capture]
fn unit() {}

#[xray_capture]
fn item_first(text: &str) -> usize {
    use std::str::Bytes;
    let bytes: Bytes<'_> = text.bytes();
    bytes.len()
}

#[xray_capture]
async fn item_first_async(text: &str) -> Result<usize, Box<dyn Error>> {
    use std::str::Bytes;
    let bytes: Bytes<'_> = text.bytes();
    Ok(std::future::ready(bytes.len()).await)
}

#[xray_capture(annotations(text, length = text.len(), twice = text.len() * 2), metadata(text))]
fn fallible(text: &str) -> Result<u8, Box<dyn Error>> {
    if text.is_empty() {
        return Err("empty".into());
    }
    Ok(text.parse()?)
}

#[xray_capture(segment, error = "ignore")]
async fn owned(first: String, _second: String, third: String) -> Result<String, Box<dyn Error>> {
    std::future::ready(()).await;
    Ok(first + &third)
}

#[xray_capture]
fn returned(n: u64) -> impl Future<Output = u64> + Send {
    async move { n }
}

#[test]
fn no_lint_is_shown() {
    assert_eq!(plain(1, 2), 3);
    unit();
    assert_eq!(item_first("abc"), 3);
    assert!(fallible("").is_err());
    drop((item_first_async(""), owned(String::new(), String::new(), String::new()), returned(1)));
}
