//! The configuration file: `cfg.yaml` of the AWS daemon.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::yaml::{self, Entry, Value, YamlError};
use crate::go_flags::go_integer;
use crate::nearest::nearest;

/// No configuration is longer, and a longer one is not read.
const LONGEST: u64 = 1024 * 1024;

/// What was set in a file; what was not, and what was set to nothing, is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FileSettings {
    pub(super) buffer_mb: Option<i64>,
    pub(super) concurrency: Option<usize>,
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) udp: Option<String>,
    pub(super) tcp: Option<String>,
    pub(super) log_rotation: Option<bool>,
    pub(super) log_level: Option<String>,
    pub(super) log_path: Option<String>,
    pub(super) local_mode: Option<bool>,
    pub(super) resource_arn: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) no_verify_ssl: Option<bool>,
    pub(super) proxy: Option<String>,
    /// To be told, though the file can be used.
    pub(super) notes: Vec<String>,
}

/// Why a file cannot be used. The texts begin as those of the AWS daemon.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("Error occur when using config flag: open {}: {why}", .path.display())]
    Open { path: PathBuf, why: String },
    #[error("Error occur when using config flag: {}: {why}", .path.display())]
    Unreadable { path: PathBuf, why: &'static str },
    #[error("Error occur when using config flag: yaml: {}:{error}", .path.display())]
    Yaml { path: PathBuf, error: String },
    #[error(
        "Error occur when using config flag: yaml: {}:{line}: {key} is {got}, but must be {wanted}", .path.display()
    )]
    Type { path: PathBuf, line: usize, key: String, got: String, wanted: &'static str },
    #[error("Config Version is missing. Write `Version: 2` into {}.", .path.display())]
    NoVersion { path: PathBuf },
    #[error("Config Version Setting is not correct. {got}; write `Version: 2` into {}.", .path.display())]
    Version { path: PathBuf, got: String },
    #[error("{key} flag is invalid. There is no such key (line {line} of {}); {hint}.", .path.display())]
    Unknown { path: PathBuf, line: usize, key: String, hint: String },
    #[error("{key} flag is not supported any more. Take it out (line {line} of {}): {why}.", .path.display())]
    Gone { path: PathBuf, line: usize, key: String, why: &'static str },
    #[error(
        "{key} flag is not supported. It is of the format before Version 1: write `{now}` instead (line {line} of {}), \
         or use X-Ray Daemon Config Migration Script to update the config file.", .path.display()
    )]
    Moved { path: PathBuf, line: usize, key: String, now: &'static str },
}

const KEYS: &[&str] = &[
    "TotalBufferSizeMB",
    "Concurrency",
    "Endpoint",
    "Region",
    "Socket.UDPAddress",
    "Socket.TCPAddress",
    "Logging.LogRotation",
    "Logging.LogLevel",
    "Logging.LogPath",
    "LocalMode",
    "ResourceARN",
    "RoleARN",
    "Profile",
    "NoVerifySSL",
    "ProxyAddress",
    "Version",
];

const SECTIONS: &[&str] = &["Socket", "Logging"];

/// The AWS daemon takes them, and then uses its own figures all the same.
const WITHOUT_EFFECT: &[&str] = &[
    "proxyserver",
    "proxyserver.idleconntimeout",
    "proxyserver.maxidleconnsperhost",
    "proxyserver.maxidleconns",
];

const GONE: &[(&str, &str)] = &[
    ("Profile.CPU", "the daemon writes no profiles, use a profiler such as perf"),
    ("Profile.Memory", "the daemon writes no profiles, use a profiler such as heaptrack"),
    (
        "Socket.BufferSizeKB",
        "the receive buffer is as large as the system allows (net.core.rmem_max), and any datagram has room",
    ),
    ("Logging.LogFormat", "the form of a line is fixed"),
    ("Processor.BatchProcessorQueueSize", "TotalBufferSizeMB bounds what waits"),
];

