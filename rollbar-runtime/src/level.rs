//! How bad an item is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How bad an item is, from [`Debug`](Self::Debug) up to [`Critical`](Self::Critical); the order is that of severity.
///
/// The first occurrence of an item decides the level that Rollbar shows for it.
///
/// ```
/// use rollbar_runtime::Level;
///
/// assert!(Level::Critical > Level::Error);
/// assert_eq!("Warn".parse(), Ok(Level::Warning));
/// assert_eq!(Level::Warning.to_string(), "warning");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Of interest while debugging. `TRACE` and `DEBUG` of `tracing` and `log`.
    Debug,
    /// Worth noting; what a reported message is unless it says otherwise.
    Info,
    /// Something is not as it should be.
    Warning,
    /// Something failed; what a reported error is unless it says otherwise.
    Error,
    /// The program, or a part of it, stopped; what a panic is.
    Critical,
}

impl Level {
    /// Each level, the least severe first.
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// What a reported message is unless it says otherwise; the API's own default.
    pub(crate) const OF_MESSAGE: Self = Self::Info;
    /// What a reported error is unless it says otherwise; the API's own default.
    pub(crate) const OF_ERROR: Self = Self::Error;
    /// What a panic is.
    pub(crate) const OF_PANIC: Self = Self::Critical;

    /// What the API calls it: `debug`, `info`, `warning`, `error` or `critical`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// Whether it is at least as severe as `threshold`.
    pub fn reaches(self, threshold: Self) -> bool {
        self >= threshold
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<&tracing::Level> for Level {
    /// `TRACE` and `DEBUG` are [`Debug`](Self::Debug); the others keep their names.
    fn from(level: &tracing::Level) -> Self {
        match *level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warning,
            tracing::Level::INFO => Self::Info,
            _ => Self::Debug,
        }
    }
}

#[cfg(feature = "log")]
impl From<log::Level> for Level {
    /// `Trace` and `Debug` are [`Debug`](Self::Debug); the others keep their names.
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Error => Self::Error,
            log::Level::Warn => Self::Warning,
            log::Level::Info => Self::Info,
            log::Level::Debug | log::Level::Trace => Self::Debug,
        }
    }
}

impl FromStr for Level {
    type Err = LevelError;

    /// Reads the name of a level in any case, with white space around it; `warn`, `err`, `fatal` and `trace` stand for
    /// `warning`, `error`, `critical` and `debug`.
    ///
    /// # Errors
    /// When the text is anything else.
    fn from_str(text: &str) -> Result<Self, LevelError> {
        let name = text.trim();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let alias = || {
            const ALIASES: [(&str, Level); 4] = [
                ("warn", Level::Warning),
                ("err", Level::Error),
                ("fatal", Level::Critical),
                ("trace", Level::Debug),
            ];
            ALIASES.into_iter().find_map(|(alias, level)| is(alias).then_some(level))
        };
        Self::ALL
            .into_iter()
            .find(|level| is(level.as_str()))
            .or_else(alias)
            .ok_or_else(|| LevelError { text: name.chars().take(LevelError::MAX_CHARS).collect() })
    }
}

/// A text names no [`Level`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no level: use debug, info, warning, error or critical")]
pub struct LevelError {
    text: String,
}

impl LevelError {
    /// Of the text that is shown.
    const MAX_CHARS: usize = 40;
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl de::Visitor<'_> for Name {
            type Value = Level;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("debug, info, warning, error or critical")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Level, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_read_back_and_the_order_is_severity() {
        for pair in Level::ALL.windows(2) {
            assert!(pair[0] < pair[1] && pair[1].reaches(pair[0]) && !pair[0].reaches(pair[1]));
        }
        for level in Level::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
            assert_eq!(level.as_str().to_uppercase().parse(), Ok(level));
            let json = serde_json::to_string(&level).unwrap();
            assert_eq!(json, format!("\"{level}\""));
            assert_eq!(serde_json::from_str::<Level>(&json).unwrap(), level);
        }
        assert_eq!(format!("{:<9}|", Level::Info), "info     |");
    }

    #[test]
    fn other_names_are_known_or_refused_with_what_to_write() {
        for (text, level) in [
            (" warn\n", Level::Warning),
            ("ERR", Level::Error),
            ("Fatal", Level::Critical),
            ("trace", Level::Debug),
        ] {
            assert_eq!(text.parse(), Ok(level));
        }
        for text in ["", "crit", "warnin", "errors", "log", "\u{212a}"] {
            let error = text.parse::<Level>().unwrap_err().to_string();
            assert!(error.contains("use debug, info, warning, error or critical"), "{error}");
        }
        let error = "x".repeat(1000).parse::<Level>().unwrap_err().to_string();
        assert!(error.len() < 120, "{error}");
        assert!(serde_json::from_str::<Level>("\"crit\"").is_err());
    }

    #[test]
    fn levels_of_tracing() {
        assert_eq!(Level::from(&tracing::Level::TRACE), Level::Debug);
        assert_eq!(Level::from(&tracing::Level::WARN), Level::Warning);
        assert_eq!(Level::from(&tracing::Level::ERROR), Level::Error);
    }
}
