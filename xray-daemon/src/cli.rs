//! The command line of the `xray-daemon` program.

use std::ffi::OsString;
use std::io::Write;
use std::net::IpAddr;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use xray_console::Format;
use xray_console::rollbar::Mode;

use crate::builder::{DEFAULT_TCP, DEFAULT_UDP};
use crate::go_flags::{Flag, normalize};
use crate::rollbar_commands::{CommandError, Deploy, Send, Validate};
use crate::tail;

const NAME: &str = "xray-daemon";

/// Bad usage; as Go's flag package has it, and clap.
const USAGE: u8 = 2;

/// Receives X-Ray segment documents and Rollbar items, and shows them; no account needed.
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
    /// Listen on UDP as the AWS X-Ray daemon does and on TCP as Rollbar's API, and print each trace and each item
    Tail(Tail),
    /// Rollbar from the command line
    #[command(subcommand)]
    Rollbar(Rollbar),
}

#[derive(Debug, Subcommand)]
enum Rollbar {
    /// Send messages, or a payload from a file; prints the uuid of each item
    Send(Send),
    /// Tell which revision goes where, and how it went; prints the deploy's id
    Deploy(Deploy),
    /// Hold a payload against the rules of Rollbar's API: exit code 0 valid, 1 invalid, 2 unreadable
    Validate(Validate),
}

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

const TAIL_FLAGS: &[Flag] = &[
    Flag::switch("", "waterfall"),
    Flag::switch("", "errors"),
    Flag::value("", "format"),
    Flag::switch("", "ascii"),
    Flag::value("b", "bind"),
    Flag::value("t", "bind-tcp"),
    Flag::value("", "rollbar"),
    Flag::value("", "allow-host"),
    Flag::switch("", "faults"),
    Flag::switch("h", "help"),
];

const SEND_FLAGS: &[Flag] = &[
    Flag::value("t", "token"),
    Flag::value("e", "environment"),
    Flag::value("u", "url"),
    Flag::value("", "level"),
    Flag::value("", "file"),
    Flag::switch("h", "help"),
];

const DEPLOY_FLAGS: &[Flag] = &[
    Flag::value("t", "token"),
    Flag::value("e", "environment"),
    Flag::value("u", "url"),
    Flag::value("r", "revision"),
    Flag::value("", "status"),
    Flag::value("", "comment"),
    Flag::value("", "user"),
    Flag::value("", "id"),
    Flag::switch("h", "help"),
];

const VALIDATE_FLAGS: &[Flag] = &[Flag::switch("", "lenient"), Flag::switch("h", "help")];

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
        Some("rollbar") => rollbar(&args[1..]),
        Some(word) if !word.starts_with('-') => complain(
            &format!(
                "no subcommand `{word}` in this build ({}); it has `tail` and `rollbar`, see `{NAME} -h`",
                version()
            ),
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

/// `rollbar` and what follows it: its own subcommand first, then that one's flags, then words.
fn rollbar(args: &[String]) -> ExitCode {
    let (name, known) = match args.first().map(String::as_str) {
        Some("send") => ("send", SEND_FLAGS),
        Some("deploy") => ("deploy", DEPLOY_FLAGS),
        Some("validate") => ("validate", VALIDATE_FLAGS),
        Some("-h" | "-help" | "--help") => {
            return clap_answers([NAME, "rollbar", "--help"].map(str::to_owned).to_vec());
        }
        other => {
            let got = other.map(|word| format!(", not {word:?}")).unwrap_or_default();
            let what = format!("`rollbar` is followed by `send`, `deploy` or `validate`{got}");
            return complain(&format!("{what}; see `{NAME} rollbar -h`"), USAGE);
        }
    };
    let see = format!("see `{NAME} rollbar {name} -h`");
    let normalized = match normalize(&args[1..], known) {
        Ok(normalized) => normalized,
        Err(error) => return complain(&format!("{error}; {see}"), USAGE),
    };
    let asks_for_help = normalized.flags.iter().any(|flag| flag == "--help");
    let words = match name {
        _ if asks_for_help => None,
        "send" => None,
        "deploy" => Some(0),
        _ => Some(1),
    };
    if words.is_some_and(|words| words != normalized.rest.len()) {
        let wants = if words == Some(0) { "flags only" } else { "one FILE, after the flags" };
        return complain(
            &format!("`rollbar {name}` takes {wants}, but got {:?}; {see}", normalized.rest),
            USAGE,
        );
    }
    let mut line = [NAME, "rollbar", name].map(str::to_owned).to_vec();
    line.extend(normalized.flags);
    line.push("--".to_owned());
    line.extend(normalized.rest);
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
        Ok(Cli { command: Some(Command::Rollbar(command)), .. }) => {
            let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
            let done = match command {
                Rollbar::Send(send) => send.run(&mut out, &mut err),
                Rollbar::Deploy(deploy) => deploy.run(&mut out),
                Rollbar::Validate(validate) => validate.run(&mut out),
            };
            match done {
                Ok(()) => ExitCode::SUCCESS,
                Err(error @ CommandError::Told) => ExitCode::from(error.code()),
                Err(error) => complain(&error.to_string(), error.code()),
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
        let cli = Cli::command();
        let all: [(&[&str], &[Flag]); 4] = [
            (&["tail"], TAIL_FLAGS),
            (&["rollbar", "send"], SEND_FLAGS),
            (&["rollbar", "deploy"], DEPLOY_FLAGS),
            (&["rollbar", "validate"], VALIDATE_FLAGS),
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

    #[test]
    fn tcp_is_where_udp_is_unless_others_reach_that() {
        let tcp = |args: &[&str]| {
            let line = [&[NAME, "tail"], args].concat();
            let Some(Command::Tail(tail)) = Cli::parse_from(line).command else { panic!("no tail") };
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
