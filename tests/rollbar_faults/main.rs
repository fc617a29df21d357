//! What can go wrong with reports: hostile errors and values, panics where nobody expects them, services that fail, floods. Nothing
//! of it may panic, block or grow without bound; what arrives is valid, and what does not is counted.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub
)]

mod accounts;
mod bursts;
mod errors;
mod futures;
mod large;
mod network;
mod panics;
mod properties;
mod recursion;
mod scopes;
mod stacked;
mod values;

#[path = "../rollbar_delivery/support.rs"]
#[allow(dead_code)]
mod support;
