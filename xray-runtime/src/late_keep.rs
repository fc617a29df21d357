//! Late keep: what the sampler said no to is recorded all the same, and sent where it ends in a failure or was slow.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::note::STREAM_BYTES;
use crate::record::{Record, flag};

/// Records that one thread keeps of a segment that is not decided.
pub(crate) const RECORDS: usize = 1024;

/// Bytes of notes that it keeps of one.
pub(crate) const NOTES: usize = STREAM_BYTES;

/// The annotation that says why a segment was kept.
pub(crate) const ANNOTATION: &str = "kept_late";

/// Keeps segments that the sampler said no to where they end in a fault or were slow: rare failures are seen although
/// one request in twenty is sampled. Given to [`RecorderBuilder::late_keep`](crate::RecorderBuilder::late_keep); without it
/// nothing of this is done.
///
/// With it **every** segment is recorded, at the cost of one that is sampled, and the sampler's no is taken
/// back at its end, if at all. What is kept is what this service recorded: the services that were called had to be told
/// `Sampled=0` by then, so a kept segment ends the trace where they decide by that. A kept segment has the annotation
/// `kept_late`: `fault`, `error`, `slow` or `asked` ([`Entity::keep`](crate::Entity::keep)).
///
/// Bounded: [so many a second](Self::per_second) are kept, [so many at once](Self::open_at_once) are recorded, and of each
/// at most 1,024 subsegments and 60,000 bytes of annotations, metadata and the like a thread; what comes after is not recorded, and
/// counted. Nothing is sent before its segment has ended.
///
/// ```
/// use std::time::Duration;
/// use xray_runtime::{LateKeep, NoneSampler, Recorder, begin_segment};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (recorder, captured) = Recorder::builder()
///     .sampler(NoneSampler)
///     .late_keep(LateKeep::new().slower_than(Duration::from_secs(2)))
///     .in_memory()?;
/// recorder.enter(|| {
///     let _fine = begin_segment("fine");
///     let failing = begin_segment("failing");
///     failing.record_error(&std::fmt::Error);
///     assert!(failing.trace_header().unwrap().to_string().ends_with("Sampled=0"));
/// });
/// let kept = captured.segment("failing");
/// assert_eq!(kept.annotation("kept_late"), Some("fault".into()));
/// assert_eq!(captured.segments().len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "give it to `RecorderBuilder::late_keep`"]
pub struct LateKeep {
    faults: bool,
    errors: bool,
    slower_than: Option<Duration>,
    per_second: u32,
    open_at_once: usize,
    pub(crate) despite_caller: bool,
}

impl Default for LateKeep {
    fn default() -> Self {
        Self::new()
    }
}

impl LateKeep {
    /// Keeps segments that end in a fault, one a second.
    pub fn new() -> Self {
        Self {
            faults: true,
            errors: false,
            slower_than: None,
            per_second: 1,
            open_at_once: 1024,
            despite_caller: false,
        }
    }

    /// Whether segments with `fault` are kept: their own flag, not that of a subsegment. Default: yes.
    pub fn faults(mut self, keep: bool) -> Self {
        self.faults = keep;
        self
    }

    /// Whether segments with `error` (4xx of a server) are kept. Default: no, as strangers can make many.
    pub fn errors(mut self, keep: bool) -> Self {
        self.errors = keep;
        self
    }

    /// Keeps segments that took longer. Default: none for that.
    pub fn slower_than(mut self, limit: Duration) -> Self {
        self.slower_than = Some(limit);
        self
    }

    /// So many are kept in a second at most; more are let go, and counted
    /// ([`Stats::late_over_limit`](crate::Stats::late_over_limit)). Default: 1.
    pub fn per_second(mut self, segments: u32) -> Self {
        self.per_second = segments;
        self
    }

    /// So many segments that are not decided are recorded at once; more are not recorded, as without this, and counted
    /// ([`Stats::late_over_limit`](crate::Stats::late_over_limit)). Default: 1,024, which take 6 MB where they have few
    /// subsegments, and at the bounds of each 100 MB.
    pub fn open_at_once(mut self, segments: usize) -> Self {
        self.open_at_once = segments;
        self
    }

    /// Whether segments are kept also where the caller said `Sampled=0`: then the caller's own segment is missing
    /// in the trace, unless it was kept too. Default: no, only where the sampler of this recorder said no.
    pub fn despite_caller(mut self, keep: bool) -> Self {
        self.despite_caller = keep;
        self
    }

