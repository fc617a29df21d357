//! The crate from outside. One executable: each more is a dozen megabytes and its linking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod assembling;
mod drawing;
mod faults;
mod properties;
mod rollbar;
mod rollbar_properties;
mod sampling;
mod sampling_properties;
mod support;
