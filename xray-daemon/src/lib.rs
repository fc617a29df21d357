//! Receives X-Ray segment documents over UDP, as the AWS X-Ray daemon does, and items over TCP, as Rollbar's API does,
//! and shows both; no account needed.
//!
//! As a program: `xray-daemon tail` (see `xray-daemon -h`). Within a program, a [`LocalDaemon`]:
//!
//! ```
//! use std::io::Write;
//! use std::sync::mpsc;
//! use xray_daemon::LocalDaemon;
//!
//! let (sender, finished) = mpsc::channel();
//! let daemon = LocalDaemon::builder()
//!     .udp("127.0.0.1:0")
//!     .sink(move |finished| sender.send(finished.trace.id().to_owned()).map_err(std::io::Error::other))
//!     .start()?;
//!
//! let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
//! let document = r#"{"trace_id":"1-5e2b4150-000000000000000000000001","id":"c0ffee0100000001","name":"api",
//!                    "start_time":1579893132.0,"end_time":1579893132.12}"#;
//! socket.send_to(format!("{{\"format\":\"json\",\"version\":1}}\n{document}").as_bytes(), daemon.udp_addr())?;
//!
//! assert_eq!(finished.recv()?, "1-5e2b4150-000000000000000000000001");
//! assert_eq!(daemon.shutdown().traces_shown, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod batch;
mod builder;
pub mod cli;
#[cfg(feature = "relay")]
mod daemon;
mod datagram;
mod go_flags;
#[cfg(feature = "relay")]
mod intake;
mod local;
#[cfg(feature = "relay")]
mod log;
mod metrics;
mod nearest;
mod observed;
mod printer;
mod receiver;
pub mod relay;
mod rollbar_commands;
#[cfg(feature = "relay")]
mod settings;
mod show;
mod stats;
mod status;
mod tail;
mod tcp;
pub mod telemetry;
mod throttle;
pub mod upstream;

pub use builder::{Builder, DEFAULT_TCP, DEFAULT_UDP, StartError};
pub use datagram::{Datagram, Reject, parse_datagram};
pub use local::LocalDaemon;
pub use stats::{Dropped, Rejected, Stats};
/// The double of Rollbar's API.
pub use xray_console::rollbar;
/// Sampling rules and targets, as X-Ray's API answers them.
pub use xray_console::sampling;
/// What sinks are given and how it is drawn.
pub use xray_console::{FinishedTrace, Format, Limits, View};
