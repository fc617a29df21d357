//! How a trace is drawn.

/// The smallest width that a waterfall is drawn in, in columns.
pub const MIN_WIDTH: usize = 80;

/// The largest: beyond it a bar says no more.
pub const MAX_WIDTH: usize = 240;

/// How to draw: width, characters and colours.
///
/// ```
/// let view = xray_console::View::new().width(120).ascii(true);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    pub(crate) width: usize,
    pub(crate) ascii: bool,
    pub(crate) color: bool,
}

impl View {
    /// 100 columns, Unicode, no colours.
    pub fn new() -> Self {
        Self { width: 100, ascii: false, color: false }
    }

    /// The width in columns, held between [`MIN_WIDTH`] and [`MAX_WIDTH`]. One-line summaries are not cut to it.
    #[must_use]
    pub fn width(mut self, columns: usize) -> Self {
        self.width = columns.clamp(MIN_WIDTH, MAX_WIDTH);
        self
    }

    /// Draw with ASCII only; characters of the data that are not ASCII become `?`.
    #[must_use]
    pub fn ascii(mut self, ascii: bool) -> Self {
        self.ascii = ascii;
        self
    }

    /// Colours as ANSI escape sequences: for a terminal only.
    #[must_use]
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}
