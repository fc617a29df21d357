//! Walks a folder of vectors and tells what failed.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::family::{self, Failure, Family, Outcome};

/// How many cases passed and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Cases with the expected answer.
    pub passed: usize,
    /// Cases with another answer, or none; also a file that cannot be used.
    pub failed: usize,
    /// Files whose name is not known.
    pub skipped: usize,
}

/// The vectors cannot be run at all.
#[derive(Debug)]
pub enum RunError {
    /// A folder cannot be read.
    Unreadable(PathBuf, io::Error),
    /// No file below the folder has a name that is known.
    NothingKnown(PathBuf),
    /// The output cannot be written.
    Output(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::NothingKnown(path) => {
                write!(f, "{} holds no vector file that this build knows", path.display())
            }
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Runs each vector file below `dir` that is known by name, and writes to `out` a line for each file skipped, a few
/// for each case failed, and at the end `N passed, M failed`.
///
/// # Errors
/// When a folder cannot be read, or none of its files is known.
pub fn run(dir: &Path, out: &mut dyn Write) -> Result<Tally, RunError> {
    let mut files = Vec::new();
    find_json(dir, &mut files)?;
    files.sort();
    let mut tally = Tally::default();
    let mut known = 0;
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match family::find(&name) {
            Some(family) => {
                known += 1;
                run_file(family, path, &mut tally, out)?;
            }
            None => {
                tally.skipped += 1;
                writeln!(out, "skipped {name}: not a family this build knows")?;
            }
        }
    }
    if known == 0 {
        return Err(RunError::NothingKnown(dir.to_owned()));
    }
    if tally.skipped > 0 {
        writeln!(out, "{} skipped", tally.skipped)?;
    }
    writeln!(out, "{} passed, {} failed", tally.passed, tally.failed)?;
    Ok(tally)
}

fn find_json(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), RunError> {
    let unreadable = |error| RunError::Unreadable(dir.to_owned(), error);
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        // A link to a folder is not followed: it may lead back up.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            find_json(&path, files)?;
        } else if path.extension() == Some(OsStr::new("json")) {
            files.push(path);
        }
    }
    Ok(())
}

fn run_file(family: &Family, path: &Path, tally: &mut Tally, out: &mut dyn Write) -> io::Result<()> {
    let outcomes = std::fs::read(path)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_slice::<Value>(&text).map_err(|error| error.to_string()))
        .and_then(|document| (family.run)(&document))
        .and_then(|outcomes| if outcomes.is_empty() { Err("it has no cases".into()) } else { Ok(outcomes) });
    match outcomes {
        Ok(outcomes) => outcomes.into_iter().try_for_each(|outcome| tell(outcome, tally, out)),
        Err(error) => {
            tally.failed += 1;
            writeln!(out, "FAILED {}: the file cannot be used: {error}", path.display())
        }
    }
}

fn tell(outcome: Outcome, tally: &mut Tally, out: &mut dyn Write) -> io::Result<()> {
    let Some(failure) = outcome.failure else {
        tally.passed += 1;
        return Ok(());
    };
    tally.failed += 1;
    match failure {
        Failure::Differs { expected, got } => {
            writeln!(out, "FAILED {}\n  expected {expected}\n  got      {got}", outcome.id)
        }
        Failure::Broken(what) => writeln!(out, "FAILED {}\n  {what}", outcome.id),
    }
}
