//! The daemon itself: what is run where no subcommand is named, with the flags of the AWS daemon.

use std::io::Write;
use std::process::ExitCode;

use clap::{Arg, ArgAction, CommandFactory};

use super::{Cli, NAME, USAGE, complain, say, version};
use crate::go_flags::{Flag, FlagError, Flags, Kind};
use crate::nearest::nearest;

/// A flag with its help.
struct Described {
    flag: Flag,
    /// What stands for its value.
    value: &'static str,
    help: &'static str,
}

const fn of(flag: Flag, value: &'static str, help: &'static str) -> Described {
    Described { flag, value, help }
}

const AWS_FLAGS: &[Described] = &[
    of(
        Flag::value("a", "resource-arn"),
        "ARN",
        "The AWS resource that runs the daemon; X-Ray is told in telemetry",
    ),
    of(
        Flag::switch("o", "local-mode"),
        "",
        "Do not ask EC2's metadata for the region and the instance's id; still relays to AWS X-Ray",
    ),
    of(
        Flag::number("m", "buffer-memory"),
        "MB",
        "How much memory segments that wait may take, at least 3; 0 for 1 % of this machine's [default: 0]",
    ),
    of(
        Flag::value("n", "region"),
        "REGION",
        "The AWS region to relay to [default: AWS_REGION, then ECS, then EC2]",
    ),
    of(Flag::value("b", "bind"), "ADDR", "The UDP address to receive segments on [default: 127.0.0.1:2000]"),
    of(
        Flag::value("t", "bind-tcp"),
        "ADDR",
        "The TCP address to answer on; does not follow --bind [default: 127.0.0.1:2000]",
    ),
    of(Flag::value("r", "role-arn"), "ARN", "The IAM role to assume, to relay to another account"),
    of(
        Flag::value("c", "config"),
        "FILE",
        "The configuration (YAML) [default: the first there is of /etc/amazon/xray/cfg.yaml, ./cfg.yaml]",
    ),
    of(
        Flag::value("f", "log-file"),
        "FILE",
        "Where to log, to FILE.1 when 50 MiB are written [default: standard output]",
    ),
    of(
        Flag::value("l", "log-level"),
        "LEVEL",
        "dev (all), debug, info, warn, error, or prod, which is info [default: prod]",
    ),
    of(Flag::value("p", "proxy-address"), "URL", "The HTTP proxy to relay through [default: HTTPS_PROXY]"),
    of(Flag::switch("v", "version"), "", "Print the version"),
    of(Flag::switch("h", "help"), "", "Print this help"),
];

/// Those that the AWS daemon does not have.
const OUR_FLAGS: &[Described] = &[
    of(
        Flag::value("", "endpoint"),
        "URL",
        "Where to relay to in place of X-Ray's own address; the AWS daemon reads this from its file only",
    ),
    of(
        Flag::value("", "sampling-rules"),
        "FILE",
        "Answer requests for sampling rules and targets from this file, without AWS X-Ray",
    ),
    of(
        Flag::values("", "allow-host"),
        "NAME",
        "One more name under which web pages may ask over TCP; may be given several times",
    ),
];

fn described() -> impl Iterator<Item = (&'static str, &'static Described)> {
    let aws = AWS_FLAGS.iter().map(|flag| ("Flags of the AWS X-Ray daemon", flag));
    aws.chain(OUR_FLAGS.iter().map(|flag| ("Flags that it does not have", flag)))
}

/// What these arguments say by the daemon's flags.
pub(crate) fn read(args: &[String]) -> Result<Flags, FlagError> {
    let known: Vec<Flag> = described().map(|(_, described)| described.flag).collect();
    Flags::read(args, &known)
}

pub(super) fn run(args: &[String]) -> ExitCode {
    let flags = match read(args) {
        Ok(flags) => flags,
        Err(error) => {
            complain(&error.to_string(), USAGE);
            // As Go's package and the AWS daemon have it: the error there, the usage here.
            let _ = std::io::stdout().write_all(help().as_bytes());
            return ExitCode::from(USAGE);
        }
    };
    if flags.switch("help") == Some(true) {
        return say(&help());
    }
    if flags.switch("version") == Some(true) {
        // The first line as scripts know it.
        return say(&format!(
            "AWS X-Ray daemon version: {version}\n{NAME} {version}, which takes the place of the AWS X-Ray daemon\n",
            version = version()
        ));
    }
    start(&flags)
}

#[cfg(feature = "relay")]
fn start(flags: &Flags) -> ExitCode {
    match crate::settings::Settings::load(flags, |name| std::env::var(name).ok()) {
        Ok(mut settings) => {
            settings.notes.extend(ignored(&flags.rest));
            crate::daemon::run(settings)
        }
        Err(error) => {
            crate::log::last_words(flags.text("log-file"), &error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(feature = "relay"))]
fn start(flags: &Flags) -> ExitCode {
    let hint = ignored(&flags.rest).map(|words| format!("; {words}")).unwrap_or_default();
    let what = "built without the feature `relay`, so that it cannot take the place of the AWS X-Ray daemon";
    complain(&format!("{what}; to see traces in this terminal: `{NAME} tail`{hint}"), 1)
}

/// What the words after the flags are told to be, where there are any: the AWS daemon goes over them in silence.
fn ignored(rest: &[String]) -> Option<String> {
    let first = rest.first()?;
    let cli = Cli::command();
    let meant = nearest(first, cli.get_subcommands().map(clap::Command::get_name));
    let hint = meant
        .map(|name| format!("; for the subcommand, write `{NAME} {name}` with nothing before it"))
        .unwrap_or_default();
    Some(format!(
        "ignored, as the AWS daemon does, because flags end at the first word that is none: {rest:?}{hint}"
    ))
}

fn help() -> String {
    let mut command = Cli::command()
        .disable_help_flag(true)
        .override_usage(format!("{NAME} [FLAGS]\n       {NAME} <COMMAND> ..."))
        .after_help(
            "Flags are written as for the AWS daemon: -bind ADDR, --bind ADDR, -b=ADDR. They win over the configuration,\n\
             which wins over the environment.",
        );
    for (heading, Described { flag, value, help }) in described() {
        let mut arg = Arg::new(flag.long).long(flag.long).help(*help).help_heading(heading);
        if let Some(short) = flag.short.chars().next() {
            arg = arg.short(short);
        }
        arg = match flag.kind {
            Kind::Switch => arg.action(ArgAction::SetTrue),
            _ => arg.value_name(*value),
        };
        command = command.arg(arg);
    }
    command.render_help().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_in_the_help() {
        let help = help();
        for (_, Described { flag, value, .. }) in described() {
            let long =
                if value.is_empty() { flag.long.to_owned() } else { format!("{} <{value}>", flag.long) };
            let spelled = if flag.short.is_empty() {
                format!("    --{long}")
            } else {
                format!("-{}, --{long}", flag.short)
            };
            assert!(help.contains(&spelled), "{spelled}\n{help}");
        }
        assert!(help.contains("\n  tail "), "{help}");
    }

    #[test]
    fn words_after_the_flags_are_told_with_what_was_meant() {
        let told = |words: &[&str]| ignored(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(told(&[]), None);
        let compose = told(&["xray -o -b xray-daemon:2000"]).unwrap();
        assert!(compose.ends_with(r#"none: ["xray -o -b xray-daemon:2000"]"#), "{compose}");
        for (word, name) in [("tial", "tail"), ("tail", "tail"), ("rolbar", "rollbar")] {
            let told = told(&[word, "-o"]).unwrap();
            assert!(told.contains(&format!("write `xray-daemon {name}`")), "{told}");
        }
    }
}
