//! Sampling rules that follow their file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::rules::{Reloaded, SamplingRules};
use super::rules_file::{self, RulesFile, RulesFileError};

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
    TooLarge,
    Unreadable(io::ErrorKind),
}

impl RulesOnDisk {
    /// Loads the rules of a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or its text is no valid set of rules.
    pub fn open(path: impl Into<PathBuf>, now: SystemTime) -> Result<Self, RulesFileError> {
        let path = path.into();
        let text = rules_file::text(&path)?;
        let file = RulesFile::parse(&path, &text)?;
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
    /// texts, because a time of change has gaps and a mounted file is replaced as a link.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or its new text is no valid set of rules: the rules in force stay. What is wrong is told
    /// once, until it changes.
    pub fn look(&mut self, now: SystemTime) -> Option<Result<Reloaded, RulesFileError>> {
        let text = rules_file::text(&self.path);
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
    pub fn reload(&mut self, now: SystemTime) -> Result<Reloaded, RulesFileError> {
        let text = rules_file::text(&self.path);
        self.seen = Seen::of(&text);
        self.take(text, now)
    }

    fn take(
        &self,
        text: Result<String, RulesFileError>,
        now: SystemTime,
    ) -> Result<Reloaded, RulesFileError> {
        Ok(self.rules.take(RulesFile::parse(&self.path, &text?)?, now))
    }
}

impl Seen {
    fn of(text: &Result<String, RulesFileError>) -> Self {
        match text {
            Ok(text) => Self::Text(text.clone()),
            Err(RulesFileError::Read { source, .. }) => Self::Unreadable(source.kind()),
            Err(_) => Self::TooLarge,
        }
    }
}
