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

/// What the future takes along between polls. The usual one has nothing: no client or scope was entered round it, and its
/// attribute has no arguments.
#[derive(Debug)]
struct Carried {
    begun: bool,
    /// Nobody else has it. Of an `Arc` that is not there the end is one test; of a `Box` it is a call, 2 ns.
    rest: Option<Arc<Rest>>,
}

#[derive(Debug, Default)]
struct Rest {
    /// The client and the scope in force at its first poll, or where it was made.
    context: Option<Arc<current::Context>>,
    details: Option<Box<Details>>,
    /// The errors that cross its functions.
    crossing: Option<Crossing>,
    /// During a poll: what was in force before it.
    before: Option<Option<Arc<current::Context>>>,
}

impl<F: Future, P: Outcome<F::Output>> Captured<F, P> {
    /// In the scope in force at the first poll.
    #[track_caller]
    #[inline]
    pub(crate) fn new(_: &'static str, inner: F, outcome: P) -> Self {
        let carried = Carried { begun: false, rest: None };
        Self { inner, carried, location: Location::caller(), outcome }
    }

    /// In the scope in force now.
    #[track_caller]
    pub(crate) fn here(_: &'static str, inner: F, outcome: P) -> Self {
        Self { inner, carried: Carried::here(None), location: Location::caller(), outcome }
    }

    /// With what the arguments say; in the scope in force now.
    #[track_caller]
    pub(crate) fn from_entry(entry: Entry, inner: F, outcome: P) -> Self {
        Self { inner, carried: Carried::here(entry.into_details()), location: Location::caller(), outcome }
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
            let details = turn.carried.rest().and_then(|rest| rest.details.take());
            let place = Place::of::<F>(this.location);
            super::recording(details, || P::RECORD(error, this.outcome.place(place)));
        }
        polled
    }
}

impl Carried {
    fn here(details: Option<Box<Details>>) -> Self {
        let context = current::context();
        let rest = (context.is_some() || details.is_some())
            .then(|| Arc::new(Rest { context, details, ..Rest::default() }));
        Self { begun: true, rest }
    }

    fn rest(&mut self) -> Option<&mut Rest> {
        self.rest.as_mut().and_then(Arc::get_mut)
    }

    fn rest_or_new(&mut self) -> Option<&mut Rest> {
        Arc::get_mut(self.rest.get_or_insert_default())
    }

    /// Puts in force what the future takes along.
    #[cold]
    #[inline(never)]
    fn restore(&mut self) {
        let begun = self.begun;
        let Some(rest) = self.rest_or_new() else { return };
        if begun {
            rest.before = Some(current::replace(rest.context.clone()));
        } else {
            rest.context = current::context();
        }
        if let Some(crossing) = rest.crossing.take() {
            crossing::put(crossing);
        }
    }
}

/// One poll. What is in force is put back when it is dropped, by a panic too.
struct Turn<'a> {
    carried: &'a mut Carried,
    over: bool,
}

impl<'a> Turn<'a> {
    #[inline(always)]
    fn begin(carried: &'a mut Carried) -> Self {
        deeper();
        if flags() & CONTEXT != 0 || carried.rest.is_some() {
            carried.restore();
        }
        Self { carried, over: false }
    }
}

impl Drop for Turn<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let state = shallower();
        self.carried.begun = true;
        if state.flags & SETTLES != 0 || self.carried.rest.is_some() {
            leave(self.carried, self.over, state);
        }
    }
}

#[cold]
#[inline(never)]
fn leave(carried: &mut Carried, over: bool, state: current::State) {
    let details = carried.rest.as_ref().and_then(|rest| rest.details.as_deref());
    settle(state, details, over);
    // The outermost future takes along what is remembered: others run on this thread before its next poll.
    if state.flags & ERROR_CROSSES != 0
        && state.depth == 0
        && !over
        && let Some(rest) = carried.rest_or_new()
    {
        rest.crossing = crossing::take();
    }
    if let Some(before) = carried.rest().and_then(|rest| rest.before.take()) {
        current::replace(before);
    }
}
