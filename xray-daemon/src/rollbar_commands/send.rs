//! `xray-daemon rollbar send`: messages as items, or a whole payload from a file.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::Api;
use super::target::Target;
use super::{CommandError, MOST, read_file};

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The access token; ROLLBAR_ACCESS_TOKEN if not given
    #[arg(short = 't', long, value_name = "TOKEN")]
    token: Option<String>,
    /// The environment of the items; ROLLBAR_ENVIRONMENT if not given, or else `development`
    #[arg(short = 'e', long, value_name = "ENV")]
    environment: Option<String>,
    /// Rollbar's API; ROLLBAR_ENDPOINT if not given, or else rollbar.com with a token and the local daemon without one
    #[arg(short = 'u', long, value_name = "URL")]
    url: Option<String>,
    /// The level of the messages
    #[arg(long, value_enum, default_value_t = Level::Info)]
    level: Level,
    /// Send this payload (JSON; `-` is standard input) as it is
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// The message; without one each line of standard input is sent: `LEVEL TEXT` or just a text
    #[arg(value_name = "MESSAGE")]
    message: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    Critical,
    Error,
    Warning,
    Info,
    Debug,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Send {
    /// Sends, and prints the uuid of each item.
    pub(crate) fn run(&self, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), CommandError> {
        match &self.file {
            Some(_) if !self.message.is_empty() => {
                Err(CommandError::Usage("either --file or a MESSAGE, not both".to_owned()))
            }
            Some(file) => self.payload(file, out),
            None if self.message.is_empty() => self.lines(out, err),
            None => {
                let api = self.api(None)?;
                let uuid = self.message(&api, self.level, &self.message.join(" "))?;
                Ok(writeln!(out, "{uuid}")?)
            }
        }
    }

    fn api(&self, of_payload: Option<&str>) -> Result<Api, CommandError> {
        // What the payload says is nearer than the environment, and farther than a flag.
        let token = self.token.as_deref().or(of_payload);
        Ok(Api::new(Target::of(self.url.as_deref(), token, env)?)?)
    }

    fn payload(&self, file: &str, out: &mut dyn Write) -> Result<(), CommandError> {
        let bytes = read_file(file)?;
        let payload: Value = serde_json::from_slice(&bytes)
            .map_err(|error| CommandError::Usage(format!("{file:?} is no JSON: {error}")))?;
        let api = self.api(payload.get("access_token").and_then(Value::as_str))?;
        let answer = api.call(Method::POST, "item/", bytes)?;
        Ok(writeln!(out, "{}", uuid_in(&answer).unwrap_or_default())?)
    }

    /// Each line of standard input; those that cannot be sent are told, and the others are sent all the same.
    fn lines(&self, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), CommandError> {
        let api = self.api(None)?;
        let mut input = io::stdin().lock();
        if io::stdin().is_terminal() {
            writeln!(err, "xray-daemon: one message a line, `LEVEL TEXT` or just a text; Ctrl-D ends it")?;
        }
        let (mut line, mut number, mut failed) = (Vec::new(), 0_u64, false);
        loop {
            line.clear();
            let most = MOST as u64 + 1;
            let read = input.by_ref().take(most).read_until(b'\n', &mut line);
            let read =
                read.map_err(|source| CommandError::Read { name: "standard input".to_owned(), source })?;
            if read == 0 {
                return if failed { Err(CommandError::Told) } else { Ok(()) };
            }
            number += 1;
            if line.len() > MOST {
                return Err(CommandError::Usage(format!("line {number} has more than {MOST} bytes")));
            }
            let text = String::from_utf8_lossy(&line);
            let (level, text) = level_and_text(text.trim(), self.level);
            if text.is_empty() {
                continue;
            }
            match self.message(&api, level, text) {
                Ok(uuid) => {
                    writeln!(out, "{uuid}")?;
                    out.flush()?;
                }
                Err(CommandError::Call(error)) if !error.is_final() => {
                    failed = true;
                    writeln!(err, "xray-daemon: line {number} was not sent: {error}")?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn message(&self, api: &Api, level: Level, text: &str) -> Result<String, CommandError> {
        let given = self.environment.clone().or_else(|| env("ROLLBAR_ENVIRONMENT"));
        let environment = given.filter(|name| !name.trim().is_empty());
        let environment = environment.unwrap_or_else(|| "development".to_owned());
        let uuid = Uuid::new_v4().to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut data = json!({
            "environment": environment,
            "level": level.as_str(),
            "timestamp": now.as_secs(),
            "platform": std::env::consts::OS,
            "uuid": uuid,
            "body": { "message": { "body": text } },
            "notifier": { "name": "xray-daemon", "version": env!("CARGO_PKG_VERSION") },
        });
        if let Some(host) = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok()) {
            data["server"] = json!({ "host": host });
        }
        let answer = api.call(Method::POST, "item/", json!({ "data": data }).to_string().into_bytes())?;
        Ok(uuid_in(&answer).unwrap_or(uuid))
    }
}

fn uuid_in(answer: &Value) -> Option<String> {
    answer.get("result")?.get("uuid")?.as_str().map(super::printable)
}

/// A line as pyrollbar's `rollbar` reads it: the level, and the text. Where it begins with no level it is all text.
fn level_and_text(line: &str, default: Level) -> (Level, &str) {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match Level::from_str(word, true) {
        Ok(level) if !rest.trim().is_empty() => (level, rest.trim()),
        _ => (default, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_begin_with_a_level() {
        let cases = [
            ("error it broke", Level::Error, "it broke"),
            ("CRITICAL \t it broke", Level::Critical, "it broke"),
            ("errors happen", Level::Info, "errors happen"),
            ("error", Level::Info, "error"),
            ("grün und gut", Level::Info, "grün und gut"),
            ("", Level::Info, ""),
        ];
        for (line, level, text) in cases {
            assert_eq!(level_and_text(line, Level::Info), (level, text), "{line}");
        }
    }
}
