//! Sampling rules that follow their file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;

use super::rules::{Reloaded, SamplingRules};
use super::rules_file::{RulesFile, RulesFileError};

/// The most bytes of a file: 1 MiB. A rule with ASCII patterns at all their limits has 2 KiB.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// A file of sampling rules cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RulesOnDiskError {
    /// It cannot be read.
    #[error("{}: the sampling rules cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no regular file, such as the pipe of a shell's `<(..)`: it was read when it was opened.
    #[error("{}: no regular file: its sampling rules are read at the start only", path.display())]
    ReadOnce {
        /// The file.
        path: PathBuf,
    },
    /// It is too large.
    #[error("{}: more than {MAX_FILE_BYTES} bytes of sampling rules", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Its text is no valid set of rules.
    #[error("{}: {source}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RulesFileError,
    },
}

/// [`SamplingRules`] and the file that they come from.
///
/// ```
/// use std::time::SystemTime;
/// use xray_console::sampling::RulesOnDisk;
///
/// # let folder = std::env::temp_dir().join(format!("rules-on-disk-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("rules.json");
/// std::fs::write(&path, r#"{"version": 2, "default": {"fixed_target": 1, "rate": 0.05}}"#)?;
/// let mut file = RulesOnDisk::open(&path, SystemTime::now())?;
/// let rules = file.rules();
/// assert!(file.look(SystemTime::now()).is_none(), "nothing changed");
///
/// std::fs::write(&path, r#"{"version": 2, "default": {"fixed_target": 1, "rate": 0.5}}"#)?;
/// let reloaded = file.look(SystemTime::now()).expect("it changed")?;
/// assert_eq!((reloaded.changed, rules.records()[0].rule().fixed_rate), (1, 0.5));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RulesOnDisk {
    path: PathBuf,
    rules: Arc<SamplingRules>,
    warnings: Vec<String>,
    seen: Seen,
}

/// What was found at the last look, so that the same is not told twice.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Other,
    Unreadable(io::ErrorKind),
}

impl RulesOnDisk {
    /// Loads the rules of a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or its text is no valid set of rules.
    pub fn open(path: impl Into<PathBuf>, now: SystemTime) -> Result<Self, RulesOnDiskError> {
        let path = path.into();
        let text = text(&path)?;
        let file = parse(&path, &text)?;
        let warnings = file.warnings().to_vec();
        Ok(Self { rules: Arc::new(SamplingRules::new(file, now)), warnings, seen: Seen::Text(text), path })
    }

    /// The rules, which follow each [`look`](Self::look) and [`reload`](Self::reload).
    #[must_use]
    pub fn rules(&self) -> Arc<SamplingRules> {
        self.rules.clone()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was perhaps not meant in the file as it was opened; see [`RulesFile::warnings`].
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Reads the file again; takes its rules over if its text changed. To be called every few seconds: it compares
    /// texts, because a time of change has gaps and a mounted file is replaced as a link. What is no regular file is not
    /// read again.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or its new text is no valid set of rules: the rules in force stay. What is wrong is told
    /// once, until it changes.
    pub fn look(&mut self, now: SystemTime) -> Option<Result<Reloaded, RulesOnDiskError>> {
        if is_stream(&self.path) {
            return None;
        }
        let text = text(&self.path);
        let seen = Seen::of(&text);
        if seen == self.seen {
            return None;
        }
        self.seen = seen;
        Some(self.take(text, now))
    }

    /// Reads the file again and takes its rules over, as a SIGHUP asks for.
    ///
    /// # Errors
    ///
    /// As [`look`](Self::look), but told each time.
    pub fn reload(&mut self, now: SystemTime) -> Result<Reloaded, RulesOnDiskError> {
        let text = match is_stream(&self.path) {
            true => Err(RulesOnDiskError::ReadOnce { path: self.path.clone() }),
            false => text(&self.path),
        };
        self.seen = Seen::of(&text);
        self.take(text, now)
    }

    fn take(
        &self,
        text: Result<String, RulesOnDiskError>,
        now: SystemTime,
    ) -> Result<Reloaded, RulesOnDiskError> {
        Ok(self.rules.take(parse(&self.path, &text?)?, now))
    }
}

impl Seen {
    fn of(text: &Result<String, RulesOnDiskError>) -> Self {
        match text {
            Ok(text) => Self::Text(text.clone()),
            Err(RulesOnDiskError::Read { source, .. }) => Self::Unreadable(source.kind()),
            Err(_) => Self::Other,
        }
    }
}

/// Whether it is there and no regular file: what could be read of it was read, and a read may wait for ever.
fn is_stream(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| !meta.is_file())
}

/// The text of a file, within its bound.
fn text(path: &Path) -> Result<String, RulesOnDiskError> {
    let mut text = String::new();
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    File::open(path)
        .and_then(|file| file.take(most.saturating_add(1)).read_to_string(&mut text))
        .map_err(|source| RulesOnDiskError::Read { path: path.to_owned(), source })?;
    if text.len() > MAX_FILE_BYTES {
        return Err(RulesOnDiskError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

fn parse(path: &Path, text: &str) -> Result<RulesFile, RulesOnDiskError> {
    RulesFile::from_json(text).map_err(|source| RulesOnDiskError::Invalid { path: path.to_owned(), source })
}
