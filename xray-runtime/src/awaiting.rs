//! The segment of a function that installs the recorder itself: `main`, mostly. It begins when the function does, is
//! opened when the recorder comes, and outlives the recorder's guard, which the function drops before it returns.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::thread::panicking;

use crate::capture::unwound;
use crate::clock::Clock;
use crate::error::Certain;
use crate::record::{FIRST, flag};
use crate::recorder::{Core, Recorder, switch_off};
use crate::root::Root;
use crate::segment::SegmentBuilder;

/// A segment that waits for a recorder, or has found one.
#[derive(Debug)]
pub(crate) struct Awaiting {
    name: Cow<'static, str>,
    /// Raw ticks.
    start: u64,
    flags: u32,
    root: Option<Root>,
    /// What the recorder's guard left to the end of the segment.
    to_switch_off: Option<Recorder>,
}

thread_local! {
    /// The outermost one of this thread: one is enough, since it is current once it is open.
    static AWAITING: RefCell<Option<Awaiting>> = const { RefCell::new(None) };
}

fn with<R>(f: impl FnOnce(&mut Option<Awaiting>) -> R) -> Option<R> {
    AWAITING
        .try_with(|awaiting| awaiting.try_borrow_mut().ok().map(|mut awaiting| f(&mut awaiting)))
        .ok()
        .flatten()
}

/// Waits from now on; false where another one does.
pub(crate) fn begin(name: Cow<'static, str>) -> bool {
    with(|awaiting| {
        let first = awaiting.is_none();
        if first {
            let start = Clock::new().ticks();
            *awaiting = Some(Awaiting { name, start, flags: 0, root: None, to_switch_off: None });
        }
        first
    }) == Some(true)
}

/// Flags for the segment, once it is open.
pub(crate) fn add_flags(bits: u32) {
    with(|awaiting| {
        if let Some(awaiting) = awaiting {
            awaiting.flags |= bits;
        }
    });
}

/// A recorder was installed on this thread: opens what waits.
pub(crate) fn open(core: &Arc<Core>) {
    let waiting = with(|awaiting| {
        awaiting.as_ref().filter(|it| it.root.is_none()).map(|it| (it.name.clone(), it.start, it.flags))
    });
    let Some((name, start, flags)) = waiting.flatten() else { return };
    let root = SegmentBuilder::new(Arc::clone(core), Some(name)).enter_since(start, flags);
    with(|awaiting| {
        if let Some(awaiting) = awaiting {
            awaiting.root = root;
        }
    });
}

/// The recorder's guard is dropped before the segment ends: takes over what the guard would do. Gives the recorder back
/// where nothing is open.
pub(crate) fn take_over(recorder: Recorder) -> Option<Recorder> {
    let mut recorder = Some(recorder);
    with(|awaiting| {
        if let Some(awaiting) = awaiting
            && awaiting.root.as_ref().is_some_and(|root| root.is_of(recorder.as_ref()))
        {
            awaiting.to_switch_off = recorder.take();
        }
    });
    recorder
}

/// Takes it off this thread, for a future between two polls.
pub(crate) fn suspend() -> Option<Box<Awaiting>> {
    let mut awaiting = with(Option::take).flatten()?;
    if let Some(root) = &mut awaiting.root {
        root.suspend();
    }
    Some(Box::new(awaiting))
}

/// Puts it on this thread. It comes back where another one waits here.
pub(crate) fn resume(mut suspended: Box<Awaiting>) -> Option<Box<Awaiting>> {
    let free = with(|awaiting| awaiting.is_none()) == Some(true);
    if !free {
        return Some(suspended);
    }
    if let Some(root) = &mut suspended.root {
        root.resume();
    }
    with(|awaiting| *awaiting = Some(*suspended));
    None
}

/// Ends the one that is on this thread.
#[cold]
#[inline(never)]
pub(crate) fn end(cancelled: bool) {
    let Some(mut awaiting) = with(Option::take).flatten() else { return };
    if let Some(mut root) = awaiting.root.take() {
        if panicking() && root.key >= FIRST {
            unwound(root.key, Certain::No);
        }
        root.close_with(if cancelled && !panicking() { flag::CANCELLED } else { 0 });
    }
    if let Some(recorder) = awaiting.to_switch_off.take() {
        switch_off(&recorder);
    }
}
