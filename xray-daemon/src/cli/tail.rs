//! `tail` and its flags.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use xray_console::Format;
use xray_console::rollbar::Mode;

use super::{USAGE, complain};
use crate::builder::{DEFAULT_TCP, DEFAULT_UDP};
use crate::go_flags::Flag;
use crate::tail;

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Draw each trace as a waterfall instead of a line
    #[arg(long)]
    pub(crate) waterfall: bool,
    /// Only traces with a fault, an error or throttling in them, and items of the levels error and critical
    #[arg(long)]
    pub(crate) errors: bool,
    /// The form of a line
    #[arg(long, value_enum, default_value_t = FormatArg::Human)]
    format: FormatArg,
    /// Draw with ASCII characters only
    #[arg(long)]
    pub(crate) ascii: bool,
    /// The UDP address to listen on
    #[arg(short = 'b', long, value_name = "ADDR", default_value = DEFAULT_UDP)]
    pub(crate) bind: String,
    /// The TCP address to answer Rollbar's API on; if not given, that of --bind where it is loopback, else its port there
    #[arg(short = 't', long, value_name = "ADDR")]
    bind_tcp: Option<String>,
    /// What Rollbar's API refuses: what the real one is known to, or what it is merely thought to as well
    #[arg(long, value_enum, default_value_t = ModeArg::Lenient)]
    rollbar: ModeArg,
    /// Answer requests for sampling rules and targets from this file; if not given, every request is to be sampled
    #[arg(long, value_name = "FILE")]
    pub(crate) sampling_rules: Option<PathBuf>,
    /// One more name under which web pages may ask over TCP; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// Let programs of this machine inject faults into Rollbar's API, at /debug/rollbar/faults
    #[arg(long)]
    pub(crate) faults: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    Strict,
    Lenient,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    Human,
    Json,
    Logfmt,
}

impl Tail {
    /// Where to answer HTTP. SDKs take one address for both protocols, so that a `tail` elsewhere on UDP is expected
    /// there on TCP too; what others on the network reach is listened on only where it is asked for.
    pub(crate) fn tcp(&self) -> String {
        if let Some(addr) = &self.bind_tcp {
            return addr.clone();
        }
        let Some((host, port)) = self.bind.rsplit_once(':') else { return DEFAULT_TCP.to_owned() };
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        if is_loopback { self.bind.clone() } else { format!("127.0.0.1:{port}") }
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.rollbar {
            ModeArg::Strict => Mode::Strict,
            ModeArg::Lenient => Mode::Lenient,
        }
    }

    pub(crate) fn format(&self) -> Format {
        match self.format {
            FormatArg::Human => Format::Human,
            FormatArg::Json => Format::Json,
            FormatArg::Logfmt => Format::Logfmt,
        }
    }
}

pub(super) const FLAGS: &[Flag] = &[
    Flag::switch("", "waterfall"),
    Flag::switch("", "errors"),
    Flag::value("", "format"),
    Flag::switch("", "ascii"),
    Flag::value("b", "bind"),
    Flag::value("t", "bind-tcp"),
    Flag::value("", "rollbar"),
    Flag::value("", "sampling-rules"),
    Flag::values("", "allow-host"),
    Flag::switch("", "faults"),
    Flag::switch("h", "help"),
];

pub(super) fn run(options: &Tail) -> ExitCode {
    if options.waterfall && options.format() != Format::Human {
        return complain("--waterfall is for people; leave it out with --format json or logfmt", USAGE);
    }
    match tail::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error.to_string(), 1),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, NAME};

    #[test]
    fn tcp_is_where_udp_is_unless_others_reach_that() {
        let tcp = |args: &[&str]| {
            let line = [&[NAME, "tail"], args].concat();
            let Command::Tail(tail) = Cli::parse_from(line).command else { panic!("no tail") };
            tail.tcp()
        };
        assert_eq!(tcp(&[]), "127.0.0.1:2000");
        assert_eq!(tcp(&["-b", "127.0.0.1:2001"]), "127.0.0.1:2001");
        assert_eq!(tcp(&["-b", "[::1]:2001"]), "[::1]:2001");
        assert_eq!(tcp(&["-b", "localhost:2001"]), "localhost:2001");
        for addr in ["0.0.0.0:2001", "[::]:2001", "10.0.0.1:2001", "xray-daemon:2001"] {
            assert_eq!(tcp(&["-b", addr]), "127.0.0.1:2001");
        }
        assert_eq!(tcp(&["-b", "nonsense"]), DEFAULT_TCP);
        assert_eq!(tcp(&["-t", "0.0.0.0:9", "-b", "127.0.0.1:2001"]), "0.0.0.0:9");
    }
}
