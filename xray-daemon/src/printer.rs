//! Shows finished traces and items on a writer.

use std::any::Any;
use std::io::{self, IsTerminal, Write};

use xray_console::rollbar::{Deploy, Occurrence};
use xray_console::{FinishedTrace, Format, View};

/// What is printed of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Print {
    Lines(Format),
    Waterfalls,
}

/// Writes each trace and each item in one piece, so that other output of the program does not get into it.
pub(crate) struct Printer<W> {
    writer: W,
    print: Print,
    view: View,
}

impl<W: Write> Printer<W> {
    pub(crate) fn new(writer: W, print: Print, view: View) -> Self {
        Self { writer, print, view }
    }

    pub(crate) fn show(&mut self, finished: &FinishedTrace) -> io::Result<()> {
        let text = match self.print {
            Print::Lines(format) => finished.line(format, self.view),
            Print::Waterfalls => finished.waterfall(self.view),
        };
        self.write(text)
    }

    pub(crate) fn show_item(&mut self, item: &Occurrence) -> io::Result<()> {
        let text = match self.print {
            Print::Lines(format) => item.line(format, self.view),
            Print::Waterfalls => item.drawing(self.view),
        };
        self.write(text)
    }

    pub(crate) fn show_deploy(&mut self, deploy: &Deploy) -> io::Result<()> {
        let text = match self.print {
            Print::Lines(format) => deploy.line(format, self.view),
            Print::Waterfalls => deploy.line(Format::Human, self.view) + "\n",
        };
        self.write(text)
    }

    fn write(&mut self, mut text: String) -> io::Result<()> {
        text.push('\n');
        self.writer.write_all(text.as_bytes())?;
        self.writer.flush()
    }
}

/// The view that suits a writer: where it is standard output or standard error, and that is a terminal, its width and
/// colours (unless `NO_COLOR` is set); else [`View::new`].
pub(crate) fn view_for(writer: &dyn Any) -> View {
    let is_terminal = match (writer.downcast_ref::<io::Stdout>(), writer.downcast_ref::<io::Stderr>()) {
        (Some(stdout), _) => stdout.is_terminal(),
        (_, Some(stderr)) => stderr.is_terminal(),
        _ => false,
    };
    if !is_terminal {
        return View::new();
    }
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let view = View::new().color(!set("NO_COLOR") && !dumb);
    match terminal_size::terminal_size() {
        Some((terminal_size::Width(width), _)) => view.width(width.into()),
        None => view,
    }
}
