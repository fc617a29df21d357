//! `/api/activities`: the feed of posts, as in the original app. A handler is called `data_*`, as there.

pub(crate) mod create;
pub(crate) mod home;
pub(crate) mod notifications;
pub(crate) mod recommendations;
pub(crate) mod reply;
pub(crate) mod search;
pub(crate) mod show;
pub(crate) mod user;

use crate::error::ApiError;

/// Who is asking: the original had no sign-in at this point either.
pub(crate) const VIEWER: &str = "ada";

/// The longest text of a post, in characters.
const MESSAGE_LENGTH: usize = 280;

/// The text of a post without the space around it, or what is wrong with it.
fn checked_message(message: &str) -> Result<&str, ApiError> {
    let message = message.trim();
    if message.is_empty() {
        return Err(ApiError::Invalid("message_blank"));
    }
    if message.chars().count() > MESSAGE_LENGTH {
        return Err(ApiError::Invalid("message_exceed_max_chars"));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_1_to_280_characters() {
        assert_eq!(checked_message("  hi \n").unwrap(), "hi");
        assert_eq!(checked_message(&"ż".repeat(280)).unwrap().chars().count(), 280);
        assert_eq!(checked_message(" \t ").unwrap_err().to_string(), "message_blank");
        assert_eq!(checked_message(&"ż".repeat(281)).unwrap_err().to_string(), "message_exceed_max_chars");
    }
}