    /// Why a segment that ended like this is wanted.
    fn reason(&self, flags: u32, took: Duration, asked: bool) -> Option<&'static str> {
        if asked {
            Some("asked")
        } else if self.faults && flags & flag::FAULT != 0 {
            Some("fault")
        } else if self.errors && flags & flag::ERROR != 0 {
            Some("error")
        } else if self.slower_than.is_some_and(|limit| took > limit) {
            Some("slow")
        } else {
            None
        }
    }
}

/// Late keep as one recorder does it.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) rules: LateKeep,
    open: AtomicUsize,
    second: Mutex<Option<(Instant, u32)>>,
}

/// What becomes of a segment at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Keep(&'static str),
    LetGo,
    /// It was wanted, but there were too many.
    OverLimit,
}

impl Keeper {
    pub(crate) fn new(rules: LateKeep) -> Self {
        Self { rules, open: AtomicUsize::new(0), second: Mutex::new(None) }
    }

    /// Whether one more may be recorded. If so [`close`](Self::close) has to follow.
    pub(crate) fn open(&self) -> bool {
        let fits = self.open.fetch_add(1, Relaxed) < self.rules.open_at_once;
        if !fits {
            self.close();
        }
        fits
    }

    pub(crate) fn close(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    /// Decides of a segment that has ended, by its record.
    pub(crate) fn decide(&self, record: &Record, asked: bool) -> Outcome {
        let took = Clock::new().between(record.start, record.end);
        match self.rules.reason(record.flags, took, asked) {
            None => Outcome::LetGo,
            Some(reason) if self.admit(Instant::now()) => Outcome::Keep(reason),
            Some(_) => Outcome::OverLimit,
        }
    }

    /// Whether this second has room for one more.
    fn admit(&self, now: Instant) -> bool {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        let used = match *second {
            Some((since, used)) if now.saturating_duration_since(since) < Duration::from_secs(1) => {
                Some((since, used)).filter(|_| used < self.rules.per_second)
            }
            _ => Some((now, 0)).filter(|_| self.rules.per_second > 0),
        };
        if let Some((since, used)) = used {
            *second = Some((since, used + 1));
        }
        used.is_some()
    }
}

/// Where a tree stands.
#[derive(Debug, Default)]
pub(crate) struct Late {
    state: AtomicU8,
    /// The program wants it, however it ends.
    pub(crate) asked: AtomicBool,
}

/// Sampled, or kept.
const DECIDED: u8 = 0;
const UNDECIDED: u8 = 1;
/// What is recorded of it goes nowhere.
const GONE: u8 = 2;

impl Late {
    pub(crate) fn new(undecided: bool) -> Self {
        let state = if undecided { UNDECIDED } else { DECIDED };
        Self { state: AtomicU8::new(state), asked: AtomicBool::new(false) }
    }

    pub(crate) fn is_undecided(&self) -> bool {
        self.state.load(Relaxed) == UNDECIDED
    }

    /// Nothing of it is ever sent. Changes under the lock of the tree only.
    pub(crate) fn is_gone(&self) -> bool {
        self.state.load(Relaxed) == GONE
    }

    pub(crate) fn decide(&self, keep: bool) {
        self.state.store(if keep { DECIDED } else { GONE }, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_so_many() {
        let keeper = Keeper::new(LateKeep::new().per_second(2));
        let start = Instant::now();
        let admitted = |millis| keeper.admit(start + Duration::from_millis(millis));
        let at = [0, 1, 2, 999, 1_000, 1_500, 1_999, 2_000, 9_000].map(admitted);
        assert_eq!(at, [true, true, false, false, true, true, false, true, true]);
        let none = Keeper::new(LateKeep::new().per_second(0));
        assert!(!none.admit(start));
    }

    #[test]
    fn so_many_are_open_at_once() {
        let keeper = Keeper::new(LateKeep::new().open_at_once(2));
        assert_eq!([keeper.open(), keeper.open(), keeper.open()], [true, true, false]);
        keeper.close();
        assert_eq!([keeper.open(), keeper.open()], [true, false]);
    }

    #[test]
    fn reasons_have_an_order() {
        let all = LateKeep::new().errors(true).slower_than(Duration::from_millis(5));
        let (fast, slow) = (Duration::from_millis(5), Duration::from_millis(6));
        assert_eq!(all.reason(flag::FAULT | flag::ERROR, slow, true), Some("asked"));
        assert_eq!(all.reason(flag::FAULT | flag::ERROR, slow, false), Some("fault"));
        assert_eq!(all.reason(flag::ERROR | flag::THROTTLE, slow, false), Some("error"));
        assert_eq!(all.reason(0, slow, false), Some("slow"));
        assert_eq!(all.reason(0, fast, false), None);
        let few = LateKeep::new().faults(false);
        assert_eq!(few.reason(flag::FAULT | flag::ERROR, slow, false), None);
    }
}
