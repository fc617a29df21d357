//! Facts about entities, kept within a bound of memory: what a later fact replaces is thrown out.

use std::collections::HashSet;

use crate::record::{Chunk, Fact, Key, Note, flag, index_of};

/// Bytes of notes that one place may gather; what comes after is dropped and counted.
pub(crate) const NOTES_LIMIT: usize = 4 << 20;

/// Estimated bytes of a chunk's notes from which an end streams what is closed (section 13 of the client's spec).
pub(crate) const STREAM_BYTES: usize = 60_000;

/// Notes that are worth a look for those that a later one replaces.
const COMPACT_AT: usize = 1024;

/// What became of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    Kept,
    /// The entity had ended.
    Ended,
    /// There was no room.
    Full,
}

impl Chunk {
    /// Notes a fact of an entity of this chunk's tree.
    pub(crate) fn note(&mut self, key: Key, fact: Fact) -> Noted {
        if let Some(record) = self.record_mut(key) {
            // The stack of an error grows while it passes the callers: that is after the end.
            if record.end != 0 && !matches!(fact, Fact::Frame(..)) {
                return Noted::Ended;
            }
            if let Fact::Flags(flags) = fact {
                record.flags |= flags;
                return Noted::Kept;
            }
        }
        let bytes = fact.estimate();
        if self.bytes + bytes > self.notes_limit && self.notes.len() > self.kept + self.kept / 8 {
            self.compact();
        }
        // An entity without its name would be worse than a little too much.
        if self.bytes + bytes > self.notes_limit
            && !matches!(fact, Fact::Name(_) | Fact::Sql(_) | Fact::Flags(_))
        {
            return Noted::Full;
        }
        if let Some(record) = self.record_mut(key) {
            record.flags |= flag::FACTS;
        }
        self.bytes += bytes;
        if self.bytes > STREAM_BYTES {
            self.look_at = 0;
        }
        self.notes.push(Note { index: index_of(key), fact });
        if is_worth_a_look(&self.notes, self.kept) {
            self.compact();
        }
        Noted::Kept
    }

    #[cold]
    fn compact(&mut self) {
        self.bytes = compact(&mut self.notes);
        self.kept = self.notes.len();
    }
}

/// Whether as many came since the last time as there were: looking then costs each note a constant share.
pub(crate) fn is_worth_a_look(notes: &[Note], kept: usize) -> bool {
    notes.len() >= 2 * kept.max(COMPACT_AT / 2)
}

/// Throws out notes that a later one replaces: a counter kept as an annotation must not fill the memory. Returns the bytes of
/// those that stay.
pub(crate) fn compact(notes: &mut Vec<Note>) -> usize {
    let mut replaced = vec![false; notes.len()];
    let mut bytes = 0;
    let mut seen = HashSet::new();
    for (note, replaced) in notes.iter().zip(&mut replaced).rev() {
        let kind = match &note.fact {
            Fact::Annotation(key, _) => Some(("annotation", "", key.as_ref())),
            Fact::Metadata(entry) => Some(("metadata", entry.namespace.as_ref(), entry.key.as_ref())),
            Fact::User(_) => Some(("user", "", "")),
            Fact::Sql(_) => Some(("sql", "", "")),
            Fact::Query(_) => Some(("query", "", "")),
            Fact::Preparation(_) => Some(("preparation", "", "")),
            Fact::Origin(_) => Some(("origin", "", "")),
            Fact::Traced => Some(("traced", "", "")),
            Fact::Request(_) => Some(("request", "", "")),
            Fact::Response(_) => Some(("response", "", "")),
            // Of causes the last counts.
            Fact::Exceptions(_) | Fact::Panic(_) | Fact::SameAs(_) => Some(("cause", "", "")),
            _ => None,
        };
        *replaced = kind.is_some_and(|kind| !seen.insert((note.index, kind)));
        if !*replaced {
            bytes += note.fact.estimate();
        }
    }
    let mut replaced = replaced.into_iter();
    notes.retain(|_| !replaced.next().unwrap_or_default());
    bytes
}
