//! Holds the crates against vectors: files of inputs, each with the answer that the specification asks for.
//!
//! A family of vectors is known by its file name, wherever below the given folder the file lies; `FAMILIES` in
//! `family.rs` is the list.

/// The blocks of the project's README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

mod cloudwatch_otlp;
mod family;
mod input;
mod json;
mod rollbar;
mod runner;
pub mod upstream;
mod xray;

pub use family::knows;
pub use json::same;
pub use runner::{RunError, Tally, run};
