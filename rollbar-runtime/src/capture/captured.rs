//! The future of an annotated function.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::entry::{Details, Entry};
use super::guard::{deeper, settle, shallower};
use super::{Outcome, Place};
use crate::crossing::{self, Crossing};
use crate::current::{self, CONTEXT, ERROR_CROSSES, SETTLES, flags};

pin_project! {
    /// Counts its function while the inner future is polled, and observes what that gives.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Captured<F, P> {
        #[pin]
        inner: F,
        carried: Carried,
        location: &'static Location<'static>,
        outcome: P,
    }
}

/// What the future takes along between polls.
#[derive(Debug)]
struct Carried {
    /// The client and the scope in force at its first poll, or where it was made.
    context: Option<Arc<current::Context>>,
    begun: bool,
    /// The arguments' words and the errors that cross its functions; rarely there.
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Default)]
struct Rest {
    details: Option<Box<Details>>,
    crossing: Option<Crossing>,
}

impl<F: Future, P: Outcome<F::Output>> Captured<F, P> {
    /// In the scope in force at the first poll.
    #[track_caller]
    #[inline]
    pub(crate) fn new(_: &'static str, inner: F, outcome: P) -> Self {
        let carried = Carried { context: None, begun: false, rest: None };
        Self { inner, carried, location: Location::caller(), outcome }
    }

    /// In the scope in force now.
    #[track_caller]
    pub(crate) fn here(_: &'static str, inner: F, outcome: P) -> Self {
        let carried = Carried { context: current::context(), begun: true, rest: None };
        Self { inner, carried, location: Location::caller(), outcome }
    }

    /// With what the arguments say; in the scope in force now.
    #[track_caller]
    pub(crate) fn from_entry(entry: Entry, inner: F, outcome: P) -> Self {
        let rest =
            entry.into_details().map(|details| Box::new(Rest { details: Some(details), crossing: None }));
        let carried = Carried { context: current::context(), begun: true, rest };
        Self { inner, carried, location: Location::caller(), outcome }
    }
}

impl<F: Future, P: Outcome<F::Output>> Future for Captured<F, P> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut turn = Turn::begin(this.carried);
        let polled = this.inner.poll(cx);
        turn.over = polled.is_ready();
        if let Poll::Ready(value) = &polled
            && let Some(error) = this.outcome.error(value)
        {
            let details = turn.carried.rest.as_mut().and_then(|rest| rest.details.take());
            let place = Place::of::<F>(this.location);
            super::recording(details, || P::RECORD(error, this.outcome.place(place)));
        }
        polled
    }
}

/// One poll. What is in force is put back when it is dropped, by a panic too.
struct Turn<'a> {
    carried: &'a mut Carried,
    before: Option<Arc<current::Context>>,
    swapped: bool,
    over: bool,
}

impl<'a> Turn<'a> {
    #[inline(always)]
    fn begin(carried: &'a mut Carried) -> Self {
        deeper();
        let plain = flags() & CONTEXT == 0 && carried.context.is_none() && carried.rest.is_none();
        let mut turn = Self { carried, before: None, swapped: false, over: false };
        if !plain {
            turn.restore();
        }
        turn
    }

    #[cold]
    #[inline(never)]
    fn restore(&mut self) {
        if !self.carried.begun {
            self.carried.context = current::context();
        } else {
            self.before = current::replace(self.carried.context.clone());
            self.swapped = true;
        }
        if let Some(crossing) = self.carried.rest.as_mut().and_then(|rest| rest.crossing.take()) {
            crossing::put(crossing);
        }
    }
}

impl Drop for Turn<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let state = shallower();
        self.carried.begun = true;
        if state.flags & SETTLES != 0 || self.swapped {
            leave(self, state);
        }
    }
}

#[cold]
#[inline(never)]
fn leave(turn: &mut Turn<'_>, state: current::State) {
    let details = turn.carried.rest.as_ref().and_then(|rest| rest.details.as_deref());
    settle(state, details, turn.over);
    // The outermost future takes along what is remembered: others run on this thread before its next poll.
    if state.flags & ERROR_CROSSES != 0 && state.depth == 0 && !turn.over {
        let rest = turn.carried.rest.get_or_insert_default();
        rest.crossing = crossing::take();
    }
    if turn.swapped {
        current::replace(turn.before.take());
    }
}
