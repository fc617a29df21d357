//! What goes in, and what becomes of it.

use std::fmt;

use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use crate::Level;
use crate::transport::{Payload, TransportErrorKind};

/// An item that is ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ready {
    /// `data.uuid`.
    pub(crate) uuid: Uuid,
    /// `data.level`.
    pub(crate) level: Level,
    /// All that is sent: `{"data": {..}}`, scrubbed.
    pub(crate) tree: Value,
}

/// Bytes that are no item.
#[derive(Debug, Error)]
pub(crate) enum BrokenItem {
    /// They are no JSON.
    #[error("it is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// They are JSON, but this part is missing, or is of another kind.
    #[error("`{0}` is missing or not valid")]
    Part(&'static str),
}

impl Ready {
    /// An item with its tree.
    pub(crate) fn new(uuid: Uuid, level: Level, tree: Value) -> Self {
        Self { uuid, level, tree }
    }

    /// An item from its JSON, as [`Outcome::Undelivered`] gave it.
    ///
    /// # Errors
    /// When it is no JSON, or has no body, no uuid or no level.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, BrokenItem> {
        let tree: Value = serde_json::from_slice(json)?;
        let text = |path: &'static str| tree.pointer(path).and_then(Value::as_str);
        if !tree.pointer("/data/body").is_some_and(Value::is_object) {
            return Err(BrokenItem::Part("data.body"));
        }
        let uuid = text("/data/uuid").and_then(|uuid| uuid.parse().ok());
        let level = text("/data/level").and_then(|level| level.parse().ok());
        Ok(Self {
            uuid: uuid.ok_or(BrokenItem::Part("data.uuid"))?,
            level: level.ok_or(BrokenItem::Part("data.level"))?,
            tree,
        })
    }
}

/// What became of an item.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The service has it.
    Sent,
    /// Nothing is sent for now, see [`Delivery::paused_until`](super::Delivery::paused_until): it may be given in again.
    Deferred(Ready),
    /// The network or the service failed as often as is tried, or the time was over: it may be kept for the next start.
    Undelivered(Payload),
    /// It is lost.
    Dropped(DropCause),
}

/// Why an item is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum DropCause {
    /// The service, or a proxy before it, refused the item as such: 400, 422, 403 from a proxy, and any other status that
    /// says neither yes nor later.
    Refused,
    /// Nothing takes items there: 404, 405 or a redirect.
    Endpoint,
    /// The token is missing, unknown, disabled or not allowed to send, now or with an item before: 401 and 403.
    Unauthorized,
    /// Too large, however much was cut: 413. A note was sent in its place.
    TooLarge,
    /// There is no way to the service that another try would open: a certificate that is not trusted, a scheme that is not
    /// known.
    Transport(TransportErrorKind),
}

impl DropCause {
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            300..=399 | 404 | 405 => Self::Endpoint,
            401 => Self::Unauthorized,
            413 => Self::TooLarge,
            _ => Self::Refused,
        }
    }
}

/// Why nothing is sent any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OffReason {
    /// The status of the refusal: 401 or 403.
    pub(super) status: u16,
    pub(super) why: String,
}

impl fmt::Display for OffReason {
    /// What the service said, with tokens masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
