//! The command line of the `xray-daemon` program.

mod daemon;
mod rollbar;
mod status;
mod tail;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::go_flags::{Flag, Flags};
#[cfg(all(test, feature = "relay"))]
pub(crate) use daemon::read as daemon_flags;
pub(crate) use status::Status;
pub(crate) use tail::Tail;

const NAME: &str = "xray-daemon";

/// Bad usage; as Go's flag package has it, and clap.
const USAGE: u8 = 2;

/// Takes the place of the AWS X-Ray daemon, and shows segment documents and Rollbar items with no account.
#[derive(Debug, Parser)]
#[command(name = NAME, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Listen on UDP as the AWS X-Ray daemon does and on TCP as Rollbar's API, and print each trace and each item
    Tail(Tail),
    /// Ask a running daemon how it is: exit code 0 well, 1 failing or not there
    Status(Status),
    /// Rollbar from the command line
    #[command(subcommand)]
    Rollbar(rollbar::Rollbar),
}

/// Runs the program with these arguments, the first of which is its own name. The daemon and `tail` return when they
/// are told to end; `tail` also when its output is closed.
///
/// The result is 0; 1 for what failed; 2 for bad usage.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<String> = args.into_iter().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    match args.first().map(String::as_str) {
        Some("tail") => subcommand("tail", &args[1..], tail::FLAGS),
        Some("status") => subcommand("status", &args[1..], status::FLAGS),
        Some("rollbar") => rollbar::read(&args[1..]),
        _ => daemon::run(&args),
    }
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// A subcommand that takes flags only.
fn subcommand(name: &str, args: &[String], known: &[Flag]) -> ExitCode {
    let flags = match Flags::read(args, known) {
        Ok(flags) => flags,
        Err(error) => return complain(&format!("{error}; see `{NAME} {name} -h`"), USAGE),
    };
    if let Some(word) = flags.rest.first() {
        let what = if name == "tail" {
            format!("`tail` takes no filter in this build ({}), but got {word:?}", version())
        } else {
            format!("`{name}` takes flags only, but got {word:?}")
        };
        return complain(&format!("{what}; see `{NAME} {name} -h`"), USAGE);
    }
    let mut line = vec![NAME.to_owned(), name.to_owned()];
    line.extend(flags.normalized());
    clap_answers(line)
}

/// Lets clap read a normalized command line, and does what it says.
fn clap_answers(line: Vec<String>) -> ExitCode {
    match Cli::try_parse_from(line) {
        Ok(Cli { command: Command::Tail(options) }) => tail::run(&options),
        Ok(Cli { command: Command::Status(options) }) => status::run(&options),
        Ok(Cli { command: Command::Rollbar(command) }) => rollbar::run(command),
        Err(answer) if answer.use_stderr() => {
            let _ = write!(std::io::stderr(), "{}", answer.render());
            ExitCode::from(USAGE)
        }
        Err(help) => say(&help.render().to_string()),
    }
}

/// To standard output. Who closed it does not want to read it.
fn say(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// One line to standard error.
fn complain(text: &str, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{NAME}: {text}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_that_are_normalized_are_those_that_clap_knows() {
        let cli = Cli::command();
        let all: [(&[&str], &[Flag]); 5] = [
            (&["tail"], tail::FLAGS),
            (&["status"], status::FLAGS),
            (&["rollbar", "send"], rollbar::SEND_FLAGS),
            (&["rollbar", "deploy"], rollbar::DEPLOY_FLAGS),
            (&["rollbar", "validate"], rollbar::VALIDATE_FLAGS),
        ];
        for (path, flags) in all {
            let command = path.iter().fold(&cli, |command, name| command.find_subcommand(name).unwrap());
            let names = |arg: &clap::Arg| {
                let short = arg.get_short().map(String::from).unwrap_or_default();
                arg.get_long().map(|long| (long.to_owned(), short))
            };
            let mut clap: Vec<(String, String)> = command.get_arguments().filter_map(names).collect();
            clap.push(("help".to_owned(), "h".to_owned()));
            clap.sort();
            let mut ours: Vec<(String, String)> =
                flags.iter().map(|flag| (flag.long.to_owned(), flag.short.to_owned())).collect();
            ours.sort_unstable();
            assert_eq!(clap, ours, "{path:?}");
        }
        cli.debug_assert();
    }
}
