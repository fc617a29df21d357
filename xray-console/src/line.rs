//! One line of output, put together from pieces that are already fit for a terminal.

use crate::color::{Style, paint};
use crate::text::{columns, cut};
use crate::view::View;

/// A line that never gets wider than its view.
pub(crate) struct Line {
    view: View,
    pieces: Vec<(String, Style)>,
    columns: usize,
}

impl Line {
    pub(crate) fn new(view: View) -> Self {
        Self { view, pieces: Vec::new(), columns: 0 }
    }

    /// Appends sanitized text, cut to what is left of the line.
    pub(crate) fn push(&mut self, text: &str, style: Style) {
        let text = cut(text, self.view.width.saturating_sub(self.columns), self.view.ascii);
        if !text.is_empty() {
            self.columns += columns(&text);
            self.pieces.push((text.into_owned(), style));
        }
    }

    /// Appends text cut to end at `column` at the latest.
    pub(crate) fn push_until(&mut self, text: &str, style: Style, column: usize) {
        let text = cut(text, column.saturating_sub(self.columns), self.view.ascii);
        self.push(&text, style);
    }

    /// Spaces up to `column`.
    pub(crate) fn pad_to(&mut self, column: usize) {
        let spaces = column.saturating_sub(self.columns);
        self.push(&" ".repeat(spaces), Style::Plain);
    }

    /// Writes the line and its end, without trailing spaces.
    pub(crate) fn finish(mut self, out: &mut String) {
        while let Some((text, _)) = self.pieces.last_mut() {
            text.truncate(text.trim_end_matches(' ').len());
            if !text.is_empty() {
                break;
            }
            self.pieces.pop();
        }
        for (text, style) in &self.pieces {
            paint(out, text, *style, self.view.color);
        }
        out.push('\n');
    }
}
