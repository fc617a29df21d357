//! The books: at any moment, every occurrence is in one place.

use std::time::{Duration, Instant};

use rollbar_runtime::{Rollbar, Stats};

#[track_caller]
pub(crate) fn assert_adds_up(stats: &Stats) {
    assert_eq!(stats.reported, stats.sent + stats.coalesced + stats.dropped() + stats.pending, "{stats:#?}");
}

/// Waits until the client's own messages about losses have ended too: they begin when all else has.
#[track_caller]
pub(crate) fn settled(rollbar: &Rollbar) -> Stats {
    let end = Instant::now() + Duration::from_secs(60);
    let mut quiet = rollbar.stats();
    loop {
        let flushed = rollbar.flush(Duration::from_secs(60));
        let stats = rollbar.stats();
        if flushed.pending == 0 && stats == quiet {
            return stats;
        }
        assert!(Instant::now() < end, "it never comes to rest: {stats:#?}");
        quiet = stats;
    }
}
