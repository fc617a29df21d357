//! What became of the reports.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the reports so far: `reported` = `sent` + `coalesced` + [`dropped()`](Self::dropped) + `pending`.
///
/// What was held back on purpose (below the level, ignored, by a hook) is `filtered`, and is not among `reported`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Occurrences that were taken in, with the messages that tell Rollbar of losses; and the items that an earlier run left in the
    /// spool folder, once they have ended.
    pub reported: u64,
    /// Items that Rollbar has accepted.
    pub sent: u64,
    /// Occurrences that an accepted item stands for, beside its own: bursts of one fingerprint. The item tells their number.
    pub coalesced: u64,
    /// Occurrences that wait or are being sent.
    pub pending: u64,
    /// Written to the spool folder, to be sent at the next start. They count as dropped here and now.
    pub dropped_spooled: u64,
    /// There was no room: what was less severe, or older, had to go.
    pub dropped_queue_full: u64,
    /// Rollbar refused the item, or the answer made no sense.
    pub dropped_refused: u64,
    /// The token is missing, unknown, disabled, or not allowed to send.
    pub dropped_unauthorized: u64,
    /// The network or the service failed as often as is tried.
    pub dropped_unreachable: u64,
    /// Too large for Rollbar, however much was cut.
    pub dropped_too_large: u64,
    /// More than [`items_per_minute`](crate::RollbarBuilder::items_per_minute).
    pub dropped_rate_limited: u64,
    /// Reported after the guard had been dropped, or still waiting when its time was over.
    pub dropped_after_shutdown: u64,
    /// Reported while another report was being made on the same thread.
    pub dropped_recursive: u64,
    /// The worker panicked at it, or could not be started.
    pub dropped_worker: u64,
    /// Held back: below the level, ignored, or refused by a hook.
    pub filtered: u64,
    /// Items that stand for one that was too large; not among `sent`.
    pub failsafe: u64,
    /// Hooks that panicked and were switched off.
    pub hooks_off: u64,
    /// Files of the spool folder that were lost: they made room for newer ones, or were no items. What could not be written
    /// is among `dropped_unreachable`.
    pub spool_lost: u64,
}

impl Stats {
    /// All that was taken in and is lost here.
    pub fn dropped(&self) -> u64 {
        self.dropped_spooled
            + self.dropped_queue_full
            + self.dropped_refused
            + self.dropped_unauthorized
            + self.dropped_unreachable
            + self.dropped_too_large
            + self.dropped_rate_limited
            + self.dropped_after_shutdown
            + self.dropped_recursive
            + self.dropped_worker
    }
}

/// Why an occurrence was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Spooled,
    QueueFull,
    Refused,
    Unauthorized,
    Unreachable,
    TooLarge,
    RateLimited,
    AfterShutdown,
    Recursive,
    Worker,
}

const LOSSES: usize = 10;

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) reported: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) coalesced: AtomicU64,
    pub(crate) filtered: AtomicU64,
    pub(crate) failsafe: AtomicU64,
    pub(crate) hooks_off: AtomicU64,
    pub(crate) spool_lost: AtomicU64,
    losses: [AtomicU64; LOSSES],
}

pub(crate) fn count(counter: &AtomicU64) {
    // Who reads that something has ended reads that it had begun.
    counter.fetch_add(1, Ordering::Release);
}

impl Counters {
    /// An item is accepted, and with it the occurrences that it stands for.
    pub(crate) fn accept(&self, coalesced: u64) {
        self.coalesced.fetch_add(coalesced, Ordering::Release);
        count(&self.sent);
    }

    /// Items are lost, and with them the occurrences that they stood for.
    pub(crate) fn lose(&self, loss: Loss, items: u64, coalesced: u64) {
        self.losses[loss as usize].fetch_add(items + coalesced, Ordering::Release);
    }

    /// A hook holds an item back: it was not to be reported.
    pub(crate) fn hold_back(&self, coalesced: u64) {
        self.reported.fetch_sub(1 + coalesced, Ordering::AcqRel);
        self.filtered.fetch_add(1 + coalesced, Ordering::Release);
    }

    /// Occurrences that were lost because too much was reported.
    pub(crate) fn lost_for_room(&self) -> u64 {
        [Loss::QueueFull, Loss::RateLimited]
            .map(|loss| self.losses[loss as usize].load(Ordering::Relaxed))
            .iter()
            .sum()
    }

    /// `pending` follows from the others: whatever was taken in and has not ended. An occurrence is pending until it is counted
    /// among those that ended, once: no number but `reported` ever goes down.
    pub(crate) fn stats(&self) -> Stats {
        // What ends is read before what begins, so that `pending` is never below zero.
        let get = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        let loss = |loss: Loss| get(&self.losses[loss as usize]);
        let mut stats = Stats {
            sent: get(&self.sent),
            coalesced: get(&self.coalesced),
            dropped_spooled: loss(Loss::Spooled),
            dropped_queue_full: loss(Loss::QueueFull),
            dropped_refused: loss(Loss::Refused),
            dropped_unauthorized: loss(Loss::Unauthorized),
            dropped_unreachable: loss(Loss::Unreachable),
            dropped_too_large: loss(Loss::TooLarge),
            dropped_rate_limited: loss(Loss::RateLimited),
            dropped_after_shutdown: loss(Loss::AfterShutdown),
            dropped_recursive: loss(Loss::Recursive),
            dropped_worker: loss(Loss::Worker),
            filtered: get(&self.filtered),
            failsafe: get(&self.failsafe),
            hooks_off: get(&self.hooks_off),
            spool_lost: get(&self.spool_lost),
            ..Stats::default()
        };
        stats.reported = get(&self.reported);
        stats.pending = stats.reported.saturating_sub(stats.sent + stats.coalesced + stats.dropped());
        stats
    }
}
