//! How the double judges what comes in.

use std::collections::BTreeMap;

/// The most bytes of a request's body, and of the JSON in it: 512 KiB, as the format page of Rollbar's documentation
/// says (`api/items_post.md`; the error table of the same page says 128 kB).
pub const MAX_BODY_BYTES: usize = 512 * 1024;

/// Which broken rules make the double refuse an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Every one.
    Strict,
    /// Those that Rollbar documents or was seen to enforce. What is merely inferred gives a warning.
    #[default]
    Lenient,
}

/// What an access token may do. The words are Rollbar's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Sends items of client platforms (browser, android, ios, flash, client).
    PostClientItem,
    /// Sends items and deploys.
    PostServerItem,
    /// Reads.
    Read,
    /// Changes and deletes.
    Write,
}

impl Scope {
    /// The name in Rollbar's API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PostClientItem => "post_client_item",
            Self::PostServerItem => "post_server_item",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Which access tokens are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tokens {
    /// Any token does, for everything: nobody needs an account for a local double. None at all is refused, as
    /// Rollbar does.
    #[default]
    Any,
    /// These, each with its scopes. One without a scope is disabled.
    Listed(BTreeMap<String, Vec<Scope>>),
}

/// Settings of a [`Double`](super::Double).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What is refused.
    pub mode: Mode,
    /// The known tokens.
    pub tokens: Tokens,
    /// The most bytes of a request's body, and of the JSON in it once it is decoded; [`MAX_BODY_BYTES`] by default.
    pub max_bytes: usize,
    /// The most items that are kept; 1,000 by default. The item that was seen least recently goes first.
    pub max_items: usize,
    /// The most occurrences that are kept; 10,000 by default. The oldest go first.
    pub max_occurrences: usize,
    /// The most bytes of memory that the kept occurrences take, about; 128 MiB by default. The oldest go first.
    pub max_stored_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            tokens: Tokens::default(),
            max_bytes: MAX_BODY_BYTES,
            max_items: 1_000,
            max_occurrences: 10_000,
            max_stored_bytes: 128 << 20,
        }
    }
}
