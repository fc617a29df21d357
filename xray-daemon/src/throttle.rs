//! Warnings that may be due thousands of times a second are told once a second.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

/// Lets one through each second, for a `static`.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// The last second, counted from 1970, in which one was let through.
    second: AtomicU64,
    held_back: AtomicU64,
}

/// How many were held back since the last one; shown as ` (12 more)`, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct More(u64);

impl Throttle {
    pub(crate) const fn new() -> Self {
        Self { second: AtomicU64::new(0), held_back: AtomicU64::new(0) }
    }

    /// Whether this one is told.
    pub(crate) fn pass(&self) -> Option<More> {
        self.pass_at(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    fn pass_at(&self, second: u64) -> Option<More> {
        let last = self.second.load(Relaxed);
        if last == second || self.second.compare_exchange(last, second, Relaxed, Relaxed).is_err() {
            self.held_back.fetch_add(1, Relaxed);
            return None;
        }
        Some(More(self.held_back.swap(0, Relaxed)))
    }
}

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " ({more} more)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_and_the_others_are_counted() {
        let throttle = Throttle::new();
        assert_eq!(throttle.pass_at(7).unwrap().to_string(), "");
        assert_eq!((throttle.pass_at(7), throttle.pass_at(7)), (None, None));
        assert_eq!(throttle.pass_at(8).unwrap().to_string(), " (2 more)");
        assert_eq!(throttle.pass_at(9), Some(More(0)));
        // A clock that is set back begins another second.
        assert!(throttle.pass_at(3).is_some());
    }
}
