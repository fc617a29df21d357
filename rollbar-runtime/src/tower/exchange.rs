//! A request from its coming to the end of the response's body: what is in force, and what is reported.

use std::any::{Any, type_name};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::{Request, StatusCode};
use xray_error::Chain;

use super::request::ServedRequest;
use super::request_body::Kept;
use super::{Options, WhichClient};
use crate::Level;
use crate::current::{self, Context, Entered, PANIC_WAITS, flags};
use crate::occurrence::{Extras, What};
use crate::panic;
use crate::report::{LIMITS, Report, guarded, submit, taker};
use crate::scope::Served;

/// The scope of a request.
#[derive(Debug)]
pub(super) struct Exchange {
    /// `None` where there is nobody to report to.
    serving: Option<Serving>,
    catch_panics: bool,
}

#[derive(Debug)]
struct Serving {
    context: Arc<Context>,
    request: Arc<ServedRequest>,
    options: Arc<Options>,
}

/// The service or the body panicked, and that is reported.
pub(super) struct Panicked;

impl Exchange {
    pub(super) fn open<B>(options: &Arc<Options>, request: &mut Request<B>) -> Self {
        Self { serving: Serving::begin(options, request), catch_panics: options.catch_panics }
    }

    /// Runs a part of it: in its scope, and with its panics caught.
    pub(super) fn run<R>(&self, f: impl FnOnce() -> R) -> Result<R, Panicked> {
        let _entered = self.serving.as_ref().map(|serving| Entered::new(Some(Arc::clone(&serving.context))));
        let noted = panic::noted();
        let payload = match catch_unwind(AssertUnwindSafe(f)) {
            Ok(value) => return Ok(value),
            Err(payload) => payload,
        };
        if flags() & PANIC_WAITS != 0 {
            // The server itself runs in an annotated function, which it does not reach.
            panic::settle(None);
        }
        if let Some(serving) = &self.serving
            && panic::noted() == noted
        {
            serving.report_panic(&*payload);
        }
        if !self.catch_panics {
            drop(_entered);
            std::panic::resume_unwind(payload);
        }
        // Its destructor may panic, with a payload whose destructor does.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
        Err(Panicked)
    }

    /// The handler has answered; the scope is in force.
    pub(super) fn answered(&self, status: StatusCode) {
        if status.is_server_error()
            && let Some(serving) = &self.serving
        {
            serving.report_status(status);
        }
    }

    /// The service has failed; the scope is in force.
    pub(super) fn failed<E: 'static>(&self, error: &E) {
        if let Some(serving) = &self.serving {
            serving.report_error(known(error), type_name::<E>());
        }
    }

    /// The response's body has failed; the scope is in force.
    pub(super) fn body_failed(&self, error: &(dyn Error + 'static), type_name: &str) {
        if let Some(serving) = &self.serving {
            serving.report_error(Some(error), type_name);
        }
    }
}

impl Serving {
    fn begin<B>(options: &Arc<Options>, request: &mut Request<B>) -> Option<Self> {
        let here = current::context();
        let entered = here.as_ref().and_then(|context| context.client.clone());
        let own = match &options.client {
            WhichClient::This(client) => Some(client.clone()),
            WhichClient::InForce(made) => entered.or_else(|| made.clone()),
        };
        let client = own.clone().or_else(current::client).filter(|client| client.is_enabled())?;
        let kept = Kept::of(request.headers(), options.max_body);
        if let Some(kept) = &kept {
            request.extensions_mut().insert(Arc::clone(kept));
        }
        let outer = here.as_ref().and_then(|context| context.scope.as_ref()).unwrap_or(client.root_scope());
        let mut served = None;
        let scope = outer.serving(|outer| {
            let request = Arc::new(ServedRequest::new(request, kept, Arc::clone(options), outer));
            served = Some(Arc::clone(&request));
            request
        });
        let context = Arc::new(Context { client: own, scope: Some(scope) });
        Some(Self { context, request: served?, options: Arc::clone(options) })
    }

    #[cold]
    fn report_status(&self, status: StatusCode) {
        if self.request.has_reported() || self.options.expected.contains(&status) {
            return;
        }
        let route = self.request.context();
        let reason = status.canonical_reason().unwrap_or("Server Error");
        let code = status.as_u16();
        let what = route.clone().unwrap_or_else(|| self.request.method_and_path());
        let mut report =
            Report::message(format!("{code} {reason} {what}"), Level::Error).custom("status", code);
        let grouped = self.context.scope.as_ref().is_some_and(|scope| scope.snapshot().fingerprint.is_some());
        // A path would be a group for each user: without a route Rollbar groups by the message, numbers left out.
        if let Some(route) = route
            && !grouped
        {
            report = report.fingerprint(format!("{code} {route}"));
        }
        report.send();
    }

    /// A panic that the hook has not seen: it is not in its place, or the panic goes on from where it was caught.
    #[cold]
    fn report_panic(&self, payload: &(dyn Any + Send)) {
        if self.request.has_reported_panic() {
            return;
        }
        let Some(client) = taker(Level::Critical).filter(|client| client.settings().panics) else { return };
        let what = guarded(|| What::Panic(panic::chain(payload)));
        submit(&client, Level::Critical, what, None, Extras::default(), false);
    }

    #[cold]
    fn report_error(&self, error: Option<&(dyn Error + 'static)>, type_name: &str) {
        if self.request.has_reported() {
            return;
        }
        let Some(client) = taker(Level::Error) else { return };
        let chain = guarded(|| match error {
            Some(error) => Chain::from_error(error, type_name, LIMITS),
            None => Chain::from_message(type_name, "the service returned an error", LIMITS),
        });
        submit(&client, Level::Error, What::Error(chain), None, Extras::default(), false);
    }
}

/// The error types of tower's, axum's and hyper's world. A bound on `E` would shut out services that have none.
fn known(failed: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = panic::error_in(failed) {
        return Some(error);
    }
    #[cfg(feature = "axum")]
    if let Some(error) = failed.downcast_ref::<axum::Error>() {
        return Some(error);
    }
    failed.downcast_ref::<std::io::Error>().map(|error| error as _)
}
