//! `rollbar` and its subcommands.

use std::process::ExitCode;

use clap::Subcommand;

use super::{NAME, USAGE, clap_answers, complain};
use crate::go_flags::{Flag, Flags};
use crate::rollbar_commands::{CommandError, Deploy, Send, Validate};

#[derive(Debug, Subcommand)]
pub(super) enum Rollbar {
    /// Send messages, or a payload from a file; prints the uuid of each item
    Send(Send),
    /// Tell which revision goes where, and how it went; prints the deploy's id
    Deploy(Deploy),
    /// Hold a payload against the rules of Rollbar's API: exit code 0 valid, 1 invalid, 2 unreadable
    Validate(Validate),
}

pub(super) const SEND_FLAGS: &[Flag] = &[
    Flag::value("t", "token"),
    Flag::value("e", "environment"),
    Flag::value("u", "url"),
    Flag::value("", "level"),
    Flag::value("", "file"),
    Flag::switch("h", "help"),
];

pub(super) const DEPLOY_FLAGS: &[Flag] = &[
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

pub(super) const VALIDATE_FLAGS: &[Flag] = &[Flag::switch("", "lenient"), Flag::switch("h", "help")];

/// What follows `rollbar`: its own subcommand first, then that one's flags, then words.
pub(super) fn read(args: &[String]) -> ExitCode {
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
    let flags = match Flags::read(&args[1..], known) {
        Ok(flags) => flags,
        Err(error) => return complain(&format!("{error}; {see}"), USAGE),
    };
    let asks_for_help = flags.switch("help") == Some(true);
    let words = match name {
        _ if asks_for_help => None,
        "send" => None,
        "deploy" => Some(0),
        _ => Some(1),
    };
    if words.is_some_and(|words| words != flags.rest.len()) {
        let wants = if words == Some(0) { "flags only" } else { "one FILE, after the flags" };
        return complain(&format!("`rollbar {name}` takes {wants}, but got {:?}; {see}", flags.rest), USAGE);
    }
    let mut line = [NAME, "rollbar", name].map(str::to_owned).to_vec();
    line.extend(flags.normalized());
    line.push("--".to_owned());
    line.extend(flags.rest);
    clap_answers(line)
}

pub(super) fn run(command: Rollbar) -> ExitCode {
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
