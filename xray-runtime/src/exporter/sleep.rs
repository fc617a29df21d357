//! Whether the exporter's thread sleeps. Both sides write first and look then, so that one of them sees the other: the caller queues and
//! looks whether the thread sleeps; the thread says that it sleeps and looks at the queue once more.

// By way of the parent, so that a model checker can put its own in their place (`tests/faults/wake.rs`).
use super::sync::{AtomicU32, Ordering};

/// No thread runs yet, or that of the parent process did not come along through fork.
const ASLEEP: u32 = 0;
const AWAKE: u32 = 1;

/// SeqCst throughout: it orders the push before the caller's look against the thread's word before its own.
#[derive(Debug)]
pub(crate) struct Sleep(AtomicU32);

impl Sleep {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(ASLEEP))
    }

    /// For the caller, after it has queued something: whether the thread must be woken.
    #[inline]
    pub(crate) fn is_asleep(&self) -> bool {
        self.0.load(Ordering::SeqCst) == ASLEEP
    }

    /// The thread is about to be woken, or goes on by itself.
    pub(crate) fn awake(&self) {
        self.0.store(AWAKE, Ordering::SeqCst);
    }

    /// For the thread, which then looks at the queue once more before it sleeps.
    pub(crate) fn fall_asleep(&self) {
        self.0.store(ASLEEP, Ordering::SeqCst);
    }
}
