//! A folder that keeps items over the end of the program: those that could not be delivered are sent at the next start.
//!
//! An item is one file, `<uuid>.json`. Who sends it first renames it to `<uuid>.<unix seconds>.claim`, which only one process can
//! do: two processes of a program may share the folder. A claim whose owner is gone is taken over after ten minutes.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;
use uuid::Uuid;

use crate::delivery::Ready;

/// How long a claim holds. All tries of an item take far less.
const LEASE: Duration = Duration::from_secs(600);

/// Why a folder cannot be used.
#[derive(Debug, Error)]
pub(crate) enum SpoolError {
    /// It cannot be made, or read.
    #[error("the spool folder `{dir}` cannot be used: {source}. Name a folder that the program may make or write to", dir = .dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is something of that name, but no folder.
    #[error("the spool folder `{dir}` is no folder: name another, or remove what is there", dir = .dir.display())]
    NoFolder {
        /// The path.
        dir: PathBuf,
    },
    /// Others may write to it: they could have the program send whatever they like.
    #[error("others may write to the spool folder `{dir}`: run `chmod 700` on it, or name a folder of the program's own", dir = .dir.display())]
    Shared {
        /// The folder.
        dir: PathBuf,
    },
}

/// What became of the folder's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SpoolStats {
    /// Items that were written.
    pub(crate) stored: u64,
    /// Items that had to go for newer ones.
    pub(crate) evicted: u64,
    /// Items that could not be written: the disk is full, the folder is gone, the item alone is larger than the bound.
    pub(crate) failed: u64,
    /// Files that were no item, and were removed.
    pub(crate) broken: u64,
}

/// A folder of items.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    max_bytes: u64,
    max_files: usize,
    stats: SpoolStats,
    /// What was there at the start, the oldest first.
    left: VecDeque<Uuid>,
    /// What this process sends: the item's claim.
    claimed: HashMap<Uuid, PathBuf>,
    warned: bool,
}

/// A file of the folder.
struct Found {
    path: PathBuf,
    name: Name,
    bytes: u64,
    modified: SystemTime,
}

/// What a file's name says.
enum Name {
    Item(Uuid),
    Claim(Uuid, SystemTime),
    /// Begun, and perhaps never finished.
    Partial,
}

