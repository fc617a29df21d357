//! `xray-daemon rollbar`: Rollbar from the command line.

mod api;
mod deploy;
mod send;
mod target;
mod validate;

use std::io;

use thiserror::Error;

pub(crate) use deploy::Deploy;
pub(crate) use send::Send;
pub(crate) use validate::Validate;

use api::CallError;
use target::TargetError;

/// Why a command failed.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    /// It cannot be done as it was asked for.
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("cannot read {name}: {source}")]
    Read { name: String, source: io::Error },
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("cannot write the answer: {0}")]
    Write(#[from] io::Error),
    /// What was wrong is told already.
    #[error("")]
    Told,
}

impl CommandError {
    /// The exit code: 2 for what was asked for in vain, 1 for what failed.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Target(_) | Self::Read { .. } => 2,
            Self::Call(_) | Self::Write(_) | Self::Told => 1,
        }
    }
}

/// The most bytes of a file, and of a line of standard input, that are read: 16 times what Rollbar takes.
const MOST: usize = 8 << 20;

/// The bytes of a file, or of standard input where it is `-`.
fn read_file(name: &str) -> Result<Vec<u8>, CommandError> {
    use std::io::Read as _;

    let read = |from: &mut dyn io::Read| {
        let mut bytes = Vec::new();
        let most = MOST as u64 + 1;
        from.take(most).read_to_end(&mut bytes)?;
        if bytes.len() > MOST {
            Err(io::Error::other(format!("it has more than {MOST} bytes")))
        } else {
            Ok(bytes)
        }
    };
    let bytes = if name == "-" {
        read(&mut io::stdin().lock())
    } else {
        std::fs::File::open(name).and_then(|mut file| read(&mut file))
    };
    let name = if name == "-" { "standard input".to_owned() } else { format!("{name:?}") };
    bytes.map_err(|source| CommandError::Read { name, source })
}

/// Text of another program on one line of a terminal.
fn printable(text: &str) -> String {
    const MOST: usize = 1_000;
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut text: String = clean.take(MOST).collect();
    text.truncate(text.trim_end().len());
    text
}
