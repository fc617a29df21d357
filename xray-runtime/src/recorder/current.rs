//! Which recorder a segment belongs to: the one entered on this thread, else the installed one.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::{ContextMissing, Core, Recorder, missing};
use crate::awaiting;

static GLOBAL: RwLock<Option<Arc<Core>>> = RwLock::new(None);

thread_local! {
    static ENTERED: RefCell<Vec<Arc<Core>>> = const { RefCell::new(Vec::new()) };
}

/// How long the guard's drop waits for the exporter.
const DROP_FLUSH: Duration = Duration::from_secs(2);

/// The recorder in force on this thread.
pub(crate) fn current_core() -> Option<Arc<Core>> {
    is_overridden().or_else(|| GLOBAL.read().unwrap_or_else(PoisonError::into_inner).clone())
}

/// The recorder that was entered on this thread.
pub(crate) fn is_overridden() -> Option<Arc<Core>> {
    ENTERED.try_with(|entered| entered.try_borrow().ok()?.last().cloned()).ok().flatten()
}

/// Makes `core` the global one; false where there is one already.
pub(super) fn install(core: &Arc<Core>) -> bool {
    let mut global = GLOBAL.write().unwrap_or_else(PoisonError::into_inner);
    if global.is_some() {
        return false;
    }
    *global = Some(Arc::clone(core));
    true
}

/// The recorder takes the place of the global one on this thread until this is dropped.
#[derive(Debug)]
#[must_use = "the recorder is left when this is dropped"]
pub struct Entered {
    core: Arc<Core>,
    not_send: PhantomData<*const ()>,
}

impl Entered {
    pub(super) fn new(core: Arc<Core>) -> Self {
        ENTERED.with(|entered| entered.borrow_mut().push(Arc::clone(&core)));
        Self { core, not_send: PhantomData }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            // By identity: guards may be dropped out of order.
            if let Some(at) = entered.iter().rposition(|core| Arc::ptr_eq(core, &self.core)) {
                entered.remove(at);
            }
        });
    }
}

/// The installed recorder, until this is dropped: then it sends what is left (for 2 s at most) and records no more.
#[derive(Debug)]
#[must_use = "the recorder is switched off when this is dropped: keep it until the end of main"]
pub struct RecorderGuard {
    recorder: Recorder,
}

impl RecorderGuard {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self { recorder }
    }

    /// The recorder; a clone outlives the guard, but records nothing after it.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

impl std::ops::Deref for RecorderGuard {
    type Target = Recorder;

    fn deref(&self) -> &Recorder {
        &self.recorder
    }
}

impl Drop for RecorderGuard {
    fn drop(&mut self) {
        // The segment of a `main` that installed it is open still.
        if let Some(recorder) = awaiting::take_over(self.recorder.clone()) {
            switch_off(&recorder);
        }
    }
}

/// Takes the recorder out of its place, sends what is left and records no more.
pub(crate) fn switch_off(recorder: &Recorder) {
    let mut global = GLOBAL.write().unwrap_or_else(PoisonError::into_inner);
    if global.as_ref().is_some_and(|core| Arc::ptr_eq(core, &recorder.core)) {
        *global = None;
    }
    drop(global);
    // Without a recorder nothing is missing.
    missing::configure(ContextMissing::IgnoreError, false);
    recorder.core.disable();
    recorder.flush(DROP_FLUSH);
}
