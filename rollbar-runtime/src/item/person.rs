//! Whom it happened to.

use serde::Serialize;
use serde_json::{Map, Value};

use super::limit::{MAX_PERSON_ID_CHARS, MAX_TEXT_CHARS, Text};

/// Whom it happened to. Name and address are personal data: they are sent only where
/// [`RollbarBuilder`](crate::RollbarBuilder) allows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Person {
    id: Text<MAX_PERSON_ID_CHARS>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<Text<MAX_TEXT_CHARS>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<Text<MAX_TEXT_CHARS>>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl Person {
    /// A person of this id: a text or a number, cut at 40 characters.
    pub fn new(id: impl std::fmt::Display) -> Self {
        Self { id: id.to_string().as_str().into(), username: None, email: None, extra: Map::new() }
    }

    /// With a name, cut at 255 characters.
    #[must_use]
    pub fn with_username(mut self, username: &str) -> Self {
        self.username = Some(username.into());
        self
    }

    /// With an address, cut at 255 characters.
    #[must_use]
    pub fn with_email(mut self, email: &str) -> Self {
        self.email = Some(email.into());
        self
    }

    /// With a value of your own. The names `id`, `username` and `email` have their own methods, and are left out here.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        if !matches!(key, "id" | "username" | "email") {
            self.extra.insert(key.to_owned(), value.into());
        }
        self
    }

    /// Takes away what may not be sent.
    pub(crate) fn restrict(&mut self, usernames: bool, emails: bool) {
        if !usernames {
            self.username = None;
        }
        if !emails {
            self.email = None;
        }
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }
}
