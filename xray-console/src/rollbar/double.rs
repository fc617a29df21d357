//! The double: a request in, an answer out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Answer, Fault, Request, Settings};

/// A double of Rollbar's API in memory. It may be shared by threads.
#[derive(Debug)]
pub struct Double {
    settings: Settings,
    faults: Mutex<Vec<Fault>>,
}

impl Double {
    /// A double with nothing in it.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, faults: Mutex::default() }
    }

    /// Answers a request.
    pub fn answer(&self, request: &Request<'_>) -> Answer {
        let _ = (&self.settings, request);
        Answer::error(404, "not-found", "not found")
    }

    /// Lets the next calls meet this fault; faults are met in the order in which they were injected.
    pub fn inject(&self, fault: Fault) {
        lock(&self.faults).push(fault);
    }

    /// Forgets the injected faults; tells how many.
    pub fn clear_faults(&self) -> usize {
        std::mem::take(&mut *lock(&self.faults)).len()
    }

    /// Takes the fault that the next call of this path meets, to give it to [`Request::fault`]: whoever reads slowly
    /// must know it before the body is read.
    pub fn take_fault(&self, path: &str) -> Option<Fault> {
        let _ = path;
        None
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}

/// What a double counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Occurrences accepted and stored.
    pub occurrences: u64,
    /// Items made.
    pub items: u64,
    /// Accepted and discarded, because the uuid was known.
    pub duplicates: u64,
    /// Calls to send an item or a deploy that were refused.
    pub refused: u64,
    /// Accepted with at least one warning.
    pub warned: u64,
    /// Deploys told.
    pub deploys: u64,
    /// Calls that met an injected fault.
    pub faults: u64,
    /// Occurrences forgotten to make room.
    pub evicted_occurrences: u64,
    /// Items forgotten to make room.
    pub evicted_items: u64,
}

/// A lock whose holder panicked guards data that is whole: nothing that is done under it can panic half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