impl Spool {
    /// Opens a folder, or makes it, for its owner alone. At most `max_files` items and `max_bytes` bytes are kept: the oldest
    /// make room.
    ///
    /// # Errors
    /// When the folder cannot be made or read, is none, or may be written to by others.
    pub(crate) fn open(dir: &Path, max_bytes: u64, max_files: usize) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::Folder { dir: dir.to_owned(), source };
        make(dir).map_err(failed)?;
        let about = fs::metadata(dir).map_err(failed)?;
        if !about.is_dir() {
            return Err(SpoolError::NoFolder { dir: dir.to_owned() });
        }
        if is_shared(&about) {
            return Err(SpoolError::Shared { dir: dir.to_owned() });
        }
        let mut spool = Self {
            dir: dir.to_owned(),
            max_bytes,
            max_files,
            stats: SpoolStats::default(),
            left: VecDeque::new(),
            claimed: HashMap::new(),
            warned: false,
        };
        let mut found = spool.files().map_err(failed)?;
        found.sort_by_key(|file| file.modified);
        for file in found {
            spool.welcome(file);
        }
        Ok(spool)
    }

    /// One file as it was found at the start.
    fn welcome(&mut self, file: Found) {
        let is_old = |since: SystemTime| {
            // A clock that was set back is no reason to keep a claim for ever.
            SystemTime::now().duration_since(since).is_ok_and(|age| age > LEASE)
                || since.duration_since(SystemTime::now()).is_ok_and(|ahead| ahead > LEASE)
        };
        match file.name {
            Name::Item(uuid) => self.left.push_back(uuid),
            Name::Claim(uuid, since) if is_old(since) => {
                if fs::rename(&file.path, self.path(uuid)).is_ok() {
                    self.left.push_back(uuid);
                }
            }
            Name::Partial if is_old(file.modified) => {
                let _ = fs::remove_file(&file.path);
            }
            Name::Claim(..) | Name::Partial => {}
        }
    }

    /// The next item that an earlier run has left, the oldest first, claimed for this process: [`done`](Self::done) or
    /// [`store`](Self::store) ends the claim. What is no item is removed and counted.
    pub(crate) fn next_left(&mut self) -> Option<Ready> {
        while let Some(uuid) = self.left.pop_front() {
            let claim = self.dir.join(format!("{uuid}.{}.claim", unix_seconds()));
            // Another process was faster, or it had to make room.
            if fs::rename(self.path(uuid), &claim).is_err() {
                continue;
            }
            let item = self.read(&claim).and_then(|json| Ready::from_json(&json).ok());
            match item {
                Some(item) if item.uuid == uuid => {
                    self.claimed.insert(uuid, claim);
                    return Some(item);
                }
                _ => {
                    self.stats.broken += 1;
                    if self.stats.broken == 1 {
                        let dir = self.dir.display();
                        tracing::warn!(
                            "the spool folder `{dir}` held what is no Rollbar item; it was removed"
                        );
                    }
                    let _ = fs::remove_file(&claim);
                }
            }
        }
        None
    }

    /// Items that are left to [`next_left`](Self::next_left).
    #[cfg(test)]
    fn left(&self) -> usize {
        self.left.len()
    }

    /// Ends the claim on an item that was delivered or refused: its file is removed. Nothing is done for other items.
    pub(crate) fn done(&mut self, uuid: Uuid) {
        if let Some(claim) = self.claimed.remove(&uuid) {
            let _ = fs::remove_file(claim);
        }
    }

    /// Keeps an item. False where it could not be written, which is counted and, once, logged.
    pub(crate) fn store(&mut self, uuid: Uuid, json: &[u8]) -> bool {
        // It is there already: it only has to be let go of.
        if let Some(claim) = self.claimed.remove(&uuid)
            && fs::rename(claim, self.path(uuid)).is_ok()
        {
            return true;
        }
        match self.make_room(json.len() as u64).and_then(|()| self.write(uuid, json)) {
            Ok(()) => {
                self.stats.stored += 1;
                true
            }
            Err(error) => {
                self.stats.failed += 1;
                if !std::mem::replace(&mut self.warned, true) {
                    let dir = self.dir.display();
                    tracing::warn!("a Rollbar item could not be kept in the spool folder `{dir}`: {error}");
                }
                false
            }
        }
    }

    /// What became of the folder's files so far.
    pub(crate) fn stats(&self) -> SpoolStats {
        self.stats
    }

    fn path(&self, uuid: Uuid) -> PathBuf {
        self.dir.join(format!("{uuid}.json"))
    }

    /// The files of ours in the folder; others are left alone.
    fn files(&self) -> io::Result<Vec<Found>> {
        let found = |entry: fs::DirEntry| {
            let name = Name::of(entry.file_name().to_str()?)?;
            // Of the entry itself: what a link points to is not ours.
            let about = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let modified = about.modified().unwrap_or(UNIX_EPOCH);
            Some(Found { path: entry.path(), name, bytes: about.len(), modified })
        };
        Ok(fs::read_dir(&self.dir)?.flatten().filter_map(found).collect())
    }

    /// Removes the oldest items until another of so many bytes has its place.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        if bytes > self.max_bytes || self.max_files == 0 {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the item alone is more than may be kept",
            ));
        }
        let mut files = self.files()?;
        let mut count = files.len();
        let mut total: u64 = files.iter().map(|file| file.bytes).sum();
        files.sort_by_key(|file| file.modified);
        // What is being sent or written will go by itself.
        for file in files.into_iter().filter(|file| matches!(file.name, Name::Item(_))) {
            if count < self.max_files && total + bytes <= self.max_bytes {
                break;
            }
            if fs::remove_file(&file.path).is_ok() {
                self.stats.evicted += 1;
                if self.stats.evicted == 1 {
                    let dir = self.dir.display();
                    tracing::warn!(
                        "the spool folder `{dir}` is full: its oldest Rollbar items go for new ones"
                    );
                }
                count -= 1;
                total -= file.bytes;
            }
        }
        Ok(())
    }

    /// A file appears with all that is in it, or not at all. It may be lost when the machine stops at that moment: what is
    /// not worth waiting for the disk is not worth blocking for it.
    fn write(&self, uuid: Uuid, json: &[u8]) -> io::Result<()> {
        let partial = self.dir.join(format!("{uuid}.{}.partial", std::process::id()));
        let written = for_owner_alone()
            .open(&partial)
            .and_then(|mut file: File| file.write_all(json))
            .and_then(|()| fs::rename(&partial, self.path(uuid)));
        if written.is_err() {
            let _ = fs::remove_file(&partial);
        }
        written
    }

    /// What is too large was not written by us.
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let is_item = fs::metadata(path).is_ok_and(|about| about.len() <= self.max_bytes);
        is_item.then(|| fs::read(path).ok()).flatten()
    }
}

impl Drop for Spool {
    /// What was not sent is left to the next start.
    fn drop(&mut self) {
        for (uuid, claim) in std::mem::take(&mut self.claimed) {
            let _ = fs::rename(claim, self.path(uuid));
        }
    }
}

impl Name {
    fn of(name: &str) -> Option<Self> {
        let (uuid, rest) = name.split_once('.')?;
        let uuid = Uuid::try_parse(uuid).ok().filter(|parsed| parsed.to_string() == uuid)?;
        match rest.split_once('.') {
            None if rest == "json" => Some(Self::Item(uuid)),
            Some((seconds, "claim")) => {
                let since = UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?))?;
                Some(Self::Claim(uuid, since))
            }
            Some((_, "partial")) => Some(Self::Partial),
            _ => None,
        }
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn for_owner_alone() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make(dir: &Path) -> io::Result<()> {
    if dir.exists() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[cfg(unix)]
fn is_shared(about: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o022 != 0
}

#[cfg(not(unix))]
fn is_shared(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
