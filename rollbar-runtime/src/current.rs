//! What is in force on a thread: the client and the scope, how deep in annotated functions it is, and what crosses them.
//!
//! The way through a function that succeeds touches [`STATE`] alone: two plain loads and stores and one branch. All else
//! is looked at where a flag says that there is something.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, PoisonError, RwLock};

use crate::client::Rollbar;
use crate::scope::Scope;

/// The installed client.
static GLOBAL: RwLock<Option<Rollbar>> = RwLock::new(None);

/// How many annotated functions this thread is in, and what else must be looked at when one of them ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) depth: u32,
    pub(crate) flags: u32,
}

/// A panic waits for the function that it unwinds through; see `panic.rs`.
pub(crate) const PANIC_WAITS: u32 = 1;
/// An error was reported and may cross further functions; see `crossing.rs`.
pub(crate) const ERROR_CROSSES: u32 = 2;
/// A client or a scope is in force here.
pub(crate) const CONTEXT: u32 = 4;
/// A report is being made: one from within it (by the error's `Display`, say) is refused.
pub(crate) const REPORTING: u32 = 8;

/// What a function's end looks at.
pub(crate) const SETTLES: u32 = PANIC_WAITS | ERROR_CROSSES;

/// A client that takes the place of the installed one, and a scope. Both travel with futures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    pub(crate) client: Option<Rollbar>,
    pub(crate) scope: Option<Scope>,
}

thread_local! {
    pub(crate) static STATE: Cell<State> = const { Cell::new(State { depth: 0, flags: 0 }) };
    static CURRENT: RefCell<Option<Arc<Context>>> = const { RefCell::new(None) };
}

pub(crate) fn flags() -> u32 {
    STATE.get().flags
}

pub(crate) fn set_flag(flag: u32, on: bool) {
    let mut state = STATE.get();
    state.flags = if on { state.flags | flag } else { state.flags & !flag };
    STATE.set(state);
}

/// What is in force here, to be taken along. A thread that ends has nothing.
pub(crate) fn context() -> Option<Arc<Context>> {
    if flags() & CONTEXT == 0 {
        return None;
    }
    CURRENT.try_with(|current| current.try_borrow().ok()?.clone()).ok().flatten()
}

/// Puts `next` in force, and gives back what was.
pub(crate) fn replace(next: Option<Arc<Context>>) -> Option<Arc<Context>> {
    if next.is_none() && flags() & CONTEXT == 0 {
        return None;
    }
    let is_some = next.is_some();
    let replaced = CURRENT.try_with(|current| {
        current.try_borrow_mut().map(|mut current| std::mem::replace(&mut *current, next))
    });
    match replaced {
        Ok(Ok(before)) => {
            set_flag(CONTEXT, is_some);
            before
        }
        _ => None,
    }
}

/// Puts a context in force until it is dropped.
pub(crate) struct Entered {
    before: Option<Arc<Context>>,
    not_send: std::marker::PhantomData<*const ()>,
}

impl Entered {
    pub(crate) fn new(context: Option<Arc<Context>>) -> Self {
        Self { before: replace(context), not_send: std::marker::PhantomData }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        replace(self.before.take());
    }
}

/// With this client in the place of the installed one; the scope is the client's own.
pub(crate) fn with_client(client: Rollbar) -> Entered {
    Entered::new(Some(Arc::new(Context { client: Some(client), scope: None })))
}

/// With this scope; the client stays.
pub(crate) fn with_scope(scope: Scope) -> Option<Arc<Context>> {
    let client = context().and_then(|context| context.client.clone());
    Some(Arc::new(Context { client, scope: Some(scope) }))
}

/// The client in force.
pub(crate) fn client() -> Option<Rollbar> {
    match context().and_then(|context| context.client.clone()) {
        Some(client) => Some(client),
        None => GLOBAL.read().unwrap_or_else(PoisonError::into_inner).clone(),
    }
}

/// The scope in force: one that was entered, else the client's own.
pub(crate) fn scope() -> Option<Scope> {
    match context().and_then(|context| context.scope.clone()) {
        Some(scope) => Some(scope),
        None => client().map(|client| client.root_scope().clone()),
    }
}

/// Makes `client` the global one, and gives back the one before.
pub(crate) fn install(client: Rollbar) -> Option<Rollbar> {
    GLOBAL.write().unwrap_or_else(PoisonError::into_inner).replace(client)
}

/// Takes `client` out of its place, if it is still there.
pub(crate) fn uninstall(client: &Rollbar) {
    let mut global = GLOBAL.write().unwrap_or_else(PoisonError::into_inner);
    let taken = global.take_if(|installed| installed.is(client));
    drop(global);
    drop(taken);
}
