//! Each row of the API's answers and each fault that the double can inject, from a report to the double and back: what the
//! client counts is what the double has.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

mod answers;
mod faults;
mod spool;
mod support;
