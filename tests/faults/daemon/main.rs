//! What can go wrong with the daemon: upstreams that are down, refuse, hang, reset and are slow; floods, junk and datagrams as large as
//! they come; full disks, taken ports, signals at the wrong moment. It keeps running, nothing comes twice, and the account
//! closes: in = sent + rejected by cause + dropped by cause.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub
)]

mod account;
mod answers;
mod any_upstream;
mod clocked;
mod connections;
mod credentials;
mod datagrams;
mod in_process;
mod logging;
mod memory;
mod outage;
mod process;
mod proxy;
mod signals;
mod start;
