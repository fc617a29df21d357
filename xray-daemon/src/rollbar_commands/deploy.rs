//! `xray-daemon rollbar deploy`: tells which revision goes where, and how it went.

use std::io::Write;

use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Map, Value};

use super::CommandError;
use super::api::Api;
use super::send::env;
use super::target::Target;

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// The access token; ROLLBAR_ACCESS_TOKEN if not given
    #[arg(short = 't', long, value_name = "TOKEN")]
    token: Option<String>,
    /// Where to; ROLLBAR_ENVIRONMENT if not given
    #[arg(short = 'e', long, value_name = "ENV")]
    environment: Option<String>,
    /// Rollbar's API; ROLLBAR_ENDPOINT if not given, or else rollbar.com with a token and the local daemon without one
    #[arg(short = 'u', long, value_name = "URL")]
    url: Option<String>,
    /// What: a git SHA, mostly
    #[arg(short = 'r', long, value_name = "REVISION")]
    revision: Option<String>,
    /// How it went; `succeeded` for a new deploy if not given
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// A comment
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// The user of Rollbar who deploys; the user of this machine is told as well
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Change this deploy, with --status and --comment, instead of telling a new one
    #[arg(long, value_name = "ID")]
    id: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Started,
    Succeeded,
    Failed,
    #[value(name = "timed_out")]
    TimedOut,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

impl Deploy {
    /// Tells the deploy, and prints its id.
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), CommandError> {
        let (method, path, fields) = match self.id {
            Some(id) => (Method::PATCH, format!("deploy/{id}"), self.change()?),
            None => (Method::POST, "deploy/".to_owned(), self.new_one()?),
        };
        let api = Api::new(Target::of(self.url.as_deref(), self.token.as_deref(), env)?)?;
        let answer = api.call(method, &path, Value::Object(fields).to_string().into_bytes())?;
        let told = ["data", "result"].iter().find_map(|key| answer.get(key)?.get("deploy_id")?.as_u64());
        match told.or(self.id) {
            Some(id) => Ok(writeln!(out, "{id}")?),
            // Accepted, without the id that a change would need.
            None => Ok(()),
        }
    }

    fn change(&self) -> Result<Map<String, Value>, CommandError> {
        if self.revision.is_some() || self.environment.is_some() || self.user.is_some() {
            return usage("of a deploy that is told already, only --status and --comment can be changed");
        }
        if self.status.is_none() && self.comment.is_none() {
            return usage("what is to be changed? give --status or --comment with --id");
        }
        Ok(fields([("status", self.status.map(Status::as_str)), ("comment", self.comment.as_deref())]))
    }

    fn new_one(&self) -> Result<Map<String, Value>, CommandError> {
        let environment = self.environment.clone().or_else(|| env("ROLLBAR_ENVIRONMENT"));
        let environment = environment.filter(|name| !name.trim().is_empty());
        let (Some(environment), Some(revision)) = (environment, &self.revision) else {
            return usage(
                "a deploy needs an environment (`-e`, or ROLLBAR_ENVIRONMENT) and a revision (`-r`)",
            );
        };
        let local = env("USER").or_else(|| env("LOGNAME")).filter(|name| !name.is_empty());
        Ok(fields([
            ("environment", Some(environment.as_str())),
            ("revision", Some(revision)),
            ("status", Some(self.status.unwrap_or(Status::Succeeded).as_str())),
            ("comment", self.comment.as_deref()),
            ("rollbar_username", self.user.as_deref()),
            ("local_username", local.as_deref()),
        ]))
    }
}

fn usage<T>(text: &str) -> Result<T, CommandError> {
    Err(CommandError::Usage(text.to_owned()))
}

fn fields<const N: usize>(given: [(&str, Option<&str>); N]) -> Map<String, Value> {
    given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect()
}
