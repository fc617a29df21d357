//! The daemon's log, in the form of the AWS daemon's: `2006-01-02T15:04:05Z [Info] text`, to standard output or to a
//! file that is rotated.
//!
//! Who logs never waits for a disk or a pipe: lines are put into a bounded buffer and written by a thread of their own.
//! What finds no room and what cannot be written is counted, see [`lost`].

mod file;
mod line;
mod subscriber;
mod writer;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use chrono::Local;
use thiserror::Error;
use tracing::Level;

use self::file::LogFile;
use self::subscriber::LogSubscriber;
use self::writer::{Log, Output};

/// Where and what to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// Standard output if `None`.
    pub(crate) path: Option<PathBuf>,
    /// The least severe level that is written.
    pub(crate) level: Level,
    /// Whether the file moves to `FILE.1` when it is full.
    pub(crate) rotation: bool,
}

/// Why there is no log.
#[derive(Debug, Error)]
pub(crate) enum LogError {
    #[error("cannot write the log file {}: {source}; give one that this user may write with -f, or none", .path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("cannot write the log to standard output: {0}")]
    Stdout(#[source] io::Error),
    #[error("cannot start the log's thread: {0}")]
    Thread(#[source] io::Error),
    #[error("this process has a log already")]
    Installed,
}

/// The level `prod`, which is also the default.
pub(crate) const PROD: Level = Level::INFO;

/// The level of this name in the AWS daemon.
pub(crate) fn level(name: &str) -> Option<Level> {
    Some(match name {
        "dev" => Level::TRACE,
        "debug" => Level::DEBUG,
        "info" => Level::INFO,
        "warn" => Level::WARN,
        "error" => Level::ERROR,
        "prod" => PROD,
        _ => return None,
    })
}

static INSTALLED: OnceLock<Log> = OnceLock::new();

/// Makes the events of this process lines of a log, once and for all.
///
/// The log's thread takes no signals, whenever it is started.
pub(crate) fn install(settings: &LogSettings) -> Result<(), LogError> {
    let output = match &settings.path {
        Some(path) => {
            let file = LogFile::open(path, settings.rotation.then_some(file::LIMIT));
            Output::File(file.map_err(|source| LogError::Open { path: path.clone(), source })?)
        }
        None => Output::stdout().map_err(LogError::Stdout)?,
    };
    let log = Log::start(output).map_err(LogError::Thread)?;
    let subscriber = LogSubscriber::new(settings.level, log.clone());
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Installed)?;
    INSTALLED.set(log).map_err(|_| LogError::Installed)
}

/// How many lines were not written since the process started: the disk was full, or they came faster than they could be
/// written.
pub(crate) fn lost() -> u64 {
    INSTALLED.get().map_or(0, Log::lost)
}

/// Has the log's file opened anew by its name, for SIGHUP: after a program such as logrotate moved it away.
pub(crate) fn reopen() {
    if let Some(log) = INSTALLED.get() {
        log.reopen();
    }
}

/// Waits until what was logged is written, at most `patience`; whether it is. To be called before the process ends.
pub(crate) fn flush(patience: Duration) -> bool {
    INSTALLED.get().is_none_or(|log| log.flush(patience))
}

/// What is wrong with the settings, so that there is no log yet: to standard error, and to the file that was asked for,
/// if that is possible.
pub(crate) fn last_words(log_file: Option<&str>, error: &dyn Display) {
    let mut text = Vec::new();
    line::begin(&mut text, Local::now(), Level::ERROR);
    line::end(&mut text, format_args!("{error}"));
    let _ = io::stderr().write_all(&text);
    if let Some(path) = log_file.filter(|path| !path.is_empty())
        && let Ok(mut file) = LogFile::open(Path::new(path), None)
    {
        let _ = file.write_line(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_six_levels() {
        let names = ["dev", "debug", "info", "warn", "error", "prod"];
        assert_eq!(
            names.map(|name| level(name).map(|level| level.to_string())),
            [
                Some("TRACE".to_owned()),
                Some("DEBUG".to_owned()),
                Some("INFO".to_owned()),
                Some("WARN".to_owned()),
                Some("ERROR".to_owned()),
                Some("INFO".to_owned()),
            ]
        );
        for name in ["", "bogus", "Info", "trace"] {
            assert_eq!(level(name), None);
        }
    }
}
