//! Reports errors, panics and messages to Rollbar.
#![forbid(unsafe_code)]

mod addresses;
mod assembly;
mod baggage;
mod builder;
mod capture;
mod client;
mod crossing;
mod current;
mod delivery;
mod deploy;
mod endpoint;
mod ip;
pub mod item;
mod level;
mod memory;
mod occurrence;
mod panic;
mod queue;
mod rate;
mod report;
mod response;
mod scope;
mod scoped;
mod scrub;
mod settings;
mod spool;
mod stats;
mod symbols;
mod trace;
mod transport;
mod tree;
mod truncation;
mod worker;

/// What the attribute expands to. No part of the public interface: it changes with each version.
#[doc(hidden)]
pub mod __private {
    pub use crate::capture::*;
}

/// Captured stacks and their frames, for tests: within this crate no frame is the user's.
#[doc(hidden)]
pub mod __symbols {
    pub use crate::addresses::capture;
    pub use crate::symbols::{SymbolSettings, Symbols};
}

#[doc(hidden)]
#[path = "conformance.rs"]
pub mod __conformance;

pub use builder::{BuildError, RollbarBuilder};
pub use client::{Flushed, Rollbar, RollbarGuard};
pub use deploy::{Deploy, DeployError, DeployId, DeployStatus};
pub use endpoint::{DEFAULT_ENDPOINT, Endpoint, InvalidEndpoint};
pub use ip::IpPolicy;
pub use level::{Level, LevelError};
pub use memory::{Captured, CapturedItem};
pub use report::{Report, report_error, report_message};
pub use scope::{FutureExt, MAX_TELEMETRY, Scope, current_scope, in_scope, record_telemetry};
pub use scoped::{InScope, spawn, spawn_blocking};
pub use stats::Stats;
pub use transport::{
    BoxFuture, MAX_ANSWER_BYTES, Payload, Proxy, Response, Transport, TransportError, TransportErrorKind,
    TransportSetupError,
};
pub use xray_macros::rollbar_report;
