//! What happens where there is no segment: AWS_XRAY_CONTEXT_MISSING.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ContextMissing;

const QUIET: u8 = 0;
const LOG: u8 = 1;
const PANIC: u8 = 2;

/// What the installed recorder asks for. Nothing is noticed while it is quiet: a captured function that is called
/// outside a segment then costs one load and a branch.
static STRATEGY: AtomicU8 = AtomicU8::new(QUIET);

/// Warnings that were written.
static NOTICED: AtomicU64 = AtomicU64::new(0);

/// One warning in this time; the exporter's thread switches it on again.
const EVERY: Duration = Duration::from_secs(60);

static LAST: Mutex<Option<Instant>> = Mutex::new(None);

/// A subsegment was asked for where there is no segment.
#[inline]
pub(crate) fn noticed(name: &str) {
    let strategy = STRATEGY.load(Relaxed);
    if strategy != QUIET {
        tell(strategy, name);
    }
}

#[cold]
#[inline(never)]
fn tell(strategy: u8, name: &str) {
    if strategy == PANIC {
        // Asked for by the user, in so many words (RUNTIME_ERROR): to find what is not covered, in debug builds.
        panic!("no X-Ray segment is current where the subsegment `{name}` begins");
    }
    STRATEGY.store(QUIET, Relaxed);
    NOTICED.fetch_add(1, Relaxed);
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    tracing::warn!(
        target: "xray_runtime",
        "no X-Ray segment is current where the subsegment `{name}` begins: it is not recorded. Open one with \
         XRayLayer, `.in_segment(..)` or `#[xray_capture(segment)]`, or set AWS_XRAY_CONTEXT_MISSING=IGNORE_ERROR \
         (one warning a minute)"
    );
}

/// Called when a recorder is installed.
pub(crate) fn configure(strategy: ContextMissing, panics_in_release: bool) {
    let strategy = match strategy {
        ContextMissing::IgnoreError => QUIET,
        ContextMissing::RuntimeError if cfg!(debug_assertions) || panics_in_release => PANIC,
        ContextMissing::LogError | ContextMissing::RuntimeError => LOG,
    };
    STRATEGY.store(strategy, Relaxed);
}

/// Switches the warning on again once its minute is over. For the exporter's thread.
pub(crate) fn rearm(strategy: ContextMissing) {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_some_and(|at| at.elapsed() >= EVERY) {
        *last = None;
        if strategy != ContextMissing::IgnoreError {
            STRATEGY.store(LOG, Relaxed);
        }
    }
}

/// How many warnings were written.
pub(crate) fn warnings() -> u64 {
    NOTICED.load(Relaxed)
}
