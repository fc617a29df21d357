//! What happens where there is no segment: AWS_XRAY_CONTEXT_MISSING.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ContextMissing;

/// No recorder was installed yet.
const UNSET: u8 = 0;
/// Nothing is to be said, or it was said in this minute.
const QUIET: u8 = 1;
const LOG: u8 = 2;
const PANIC: u8 = 3;

/// What the installed recorder asks for.
static STRATEGY: AtomicU8 = AtomicU8::new(UNSET);

/// Warnings that were written.
static NOTICED: AtomicU64 = AtomicU64::new(0);

/// One warning in this time; the exporter's thread switches it on again.
const EVERY: Duration = Duration::from_secs(60);

static LAST: Mutex<Option<Instant>> = Mutex::new(None);

/// A subsegment was asked for where there is no segment. False where the next time is to be noticed again.
pub(crate) fn notice(name: &str) -> bool {
    match STRATEGY.load(Relaxed) {
        UNSET => false,
        LOG => {
            warn(name);
            true
        }
        // Asked for by the user, in so many words (RUNTIME_ERROR): to find what is not covered, in debug builds.
        // Never while the thread panics already: a second one would abort the program.
        PANIC if std::thread::panicking() => false,
        PANIC => panic!("no X-Ray segment is current where the subsegment `{name}` begins"),
        _ => true,
    }
}

fn warn(name: &str) {
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