const MOVED: &[(&str, &str)] = &[
    ("LogRotation", "Logging.LogRotation"),
    ("Processor.Region", "Region"),
    ("Processor.Endpoint", "Endpoint"),
    ("Processor.Routine", "Concurrency"),
    ("MemoryLimit", "TotalBufferSizeMB"),
];

impl FileSettings {
    /// Reads the file at `path`, strictly: what the daemon would not obey is an error, not a silence.
    pub(super) fn read(path: &Path) -> Result<Self, FileError> {
        Self::parse(&text(path)?, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, FileError> {
        // Some editors put a byte order mark first.
        let entries =
            yaml::entries(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|error: YamlError| {
                FileError::Yaml { path: path.to_owned(), error: error.to_string() }
            })?;
        if !entries.is_empty() && !entries.iter().any(|entry| entry.key == "Version") {
            return Err(FileError::NoVersion { path: path.to_owned() });
        }
        let mut settings = Self::default();
        let mut lines: HashMap<&str, usize> = HashMap::new();
        for entry in &entries {
            check_key(entry, path)?;
            if let Some(before) = lines.insert(&entry.key, entry.line) {
                settings.notes.push(format!(
                    "{} is in {} twice; line {} counts, line {before} does not",
                    entry.key,
                    path.display(),
                    entry.line
                ));
            }
        }
        // The last one of a key counts, as for the AWS daemon.
        check_version(entries.iter().rfind(|entry| entry.key == "Version"), path)?;
        for entry in &entries {
            settings.set(entry, path)?;
        }
        Ok(settings)
    }

    fn set(&mut self, entry: &Entry, path: &Path) -> Result<(), FileError> {
        let want = |wanted| Want { entry, path, wanted };
        let text = |wanted| want(wanted).text();
        let yes_no = || want("`true` or `false`").boolean();
        match entry.key.as_str() {
            "TotalBufferSizeMB" => {
                self.buffer_mb = want("a whole number of megabytes, at least 3, or 0 for 1 % of memory")
                    .integer()?
                    .filter(|mb| *mb != 0);
            }
            "Concurrency" => {
                let want = want("a whole number of senders, such as 8");
                self.concurrency = match want.integer()?.map(usize::try_from) {
                    None | Some(Ok(0)) => None,
                    Some(Ok(senders)) => Some(senders),
                    Some(Err(_)) => return Err(want.error()),
                };
            }
            "Endpoint" => self.endpoint = text("a URL")?,
            "Region" => self.region = text("the name of an AWS region")?,
            "Socket.UDPAddress" => self.udp = text("an address, host:port")?,
            "Socket.TCPAddress" => self.tcp = text("an address, host:port")?,
            "Logging.LogRotation" => self.log_rotation = yes_no()?,
            "Logging.LogLevel" => self.log_level = text("dev, debug, info, warn, error or prod")?,
            "Logging.LogPath" => self.log_path = text("the path of a file")?,
            "LocalMode" => self.local_mode = yes_no()?,
            "ResourceARN" => self.resource_arn = text("an ARN")?,
            "RoleARN" => self.role_arn = text("the ARN of a role")?,
            "Profile" => {
                if let Some(profile) = text("the name of a profile")? {
                    self.notes.push(format!(
                        "Profile (line {} of {}) is not obeyed; set AWS_PROFILE={profile} in the daemon's environment",
                        entry.line,
                        path.display()
                    ));
                }
            }
            "NoVerifySSL" => self.no_verify_ssl = yes_no()?,
            "ProxyAddress" => self.proxy = text("a URL")?,
            section if SECTIONS.contains(&section) => match entry.value {
                Value::Null | Value::Section => {}
                _ => return Err(want("a section, its keys below it and indented").error()),
            },
            key if WITHOUT_EFFECT.contains(&key.to_lowercase().as_str()) => self.notes.push(format!(
                "{key} (line {} of {}) has no effect, as in the AWS daemon; take it out",
                entry.line,
                path.display()
            )),
            _ => {}
        }
        Ok(())
    }
}

/// What a key wants, for the value that it has.
struct Want<'a> {
    entry: &'a Entry,
    path: &'a Path,
    wanted: &'static str,
}

impl Want<'_> {
    fn text(&self) -> Result<Option<String>, FileError> {
        match &self.entry.value {
            Value::Null => Ok(None),
            Value::Plain(text) | Value::Text(text) => Ok((!text.is_empty()).then(|| text.clone())),
            Value::List | Value::Section => Err(self.error()),
        }
    }

