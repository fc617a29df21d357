//! The `xray-daemon` program; see [`xray_daemon::cli`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    xray_daemon::cli::run(std::env::args_os())
}
