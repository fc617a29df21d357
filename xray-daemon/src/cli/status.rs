//! `status` and its flags.

use std::process::ExitCode;

use clap::Args;

use super::complain;
use crate::builder::DEFAULT_TCP;
use crate::go_flags::Flag;

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The TCP address of the daemon to ask
    #[arg(short = 't', long, value_name = "ADDR", default_value = DEFAULT_TCP)]
    pub(crate) bind_tcp: String,
    /// Print the daemon's answer as it is: JSON, as at /health
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const FLAGS: &[Flag] =
    &[Flag::value("t", "bind-tcp"), Flag::switch("", "json"), Flag::switch("h", "help")];

pub(super) fn run(options: &Status) -> ExitCode {
    match crate::status::run(options, &mut std::io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => complain(&error.to_string(), 1),
    }
}
