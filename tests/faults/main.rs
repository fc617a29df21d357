//! What can go wrong: hostile values, absent daemons, guards out of order, panics, floods. Nothing of it may panic, block or
//! grow without bound, and what is lost is counted.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub
)]

mod address;
mod annotations;
mod errors;
mod exporters;
mod futures;
mod guards;
mod large_trees;
mod late;
mod metadata;
mod names;
mod panics;
mod properties;
mod recorders;
mod rule_files;
mod support;
mod threads;
