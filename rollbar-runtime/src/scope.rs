//! Scopes: what is known of the work at hand, and goes into each item that is reported there.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::IpPolicy;
use crate::baggage;
use crate::current;
use crate::item::{Person, Request, Telemetry};
use crate::report::guarded;
use crate::scoped::InScope;

/// Events of the telemetry that a scope keeps: the latest.
pub const MAX_TELEMETRY: usize = 100;

/// What is known of the work at hand: the person, the request, your own values, what happened before. It goes into each
/// item that is reported in it.
///
/// A scope is made from the one in force, with a copy of what that knows; what is said of the new one is not known to the
/// old. Clones are one scope. It is in force in a closure ([`in_scope`]), in a future ([`FutureExt::in_scope`]) wherever
/// that is polled, and in each request below `RollbarLayer`.
///
/// ```
/// use rollbar_runtime::{Level, Rollbar, Scope, in_scope, item::Person, report_message};
///
/// let (rollbar, captured) = Rollbar::in_memory();
/// rollbar.enter(|| {
///     let scope = Scope::new();
///     scope.set_person(Some(Person::new(42)));
///     scope.put_custom("tenant", "acme");
///     in_scope(&scope, || report_message("cart is empty", Level::Warning));
/// });
/// let item = captured.only();
/// assert_eq!(item.json()["person"]["id"], "42");
/// assert_eq!(item.json()["custom"]["tenant"], "acme");
/// ```
#[derive(Clone, Debug)]
pub struct Scope(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Known>,
}

/// A copy costs a few counts: what is large stands behind an `Arc`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) person: Option<Arc<Person>>,
    pub(crate) custom: Arc<Map<String, Value>>,
    pub(crate) context: Option<Arc<str>>,
    pub(crate) fingerprint: Option<Arc<str>>,
    pub(crate) framework: Option<Arc<str>>,
    /// As it was set; before the one that a layer serves.
    pub(crate) request: Option<Arc<Request>>,
    pub(crate) served: Option<Arc<dyn Served>>,
    pub(crate) telemetry: VecDeque<Arc<Telemetry>>,
}

#[cfg_attr(not(any(feature = "tracing", feature = "log")), allow(dead_code))]
impl Known {
    /// Whether it is known where in the program the work is.
    pub(crate) fn has_context(&self) -> bool {
        self.context.is_some() || self.served.as_ref().is_some_and(|served| served.context().is_some())
    }
}

/// A request that a layer serves. It is read when an item is made, on the worker: most requests make none.
pub(crate) trait Served: std::fmt::Debug + Send + Sync {
    /// What an item tells of it.
    fn request(&self, policy: IpPolicy) -> Request;

    /// Its route, where that is known.
    fn context(&self) -> Option<String>;

    /// What serves it.
    fn framework(&self) -> &'static str;

    /// Rollbar's session and execution scope, from the header `baggage`.
    fn attributes(&self) -> Vec<(&'static str, String)>;

    /// What it takes in memory: an estimate.
    fn bytes(&self) -> usize;

    /// An error or a panic was reported while it was served, in whatever scope: its answer is not to be reported again.
    fn mark_reported(&self, panic: bool);
}

impl Default for Scope {
    fn default() -> Self {
        Self::new()
    }
}

impl Scope {
    /// A scope that begins with what the one in force knows.
    pub fn new() -> Self {
        match current::scope() {
            Some(outer) => outer.child(),
            None => Self::detached(),
        }
    }

    /// A scope that knows nothing.
    pub(crate) fn detached() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn child(&self) -> Self {
        Self(Arc::new(Shared { known: Mutex::new(self.snapshot()) }))
    }

    /// No code of the user's runs while it is locked.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self) -> Known {
        self.known().clone()
    }

    /// Whom the work is for.
    pub fn set_person(&self, person: Option<Person>) {
        let person = person.map(Arc::new);
        self.known().person = person;
    }

