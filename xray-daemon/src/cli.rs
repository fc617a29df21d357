//! The command line of the `xray-daemon` program.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use xray_console::Format;

use crate::go_flags::{Flag, normalize};
use crate::local::DEFAULT_UDP;
use crate::tail;

const NAME: &str = "xray-daemon";

/// Bad usage; as Go's flag package has it, and clap.
const USAGE: u8 = 2;

/// Receives X-Ray segment documents and shows the traces; no account needed.
#[derive(Debug, Parser)]
#[command(name = NAME, version, disable_version_flag = true, disable_help_subcommand = true)]
struct Cli {
    /// Print the version
    #[arg(short = 'v', long)]
    version: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Listen on UDP as the AWS X-Ray daemon does, and print each finished trace
    Tail(Tail),
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Draw each trace as a waterfall instead of a line
    #[arg(long)]
    pub(crate) waterfall: bool,
    /// Only traces with a fault, an error or throttling in them
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
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    Human,
    Json,
    Logfmt,
}

impl Tail {
    pub(crate) fn format(&self) -> Format {
        match self.format {
            FormatArg::Human => Format::Human,
            FormatArg::Json => Format::Json,
            FormatArg::Logfmt => Format::Logfmt,
        }
    }
}

const TAIL_FLAGS: &[Flag] = &[
    Flag::switch("", "waterfall"),
    Flag::switch("", "errors"),
    Flag::value("", "format"),
    Flag::switch("", "ascii"),
    Flag::value("b", "bind"),
    Flag::switch("h", "help"),
];

/// The flags of the AWS daemon.
const DAEMON_FLAGS: &[Flag] = &[
    Flag::value("a", "resource-arn"),
    Flag::switch("o", "local-mode"),
    Flag::value("m", "buffer-memory"),
    Flag::value("n", "region"),
    Flag::value("b", "bind"),
    Flag::value("t", "bind-tcp"),
    Flag::value("r", "role-arn"),
    Flag::value("c", "config"),
    Flag::value("f", "log-file"),
    Flag::value("l", "log-level"),
    Flag::value("p", "proxy-address"),
    Flag::switch("v", "version"),
    Flag::switch("h", "help"),
];

/// Runs the program with these arguments, the first of which is its own name. `tail` returns when it is interrupted
/// or its output is closed.
///
/// The result is 0; 1 for what failed; 2 for bad usage.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<String> = args.into_iter().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let first = args.first().map(String::as_str);
    match first {
        Some("tail") => subcommand("tail", &args[1..], TAIL_FLAGS),
        Some(word) if !word.starts_with('-') => complain(
            &format!("no subcommand `{word}` in this build ({}); it has `tail`, see `{NAME} -h`", version()),
            USAGE,
        ),
        _ => daemon(&args),
    }
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Without a subcommand: the AWS daemon's place, which this build cannot take yet.
fn daemon(args: &[String]) -> ExitCode {
    let flags = match normalize(args, DAEMON_FLAGS) {
        Ok(normalized) => normalized.flags,
        Err(error) => return complain(&error.to_string(), USAGE),
    };
    let given = |name: &str| flags.iter().any(|flag| flag == name);
    if given("--help") {
        return clap_answers(vec![NAME.to_owned(), "--help".to_owned()]);
    }
    if given("--version") {
        return say(&format!("{NAME} {}\n", version()));
    }
    complain(
        &format!(
            "this build ({}) does not relay to AWS X-Ray yet; to see traces in this terminal: `{NAME} tail`, or `{NAME} tail \
             --waterfall`",
            version()
        ),
        1,
    )
}

fn subcommand(name: &str, args: &[String], known: &[Flag]) -> ExitCode {
    let normalized = match normalize(args, known) {
        Ok(normalized) => normalized,
        Err(error) => return complain(&format!("{error}; see `{NAME} {name} -h`"), USAGE),
    };
    if let Some(word) = normalized.rest.first() {
        let what = format!("`{name}` takes no filter in this build ({}), but got {word:?}", version());
        return complain(&format!("{what}; see `{NAME} {name} -h`"), USAGE);
    }
    let mut line = vec![NAME.to_owned(), name.to_owned()];
    line.extend(normalized.flags);
    clap_answers(line)
}

/// Lets clap read a normalized command line, and does what it says.
fn clap_answers(line: Vec<String>) -> ExitCode {
    match Cli::try_parse_from(line) {
        Ok(Cli { command: Some(Command::Tail(options)), .. }) => {
            if options.waterfall && options.format() != Format::Human {
                return complain(
                    "--waterfall is for people; leave it out with --format json or logfmt",
                    USAGE,
                );
            }
            match tail::run(&options) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => complain(&error.to_string(), 1),
            }
        }
        Ok(Cli { command: None, .. }) => ExitCode::SUCCESS,
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
        let command = Cli::command();
        let tail = command.find_subcommand("tail").unwrap();
        let mut clap: Vec<String> =
            tail.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
        clap.push("help".to_owned());
        clap.sort();
        let mut ours: Vec<&str> = TAIL_FLAGS.iter().map(|flag| flag.long).collect();
        ours.sort_unstable();
        assert_eq!(clap, ours);
        command.debug_assert();
    }
}
