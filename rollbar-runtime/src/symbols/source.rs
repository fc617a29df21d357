//! Lines of source files, where they are on this machine.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::item::Line;

/// Lines before and after the one that is asked for; as Rollbar's gem has it.
const CONTEXT_LINES: usize = 4;

/// Unicode scalar values of a line.
const MAX_LINE_CHARS: usize = 512;

/// Bytes of a file. Larger ones are generated, and of no use to a reader.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Lines of a file. They take more than their text.
const MAX_LINES: usize = 100_000;

/// Files that are kept, those that are not there included.
const MAX_FILES: usize = 64;

/// Bytes of all files that are kept.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// A line and those round it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) code: Line,
    pub(super) pre: Vec<Line>,
    pub(super) post: Vec<Line>,
}

/// The files that were asked for last.
#[derive(Debug)]
pub(super) struct SourceFiles {
    root: Option<PathBuf>,
    files: HashMap<Box<str>, Kept>,
    bytes: usize,
    /// Counts what is asked for.
    clock: u64,
}

#[derive(Debug)]
struct Kept {
    /// `None`: it is not there, or not to be read.
    file: Option<SourceFile>,
    used: u64,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.file.as_ref().map_or(0, SourceFile::bytes)
    }
}

impl SourceFiles {
    /// Relative paths are looked for below `root`, then below the current folder.
    pub(super) fn new(root: Option<&Path>) -> Self {
        Self { root: root.map(Into::into), files: HashMap::new(), bytes: 0, clock: 0 }
    }

    /// The line with this number, from 1, of a file that rustc knows by this path.
    pub(super) fn excerpt(&mut self, path: &str, line: u32) -> Option<Excerpt> {
        // A path may come of an error's text, which is anybody's: no other file is read.
        if !path.ends_with(".rs") {
            return None;
        }
        self.clock += 1;
        let clock = self.clock;
        if let Some(kept) = self.files.get_mut(path) {
            kept.used = clock;
            return kept.file.as_ref()?.excerpt(line);
        }
        let kept = Kept { file: self.read(path), used: clock };
        let excerpt = kept.file.as_ref().and_then(|file| file.excerpt(line));
        self.make_room(kept.bytes());
        self.bytes += kept.bytes();
        self.files.insert(path.into(), kept);
        excerpt
    }

    fn read(&self, path: &str) -> Option<SourceFile> {
        let below_root = self.root.as_ref().and_then(|root| read(&root.join(path)));
        below_root.or_else(|| read(Path::new(path))).map(|text| SourceFile::new(&text))
    }

    /// Forgets the files that were asked for longest ago.
    fn make_room(&mut self, bytes: usize) {
        while self.files.len() >= MAX_FILES || self.bytes + bytes > MAX_BYTES {
            let oldest = self.files.iter().min_by_key(|(_, kept)| kept.used).map(|(path, _)| path.clone());
            let Some(kept) = oldest.and_then(|path| self.files.remove(&path)) else { return };
            self.bytes -= kept.bytes();
        }
    }
}

/// The text of a regular file: to open a fifo or a device could block.
fn read(path: &Path) -> Option<String> {
    let about = std::fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > MAX_FILE_BYTES {
        return None;
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    // It may have grown meanwhile.
    File::open(path).ok()?.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[derive(Debug)]
struct SourceFile {
    lines: Box<[Line]>,
}

impl SourceFile {
    fn new(text: &str) -> Self {
        let shown = |line: &str| xray_error::cut(line.trim_end(), MAX_LINE_CHARS).into();
        Self { lines: text.split_terminator('\n').take(MAX_LINES).map(shown).collect() }
    }

    fn bytes(&self) -> usize {
        // Beside its text, each has a pointer with a length and two counts.
        self.lines.iter().map(|line| line.len() + 4 * size_of::<usize>()).sum()
    }

    fn excerpt(&self, line: u32) -> Option<Excerpt> {
        let at = (line as usize).checked_sub(1)?;
        let (pre, [code, post @ ..]) = self.lines.split_at_checked(at)? else { return None };
        Some(Excerpt {
            code: code.clone(),
            pre: pre[pre.len().saturating_sub(CONTEXT_LINES)..].to_vec(),
            post: post[..post.len().min(CONTEXT_LINES)].to_vec(),
        })
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
