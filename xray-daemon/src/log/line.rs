//! One event as one line.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use chrono::{DateTime, SecondsFormat, TimeZone};
use tracing::Level;

/// The longest text of a line, in bytes: what a stranger sent is quoted in some.
const LONGEST: usize = 8 * 1024;

/// `2006-01-02T15:04:05+02:00 [Info] `, with `Z` in UTC.
pub(super) fn begin<Z: TimeZone<Offset: fmt::Display>>(line: &mut Vec<u8>, at: DateTime<Z>, level: Level) {
    let level = match level {
        Level::TRACE => "Trace",
        Level::DEBUG => "Debug",
        Level::INFO => "Info",
        Level::WARN => "Warn",
        Level::ERROR => "Error",
    };
    // A vector takes everything.
    let _ = write!(line, "{} [{level}] ", at.to_rfc3339_opts(SecondsFormat::Secs, true));
}

/// The text, and the end of the line.
pub(super) fn end(line: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    let mut escaped = Escaped::new(line);
    // What cannot be shown ends the text early.
    let _ = escaped.write_fmt(text);
    escaped.finish();
}

/// Writes text that can neither begin a line of its own nor make a terminal do anything, up to a length.
pub(super) struct Escaped<'a> {
    line: &'a mut Vec<u8>,
    room: usize,
    cut: usize,
}

impl<'a> Escaped<'a> {
    pub(super) fn new(line: &'a mut Vec<u8>) -> Self {
        Self { line, room: LONGEST, cut: 0 }
    }

    /// Ends the line.
    pub(super) fn finish(self) {
        if self.cut > 0 {
            let _ = write!(self.line, "… ({} bytes more)", self.cut);
        }
        self.line.push(b'\n');
    }

    fn put(&mut self, bytes: &[u8]) {
        // A character or its escape, whole or not at all; after the first that has no room, none.
        if self.cut > 0 || bytes.len() > self.room {
            self.cut += bytes.len();
        } else {
            self.room -= bytes.len();
            self.line.extend_from_slice(bytes);
        }
    }
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut buffer = [0; 4];
        for c in text.chars() {
            match c {
                '\n' => self.put(b"\\n"),
                '\r' => self.put(b"\\r"),
                '\t' => self.put(b"\\t"),
                c if is_unsafe(c) => self.put(c.escape_unicode().to_string().as_bytes()),
                c => self.put(c.encode_utf8(&mut buffer).as_bytes()),
            }
        }
        Ok(())
    }
}

/// Whether a terminal may obey it: control characters, and marks of the direction of text.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, Utc};

    use super::*;

    fn line(text: &str) -> String {
        let mut line = Vec::new();
        end(&mut line, format_args!("{text}"));
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn the_beginning_is_that_of_the_aws_daemon() {
        let utc = DateTime::from_timestamp(1_795_470_032, 427_340_508).unwrap();
        let begun = |at: &DateTime<FixedOffset>, level| {
            let mut line = Vec::new();
            begin(&mut line, *at, level);
            String::from_utf8(line).unwrap()
        };
        let mut line = Vec::new();
        begin(&mut line, utc.with_timezone(&Utc), Level::INFO);
        assert_eq!(line, b"2026-11-23T21:40:32Z [Info] ");
        let in_oslo = utc.with_timezone(&FixedOffset::east_opt(3600).unwrap());
        assert_eq!(begun(&in_oslo, Level::ERROR), "2026-11-23T22:40:32+01:00 [Error] ");
        let in_india = utc.with_timezone(&FixedOffset::east_opt(19_800).unwrap());
        assert_eq!(begun(&in_india, Level::WARN), "2026-11-24T03:10:32+05:30 [Warn] ");
        let at_zero = utc.with_timezone(&FixedOffset::east_opt(0).unwrap());
        assert_eq!(begun(&at_zero, Level::DEBUG), "2026-11-23T21:40:32Z [Debug] ");
        assert!(begun(&at_zero, Level::TRACE).ends_with(" [Trace] "));
    }

    #[test]
    fn one_event_is_one_line_whatever_is_in_it() {
        assert_eq!(line("plain, grün, 日本"), "plain, grün, 日本\n");
        assert_eq!(
            line("a\nb\r\n2006-01-02T15:04:05Z [Error] forged\t\x1b[31m\0\u{9b}\u{202e}\u{2028}"),
            "a\\nb\\r\\n2006-01-02T15:04:05Z [Error] forged\\t\\u{1b}[31m\\u{0}\\u{9b}\\u{202e}\\u{2028}\n"
        );
    }

    #[test]
    fn a_line_has_a_longest_length() {
        assert_eq!(line(&"a".repeat(LONGEST)).len(), LONGEST + 1);
        let cut = line(&format!("{}ü", "a".repeat(LONGEST - 1)));
        assert_eq!(cut, format!("{}… (2 bytes more)\n", "a".repeat(LONGEST - 1)));
        // An escape is not cut either.
        let cut = line(&format!("{}\nb", "a".repeat(LONGEST - 1)));
        assert_eq!(cut, format!("{}… (3 bytes more)\n", "a".repeat(LONGEST - 1)));
    }
}
