//! Collects documents until their trace is finished.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::document::Document;
use crate::summary::{self, Format};
use crate::trace::Trace;
use crate::view::View;
use crate::waterfall;

/// Limits and delays of an [`Assembler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most traces that are held; 30,000.
    pub traces: usize,
    /// About the most memory that documents take, in bytes; 64 MiB.
    pub bytes: usize,
    /// The most memory that one trace takes, in bytes; 16 MiB. Further documents of it are refused.
    pub trace_bytes: usize,
    /// A trace whose roots are closed is finished when nothing has come for so long; 300 ms.
    pub quiet: Duration,
    /// A trace whose roots are not closed is shown as it is when nothing has come for so long (its segment may be
    /// lost); 10 s.
    pub stalled: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            traces: 30_000,
            bytes: 64 << 20,
            trace_bytes: 16 << 20,
            quiet: Duration::from_millis(300),
            stalled: Duration::from_secs(10),
        }
    }
}

/// What an [`Assembler`] has taken and lost, since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AssemblerStats {
    /// Documents that were added, refused ones included.
    pub documents: u64,
    /// Traces that were handed out, each once.
    pub traces: u64,
    /// Times that a trace was handed out again, because more of it had come.
    pub updates: u64,
    /// Documents lost because their trace had to make room before it was handed out, or handed out again.
    pub evicted: u64,
    /// Documents refused because their trace was at [`Limits::trace_bytes`].
    pub refused: u64,
}

/// A trace that is ready to be shown.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FinishedTrace {
    /// The trace.
    pub trace: Trace,
    /// Whether it was handed out before, with less in it.
    pub updated: bool,
}

impl FinishedTrace {
    /// The trace on one line, without the line's end. The width of the view does not count; a line of JSON or logfmt
    /// is the same in every view.
    pub fn line(&self, format: Format, view: View) -> String {
        summary::line(&self.trace, self.updated, format, view)
    }

    /// The trace as a drawing of several lines, each with its end.
    pub fn waterfall(&self, view: View) -> String {
        waterfall::waterfall(&self.trace, self.updated, view)
    }
}

/// Collects documents and tells which traces are finished: all their roots are closed and nothing came for 300 ms.
///
/// It holds no clock and no thread: whoever uses it says what time it is. Its memory is bounded; where room is needed,
/// traces that were shown go first, the oldest before the others, and what is lost unseen is counted.
///
/// ```
/// use std::time::{Duration, Instant};
/// use xray_console::{Assembler, Document, Limits};
///
/// let now = Instant::now();
/// let mut assembler = Assembler::new(Limits::default());
/// let text = br#"{"trace_id":"1-5e2b4150-000000000000000000000001","id":"c0ffee0100000001","name":"api",
///                 "start_time":1579893132.0,"end_time":1579893132.12}"#;
/// assembler.add(Document::parse(text)?, now);
/// assert!(assembler.next_finished(now).is_none());
/// let finished = assembler.next_finished(now + Duration::from_millis(300)).expect("quiet for 300 ms");
/// assert_eq!(finished.trace.entities(), 1);
/// # Ok::<(), xray_console::DocumentError>(())
/// ```
#[derive(Debug)]
pub struct Assembler {
    limits: Limits,
    traces: HashMap<Arc<str>, Entry>,
    /// When to look at a trace that is not shown, or has more than was shown.
    due: BTreeSet<(Instant, Arc<str>)>,
    /// When something last came for a trace that is all shown, and for one that is not.
    shown: BTreeSet<(Instant, Arc<str>)>,
    unshown: BTreeSet<(Instant, Arc<str>)>,
    bytes: usize,
    stats: AssemblerStats,
}

#[derive(Debug)]
struct Entry {
    documents: Vec<Arc<Document>>,
    bytes: usize,
    last: Instant,
    due: Instant,
    /// How many of its documents were in it when it was handed out.
    shown: usize,
}

impl Assembler {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            traces: HashMap::new(),
            due: BTreeSet::new(),
            shown: BTreeSet::new(),
            unshown: BTreeSet::new(),
            bytes: 0,
            stats: AssemblerStats::default(),
        }
    }

    /// Takes a document that arrived at `now`.
    pub fn add(&mut self, document: Document, now: Instant) {
        self.stats.documents += 1;
        let bytes = document.bytes();
        let id: Arc<str> = document.trace_id().into();
        if self.traces.get(&id).is_some_and(|entry| entry.bytes + bytes > self.limits.trace_bytes) {
            self.stats.refused += 1;
            return;
        }
        let mut entry = self.take(&id).unwrap_or(Entry {
            documents: Vec::new(),
            bytes: 0,
            last: now,
            due: now,
            shown: 0,
        });
        entry.documents.push(Arc::new(document));
        entry.bytes += bytes;
        entry.last = now;
        entry.due = now + self.limits.quiet;
        self.put(id, entry);
        self.make_room();
    }

    /// The next trace that is finished at `now`; call it until there is none.
    pub fn next_finished(&mut self, now: Instant) -> Option<FinishedTrace> {
        loop {
            let (due, id) = self.due.first()?;
            if *due > now {
                return None;
            }
            let id = id.clone();
            let mut entry = self.take(&id)?;
            let trace = Trace::of(entry.documents.clone())?;
            let stalled = entry.last + self.limits.stalled;
            if trace.is_closed() || stalled <= now {
                return Some(self.hand_out(id, entry, trace));
            }
            entry.due = stalled;
            self.put(id, entry);
        }
    }

    /// When [`next_finished`](Self::next_finished) should be called again if nothing is added before.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// All that has not been shown yet, finished or not, in the order it last came: for the end of the program.
    pub fn drain(&mut self) -> Vec<FinishedTrace> {
        let ids: Vec<Arc<str>> = self.unshown.iter().map(|(_, id)| id.clone()).collect();
        let mut drained = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(entry) = self.take(&id)
                && let Some(trace) = Trace::of(entry.documents.clone())
            {
                drained.push(self.hand_out(id, entry, trace));
            }
        }
        drained
    }

    /// What was taken and lost so far.
    pub fn stats(&self) -> AssemblerStats {
        self.stats
    }

    fn hand_out(&mut self, id: Arc<str>, mut entry: Entry, trace: Trace) -> FinishedTrace {
        let updated = entry.shown > 0;
        if updated {
            self.stats.updates += 1;
        } else {
            self.stats.traces += 1;
        }
        entry.shown = entry.documents.len();
        self.put(id, entry);
        FinishedTrace { trace, updated }
    }

    fn take(&mut self, id: &Arc<str>) -> Option<Entry> {
        let entry = self.traces.remove(id)?;
        self.bytes -= entry.bytes;
        self.due.remove(&(entry.due, id.clone()));
        self.shown.remove(&(entry.last, id.clone()));
        self.unshown.remove(&(entry.last, id.clone()));
        Some(entry)
    }

    fn put(&mut self, id: Arc<str>, entry: Entry) {
        self.bytes += entry.bytes;
        if entry.shown == entry.documents.len() {
            self.shown.insert((entry.last, id.clone()));
        } else {
            self.unshown.insert((entry.last, id.clone()));
            self.due.insert((entry.due, id.clone()));
        }
        self.traces.insert(id, entry);
    }

    fn make_room(&mut self) {
        while self.traces.len() > self.limits.traces || self.bytes > self.limits.bytes {
            let Some((_, id)) = self.shown.first().or_else(|| self.unshown.first()).cloned() else { return };
            if let Some(entry) = self.take(&id) {
                self.stats.evicted += (entry.documents.len() - entry.shown) as u64;
            }
        }
    }
}
