//! Texts that the API limits.

use std::ops::Deref;

use serde::Serialize;

/// Characters of an environment, a context, a title, a person's name or address.
pub const MAX_TEXT_CHARS: usize = 255;

/// Characters of a code version.
pub const MAX_CODE_VERSION_CHARS: usize = 40;

/// Characters of a person's id.
pub const MAX_PERSON_ID_CHARS: usize = 40;

/// A text of at most `MAX` characters: what is longer is cut. Whether the API would cut or refuse it is not documented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Text<const MAX: usize>(String);

impl<const MAX: usize> From<&str> for Text<MAX> {
    fn from(text: &str) -> Self {
        Self(xray_error::cut(text, MAX).to_owned())
    }
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}