    fn boolean(&self) -> Result<Option<bool>, FileError> {
        match &self.entry.value {
            Value::Null => Ok(None),
            Value::Plain(text) => yaml::boolean(text).map(Some).ok_or_else(|| self.error()),
            _ => Err(self.error()),
        }
    }

    fn integer(&self) -> Result<Option<i64>, FileError> {
        match &self.entry.value {
            Value::Null => Ok(None),
            Value::Plain(text) => go_integer(text).map(Some).map_err(|_| self.error()),
            _ => Err(self.error()),
        }
    }

    fn error(&self) -> FileError {
        FileError::Type {
            path: self.path.to_owned(),
            line: self.entry.line,
            key: self.entry.key.clone(),
            got: shown(&self.entry.value),
            wanted: self.wanted,
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Plain(text) => format!("`{text}`"),
        Value::Text(text) => format!("the text {text:?}"),
        Value::List => "a list".to_owned(),
        Value::Section => "a section".to_owned(),
    }
}

fn check_key(entry: &Entry, path: &Path) -> Result<(), FileError> {
    let key = entry.key.as_str();
    let is_known = KEYS.contains(&key)
        || SECTIONS.contains(&key)
        || WITHOUT_EFFECT.contains(&key.to_lowercase().as_str());
    if is_known {
        return Ok(());
    }
    let of = |table: &'static [(&str, &'static str)]| {
        table.iter().find(|(name, _)| *name == key).map(|(_, what)| *what)
    };
    let (path, line, key) = (path.to_owned(), entry.line, entry.key.clone());
    if let Some(why) = of(GONE) {
        return Err(FileError::Gone { path, line, key, why });
    }
    if let Some(now) = of(MOVED) {
        return Err(FileError::Moved { path, line, key, now });
    }
    // Either the whole, or the same word in the right section.
    let last = |key: &'static str| key.rsplit_once('.').map_or(key, |(_, last)| last);
    let meant = nearest(&key, KEYS.iter().copied())
        .or_else(|| KEYS.iter().copied().find(|known| last(known).eq_ignore_ascii_case(&key)));
    let hint = meant.map_or("take it out".to_owned(), |meant| format!("write `{meant}`, or take it out"));
    Err(FileError::Unknown { path, line, key, hint })
}

fn check_version(entry: Option<&Entry>, path: &Path) -> Result<(), FileError> {
    let got = match entry {
        None => "It is missing".to_owned(),
        Some(Entry { value: Value::Plain(text), .. }) if matches!(go_integer(text), Ok(1 | 2)) => {
            return Ok(());
        }
        Some(Entry { value, line, .. }) => format!("It is {} in line {line}", shown(value)),
    };
    Err(FileError::Version { path: path.to_owned(), got })
}

fn text(path: &Path) -> Result<String, FileError> {
    let open = |error: std::io::Error| FileError::Open {
        path: path.to_owned(),
        why: match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
            _ => error.to_string(),
        },
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)).map_err(open)?;
    if bytes.len() as u64 > LONGEST {
        return Err(FileError::Unreadable { path: path.to_owned(), why: "it is longer than 1 MiB" });
    }
    String::from_utf8(bytes)
        .map_err(|_| FileError::Unreadable { path: path.to_owned(), why: "it is not UTF-8 text" })
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
