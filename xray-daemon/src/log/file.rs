//! A log file that moves to `FILE.1` when it is full.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// As for the AWS daemon: the line that reaches it is the last one of a file.
pub(super) const LIMIT: u64 = 50 * 1024 * 1024;

pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    limit: Option<u64>,
    /// The size at which the file is moved away: the limit, unless that failed.
    rotate_at: u64,
    torn: Torn,
    note: Option<String>,
}

impl LogFile {
    /// Opens the file at `path` to write on at its end, and makes it and its folder where they are not there. It is
    /// rotated at `limit` bytes, or never.
    pub(super) fn open(path: &Path, limit: Option<u64>) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let (file, size) = open(path)?;
        let mut opened =
            Self { path: path.to_owned(), file, size: 0, limit, rotate_at: 0, torn: Torn(false), note: None };
        opened.started(size);
        Ok(opened)
    }

    /// Writes a line, in the file that it has its place in.
    pub(super) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size >= self.rotate_at {
            self.rotate();
        }
        let (written, result) = self.torn.write(&mut self.file, line);
        self.size += written;
        result
    }

    /// Opens the file anew by its name. Where that fails, the old one is written on.
    pub(super) fn reopen(&mut self) {
        match open(&self.path) {
            Ok((file, size)) => {
                self.file = file;
                self.started(size);
            }
            Err(error) => {
                self.note = Some(format!("cannot open the log file {} anew: {error}", self.path.display()));
            }
        }
    }

    /// What is to be told in the log about the log.
    pub(super) fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    /// One old file is kept, always of the same name.
    fn rotate(&mut self) {
        let mut old = OsString::from(&self.path);
        old.push(".1");
        let moved = match std::fs::rename(&self.path, old) {
            // Somebody has moved it away already.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            moved => moved,
        };
        match moved.and_then(|()| open(&self.path)) {
            Ok((file, size)) => {
                self.file = file;
                self.started(size);
            }
            Err(error) => {
                // A log that grows is better than none; tried again when it has grown by a tenth.
                self.rotate_at = self.size.saturating_add(self.limit.unwrap_or(LIMIT) / 10);
                self.note = Some(format!("cannot rotate the log file {}: {error}", self.path.display()));
            }
        }
    }

    /// With a file of this size, `None` if it has none.
    fn started(&mut self, size: Option<u64>) {
        self.size = size.unwrap_or(0);
        // A device or a pipe is never full, and must not be moved.
        self.rotate_at = self.limit.filter(|_| size.is_some()).unwrap_or(u64::MAX);
        self.torn = Torn(false);
    }
}

fn open(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o644).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata.is_file().then_some(metadata.len())))
}

/// Whether the last line was written in part only, so that the next one must not go on in it.
pub(super) struct Torn(pub(super) bool);

impl Torn {
    /// How many bytes were written, and how it went.
    pub(super) fn write(&mut self, to: &mut dyn Write, line: &[u8]) -> (u64, io::Result<()>) {
        let mut written = 0;
        if self.0 {
            match put(to, b"\n") {
                (_, Err(error)) => return (0, Err(error)),
                (count, Ok(())) => written = count,
            }
            self.0 = false;
        }
        let (count, result) = put(to, line);
        self.0 = result.is_err() && count > 0;
        (written + count, result)
    }
}

fn put(to: &mut dyn Write, mut bytes: &[u8]) -> (u64, io::Result<()>) {
    let mut written = 0;
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => {
                written += count as u64;
                bytes = bytes.get(count..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
#[path = "file_tests.rs"]
pub(super) mod tests;
