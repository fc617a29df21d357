//! The queue between those who report and the worker: bounded by count and by bytes, and no place to wait.
//!
//! The lock is held for a few map and queue operations; nobody formats, allocates much, or runs the user's code under it.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::occurrence::Occurrence;

/// Occurrences of one text that wait before more of them are only counted.
const BURST: u32 = 10;

/// How many and how much may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

/// What became of one that was given in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// It had to go itself.
    pub(crate) refused: bool,
    /// Items, this one perhaps among them, that had to go.
    pub(crate) lost: u64,
    /// Occurrences that these stood for.
    pub(crate) lost_coalesced: u64,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue {
    bounds: Bounds,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By level, the oldest first.
    levels: [VecDeque<Entry>; 5],
    /// Of each group that waits: how many there are, and which one came last.
    groups: HashMap<u64, Group, KeyIsHash>,
    items: usize,
    bytes: usize,
    next: u64,
    /// Nobody takes anything out any more.
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    group: u64,
    bytes: usize,
    occurrence: Box<Occurrence>,
}

#[derive(Debug)]
struct Group {
    waiting: u32,
    last: u64,
    text: u64,
    same_text: u32,
}

impl Queue {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, waiting: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one in. Where there is no room, the oldest of the least severe goes; what is less severe than all that wait
    /// goes itself.
    ///
    /// # Errors
    /// Where the queue is closed: the occurrence.
    pub(crate) fn push(&self, occurrence: Box<Occurrence>) -> Result<Pushed, Box<Occurrence>> {
        let bytes = occurrence.bytes();
        let (group, text) = occurrence.burst_key();
        // Dropped after the lock is released: freeing is not free.
        let mut evicted: Vec<Entry> = Vec::new();
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(occurrence);
        }
        if let Some(pushed) = waiting.coalesce(group, text, self.bounds, &occurrence) {
            drop(waiting);
            return Ok(pushed);
        }
        if bytes > self.bounds.bytes {
            // The others would go for nothing.
            drop(waiting);
            return Ok(Pushed::refusing(&[Entry { number: 0, group, bytes, occurrence }]));
        }
        let rank = occurrence.level as usize;
        while waiting.items + 1 > self.bounds.items || waiting.bytes + bytes > self.bounds.bytes {
            match waiting.evict(rank) {
                Some(entry) => evicted.push(entry),
                None => {
                    drop(waiting);
                    evicted.push(Entry { number: 0, group, bytes, occurrence });
                    return Ok(Pushed::refusing(&evicted));
                }
            }
        }
        waiting.add(rank, Entry { number: 0, group, bytes, occurrence }, text);
        drop(waiting);
        Ok(Pushed::having_lost(&evicted))
    }

    /// Takes no more in. What waits can still be taken out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    /// The one that has waited longest, whatever its level.
    pub(crate) fn oldest(&self) -> Option<(u64, Box<Occurrence>)> {
        let mut waiting = self.lock();
        let level = (0..waiting.levels.len())
            .filter_map(|level| Some((waiting.levels[level].front()?.number, level)))
            .min()?
            .1;
        let entry = waiting.levels[level].pop_front()?;
        waiting.leave(&entry);
        Some((entry.number, entry.occurrence))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().items == 0
    }

    /// The number of the one that has waited longest, or of the next one to come.
    pub(crate) fn first(&self) -> u64 {
        let waiting = self.lock();
        waiting.levels.iter().filter_map(|level| Some(level.front()?.number)).min().unwrap_or(waiting.next)
    }

    /// The number of the next one to come.
    pub(crate) fn next(&self) -> u64 {
        self.lock().next
    }
}

impl Pushed {
    fn having_lost(entries: &[Entry]) -> Self {
        let lost_coalesced = entries.iter().map(|entry| entry.occurrence.coalesced).sum();
        Self { refused: false, lost: entries.len() as u64, lost_coalesced }
    }

    /// The last of them is the one that was given in.
    fn refusing(entries: &[Entry]) -> Self {
        Self { refused: true, ..Self::having_lost(entries) }
    }
}

impl Waiting {
    /// In a burst the last one that waits stands for those that follow: of the same text after a few, of the same group
    /// once the queue is three quarters full.
    fn coalesce(&mut self, group: u64, text: u64, bounds: Bounds, new: &Occurrence) -> Option<Pushed> {
        let nearly_full = self.items > bounds.items / 4 * 3 || self.bytes > bounds.bytes / 4 * 3;
        let known = self.groups.get_mut(&group)?;
        let again = known.text == text;
        if !(again && known.same_text >= BURST || nearly_full && known.waiting >= BURST) {
            return None;
        }
        let last = known.last;
        let level = &mut self.levels[new.level as usize];
        let at = level.binary_search_by_key(&last, |entry| entry.number).ok()?;
        level[at].occurrence.coalesced += 1 + new.coalesced;
        Some(Pushed::having_lost(&[]))
    }

    fn add(&mut self, rank: usize, mut entry: Entry, text: u64) {
        entry.number = self.next;
        self.next += 1;
        self.items += 1;
        self.bytes += entry.bytes;
        let group =
            self.groups.entry(entry.group).or_insert(Group { waiting: 0, last: 0, text, same_text: 0 });
        group.same_text = if group.text == text { group.same_text + 1 } else { 1 };
        group.text = text;
        group.waiting += 1;
        group.last = entry.number;
        self.levels[rank].push_back(entry);
    }

    /// The oldest of the lowest level that waits, if that is no higher than `rank`.
    fn evict(&mut self, rank: usize) -> Option<Entry> {
        let level = self.levels[..=rank].iter().position(|level| !level.is_empty())?;
        let entry = self.levels[level].pop_front()?;
        self.leave(&entry);
        Some(entry)
    }

    fn leave(&mut self, entry: &Entry) {
        self.items -= 1;
        self.bytes -= entry.bytes;
        if let Some(group) = self.groups.get_mut(&entry.group) {
            group.waiting -= 1;
            group.same_text = group.same_text.min(group.waiting);
            if group.waiting == 0 {
                self.groups.remove(&entry.group);
            }
        }
    }
}

/// The key of a group is a hash already.
type KeyIsHash = BuildHasherDefault<Identity>;

#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
