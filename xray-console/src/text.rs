//! Text that came over the wire, made fit for a terminal.
//!
//! Names, messages and metadata are the user's data or an attacker's: none of it may move the cursor, change colours
//! or reorder the line. Widths are columns of a terminal, not bytes.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Whether a character could change how a terminal draws what follows, or hide text.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{061c}' | '\u{e0000}'..='\u{e007f}')
}

/// The text on one line, without anything that a terminal obeys: white space becomes a space, other control
/// characters `\u{fffd}`. With `ascii`, every character that is not ASCII becomes `?`.
pub(crate) fn sanitize(text: &str, ascii: bool) -> Cow<'_, str> {
    let clean = |c: char| !is_unsafe(c) && (!ascii || c.is_ascii());
    if text.chars().all(clean) {
        return Cow::Borrowed(text);
    }
    let replace = |c: char| match c {
        c if clean(c) => c,
        c if c.is_whitespace() => ' ',
        _ if ascii => '?',
        _ => '\u{fffd}',
    };
    Cow::Owned(text.chars().map(replace).collect())
}

/// How many columns the text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    match c {
        // Makes an emoji, two columns wide, of the one column before it.
        '\u{fe0f}' => 1,
        c => c.width().unwrap_or(0),
    }
}

/// The text cut to at most `width` columns, its end marked where something was cut.
pub(crate) fn cut(text: &str, width: usize, ascii: bool) -> Cow<'_, str> {
    if columns(text) <= width {
        return Cow::Borrowed(text);
    }
    let mark = if ascii { "~" } else { "…" };
    let Some(room) = width.checked_sub(1) else { return Cow::Borrowed("") };
    let mut used = 0;
    let kept = text.char_indices().find(|(_, c)| {
        used += columns_of(*c);
        used > room
    });
    let end = kept.map_or(text.len(), |(index, _)| index);
    Cow::Owned(format!("{}{mark}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_direction_marks_lose_their_power() {
        assert_eq!(
            sanitize("a\x1b[31mb\u{9b}2Jc\nd\te\u{202e}f\u{7f}", false),
            "a\u{fffd}[31mb\u{fffd}2Jc d e\u{fffd}f\u{fffd}"
        );
        assert_eq!(sanitize("grün\x07", true), "gr?n?");
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(cut("日本語", 6, false), "日本語");
        assert_eq!(cut("日本語", 5, false), "日本…");
        assert_eq!(cut("日本語", 4, false), "日…");
        assert_eq!(cut("☎\u{fe0f}☎\u{fe0f}", 4, false), "☎\u{fe0f}☎\u{fe0f}");
        assert_eq!(cut("☎\u{fe0f}☎\u{fe0f}", 3, false), "☎\u{fe0f}…");
        assert_eq!(cut("abc", 1, true), "~");
        assert_eq!(cut("abc", 0, true), "");
    }
}
