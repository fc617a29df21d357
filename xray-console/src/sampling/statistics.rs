//! What clients reported of a rule, in windows of ten seconds.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::timestamp::Timestamp;

/// The length of a window: that of the interval at which clients report.
const WINDOW: Duration = Duration::from_secs(10);

/// How many windows of a rule are kept: five minutes.
const WINDOWS: usize = 30;

/// The requests of one rule in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Window {
    /// When it began.
    timestamp: Timestamp,
    request_count: u64,
    borrow_count: u64,
    sampled_count: u64,
}

/// The last windows of a rule.
#[derive(Debug, Default)]
pub(super) struct Statistics(VecDeque<Window>);

impl Statistics {
    /// Adds a report to the window of its arrival: clocks of clients may be wrong.
    pub(super) fn add(&mut self, requests: u64, borrowed: u64, sampled: u64, now: Timestamp) {
        let timestamp = now.window(WINDOW);
        if let Some(window) = self.0.iter_mut().rev().find(|window| window.timestamp == timestamp) {
            window.request_count = window.request_count.saturating_add(requests);
            window.borrow_count = window.borrow_count.saturating_add(borrowed);
            window.sampled_count = window.sampled_count.saturating_add(sampled);
            return;
        }
        if self.0.len() >= WINDOWS {
            self.0.pop_front();
        }
        self.0.push_back(Window {
            timestamp,
            request_count: requests,
            borrow_count: borrowed,
            sampled_count: sampled,
        });
    }

    /// The windows of the last five minutes, the oldest first.
    pub(super) fn windows(&self, now: Timestamp) -> impl Iterator<Item = &Window> {
        let kept = WINDOW.saturating_mul(u32::try_from(WINDOWS).unwrap_or(u32::MAX));
        self.0.iter().filter(move |window| window.timestamp.is_within(kept, now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::of(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn reports_of_one_window_are_added_up() {
        let mut statistics = Statistics::default();
        statistics.add(5, 1, 2, at(1_000));
        statistics.add(u64::MAX, 1, 2, at(1_009));
        statistics.add(1, 0, 1, at(1_010));
        let windows: Vec<_> = statistics.windows(at(1_010)).collect();
        let (first, second) = (at(1_000), at(1_010));
        assert_eq!(
            *windows[0],
            Window { timestamp: first, request_count: u64::MAX, borrow_count: 2, sampled_count: 4 }
        );
        assert_eq!(
            *windows[1],
            Window { timestamp: second, request_count: 1, borrow_count: 0, sampled_count: 1 }
        );
    }

    #[test]
    fn so_many_are_kept_and_old_ones_are_not_told() {
        let mut statistics = Statistics::default();
        for window in 0..1_000 {
            statistics.add(1, 0, 0, at(10 * window));
        }
        assert_eq!((statistics.0.len(), statistics.windows(at(9_990)).count()), (WINDOWS, WINDOWS));
        assert_eq!(statistics.windows(at(10_280)).count(), 2);
        assert_eq!(statistics.windows(at(20_000)).count(), 0);
    }
}