    /// A value of your own: anything that serde can write as JSON. What it cannot write is left out.
    pub fn put_custom(&self, key: impl Into<String>, value: impl Serialize) {
        let Some(value) = json_of(value) else { return };
        let key = key.into();
        let mut known = self.known();
        Arc::make_mut(&mut known.custom).insert(key, value);
    }

    /// Takes a value of your own away.
    pub fn remove_custom(&self, key: &str) {
        let mut known = self.known();
        if known.custom.contains_key(key) {
            Arc::make_mut(&mut known.custom).remove(key);
        }
    }

    /// Where in the program the work is, such as a route or the name of a job.
    pub fn set_context(&self, context: Option<&str>) {
        self.known().context = context.map(Arc::from);
    }

    /// What groups the occurrences in this scope into one item.
    pub fn set_fingerprint(&self, fingerprint: Option<&str>) {
        self.known().fingerprint = fingerprint.map(Arc::from);
    }

    /// The framework that does the work, such as `axum`.
    pub fn set_framework(&self, framework: Option<&str>) {
        self.known().framework = framework.map(Arc::from);
    }

    /// The request that is served, in the place of the one that `RollbarLayer` knows; `None` leaves that.
    pub fn set_request(&self, request: Option<Request>) {
        let request = request.map(Arc::new);
        self.known().request = request;
    }

    /// A scope as this one, in which a request is served; `served` is told of the request round it.
    #[cfg_attr(not(feature = "tower"), allow(dead_code))]
    pub(crate) fn serving(&self, served: impl FnOnce(Option<Arc<dyn Served>>) -> Arc<dyn Served>) -> Self {
        let mut known = self.snapshot();
        known.served = Some(served(known.served.take()));
        Self(Arc::new(Shared { known: Mutex::new(known) }))
    }

    /// The value of the header `baggage` that tells another service which session of Rollbar the request at hand belongs to;
    /// `None` where it belongs to none.
    pub fn baggage(&self) -> Option<String> {
        let served = self.known().served.clone()?;
        baggage::header(served.attributes().iter().map(|(key, value)| (*key, value.as_str())))
    }

    /// Notes an event, which the next item in this scope tells as what happened before. The latest
    /// [`MAX_TELEMETRY`] are kept.
    pub fn record_telemetry(&self, event: Telemetry) {
        let event = Arc::new(event);
        let mut known = self.known();
        let oldest = if known.telemetry.len() >= MAX_TELEMETRY { known.telemetry.pop_front() } else { None };
        known.telemetry.push_back(event);
        drop(known);
        drop(oldest);
    }
}

/// A value as JSON; `None` for what cannot be written. The user's `Serialize` may panic, and may report.
pub(crate) fn json_of(value: impl Serialize) -> Option<Value> {
    guarded(|| xray_error::caught(|| serde_json::to_value(value))).and_then(Result::ok)
}

/// The scope in force: of the request, of the closure or future, else the client's own, whose values go into all items.
/// Without a client it is one that nobody reads.
pub fn current_scope() -> Scope {
    current::scope().unwrap_or_else(Scope::detached)
}

/// Runs `f` in a scope.
pub fn in_scope<R>(scope: &Scope, f: impl FnOnce() -> R) -> R {
    let _entered = current::Entered::new(current::with_scope(scope.clone()));
    f()
}

/// Notes an event in the scope in force; see [`Scope::record_telemetry`].
pub fn record_telemetry(event: Telemetry) {
    if let Some(scope) = current::scope() {
        scope.record_telemetry(event);
    }
}

/// Puts futures into scopes.
pub trait FutureExt: Future + Sized {
    /// Runs the future in a scope, wherever it is polled.
    fn in_scope(self, scope: Scope) -> InScope<Self> {
        InScope::new(self, current::with_scope(scope))
    }

    /// Carries the scope in force here, and the client of [`Rollbar::enter`](crate::Rollbar::enter), to wherever the future
    /// is polled: another task, another thread.
    fn in_current_scope(self) -> InScope<Self> {
        InScope::new(self, current::context())
    }
}

impl<F: Future> FutureExt for F {}
