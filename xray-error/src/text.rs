//! Texts of a user's values, within bounds.

use std::any::Any;
use std::fmt::{self, Display, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The first `max_chars` Unicode scalar values of the text.
///
/// ```
/// assert_eq!(xray_error::cut("naïve", 3), "naï");
/// ```
pub fn cut(text: &str, max_chars: usize) -> &str {
    if text.len() <= max_chars {
        return text;
    }
    text.char_indices().nth(max_chars).map_or(text, |(end, _)| &text[..end])
}

/// What is written, cut at `max_chars` Unicode scalar values.
///
/// `write` may run a user's `Display` or `Debug`: one that writes without end is stopped at the limit, by the error that
/// the writer gives; one that panics is caught, and what it wrote before remains.
///
/// ```
/// use std::fmt::Write;
///
/// assert_eq!(xray_error::text_of(4, |out| write!(out, "{:?}", [1, 2, 3])), "[1, ");
/// ```
pub fn text_of(max_chars: usize, write: impl FnOnce(&mut Bounded) -> fmt::Result) -> String {
    let mut out = Bounded { text: String::new(), left: max_chars };
    if caught(|| write(&mut out)).is_none() && out.text.is_empty() {
        out.text.push_str(cut("(formatting the error panicked)", max_chars));
    }
    out.text
}

pub(crate) fn display_text(value: &(impl Display + ?Sized), max_chars: usize) -> String {
    text_of(max_chars, |out| write!(out, "{value}"))
}

/// What the user's code gives, or `None` when it panics; a payload whose destructor panics as well does no harm.
///
/// ```
/// assert_eq!(xray_error::caught(|| 1), Some(1));
/// assert_eq!(xray_error::caught(|| panic!("no value")), None::<u32>);
/// ```
pub fn caught<T>(user: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(user)) {
        Ok(value) => Some(value),
        Err(payload) => {
            forget_payload(payload);
            None
        }
    }
}

/// A payload's own destructor may panic, with a payload whose destructor does: the second is leaked.
fn forget_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// The text that [`text_of`] writes to.
#[derive(Debug)]
pub struct Bounded {
    text: String,
    left: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let kept = cut(text, self.left);
        self.text.push_str(kept);
        self.left -= kept.chars().count();
        // An error ends the formatting: there is no use in more.
        if kept.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            std::panic::panic_any(PanicsOnDrop);
        }
    }

    #[test]
    fn a_panic_is_caught_and_what_was_written_remains() {
        assert_eq!(text_of(99, |_| panic!("no text")), "(formatting the error panicked)");
        let half = text_of(99, |out| {
            out.write_str("half")?;
            panic!("no more")
        });
        assert_eq!(half, "half");
        assert_eq!(text_of(5, |_| std::panic::panic_any(PanicsOnDrop)), "(form");
    }

    proptest! {
        #[test]
        fn a_text_is_its_first_characters(parts in prop::collection::vec(any::<String>(), 0..5), max in 0_usize..40) {
            let whole: String = parts.concat();
            let first: String = whole.chars().take(max).collect();
            prop_assert_eq!(cut(&whole, max), first.as_str());
            prop_assert_eq!(text_of(max, |out| parts.iter().try_for_each(|part| out.write_str(part))), first);
        }
    }
}
