//! Rollbar's API: each call goes to the double, and what it answers to the socket.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::sleep;
use xray_console::rollbar::{Answer, Deploy, Double, Event, Occurrence, Refused, Settings};

use super::body::{self, NoBody};
use super::faults;
use super::routes::error;
use super::wire::Wire;

/// How long the first half of an answer has to leave before the connection is reset.
const FIRST_HALF: Duration = Duration::from_millis(20);

/// The most kinds of refusals and warnings that are told; of each the first.
const TOLD: usize = 64;

/// What is done with what comes in.
pub(crate) trait Watch: Send + Sync {
    /// An item came in and was accepted.
    fn occurrence(&self, occurrence: Arc<Occurrence>);
    /// A deploy was told, or its state changed.
    fn deploy(&self, deploy: Deploy);
    /// What the user should know, once.
    fn notice(&self, text: &str);
}

/// The double, and who watches it.
pub(crate) struct Rollbar {
    double: Arc<Double>,
    /// The most bytes of a body that the double takes.
    most: usize,
    watch: Arc<dyn Watch>,
    told: Mutex<HashSet<String>>,
}

impl Rollbar {
    pub(crate) fn new(double: Arc<Double>, settings: &Settings, watch: Arc<dyn Watch>) -> Self {
        Self { double, most: settings.max_bytes, watch, told: Mutex::default() }
    }

    pub(crate) fn double(&self) -> &Double {
        &self.double
    }

    /// Tells the first of each kind.
    fn tell(&self, kind: &str, text: impl FnOnce() -> String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD && told.insert(kind.to_owned()) {
            drop(told);
            self.watch.notice(&text());
        }
    }

    fn watched(&self, answer: &mut Answer) {
        match answer.event.take() {
            Some(Event::Occurrence(occurrence)) => self.watch.occurrence(occurrence),
            Some(Event::Deploy(deploy)) => self.watch.deploy(deploy),
            Some(Event::Refused(Refused { status, reason, message, .. })) => {
                self.tell(&reason, || format!("answered {status} to a call of Rollbar's API: {message}"));
            }
            _ => {}
        }
        for warning in &answer.warnings {
            self.tell(warning, || format!("accepted an item that Rollbar may refuse: {warning}"));
        }
    }
}

/// The API's routes. The one that injects faults is there only where `with_faults` asks for it.
pub(crate) fn routes(rollbar: Arc<Rollbar>, with_faults: bool) -> Router {
    let mut router = Router::new().route("/api/1/", any(answer)).route("/api/1/{*call}", any(answer));
    if with_faults {
        router = router.route(faults::PATH, any(faults::answer));
    }
    router.with_state(rollbar)
}

/// One call.
async fn answer(State(rollbar): State<Arc<Rollbar>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let wire = head.extensions.get::<Wire>();
    // Before the body is read, because a fault may be to read it slowly.
    let fault = rollbar.double.take_fault(head.uri.path());
    if let Some(fault) = &fault {
        sleep(Duration::from_millis(fault.slow_read_ms)).await;
    }
    let body = match body::read(body, rollbar.most).await {
        Ok(body) => body,
        Err(NoBody::Late) => {
            return closing(error(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"));
        }
        Err(NoBody::Broken) => return closing(error(StatusCode::BAD_REQUEST, "the body cannot be read")),
    };
    let headers: Vec<(&str, &str)> = head
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?)))
        .collect();
    let call = xray_console::rollbar::Request {
        query: head.uri.query().unwrap_or_default(),
        headers: &headers,
        body: &body,
        remote: wire.map(|wire| wire.peer().ip().to_canonical()),
        fault: fault.as_ref(),
        ..xray_console::rollbar::Request::new(head.method.as_str(), head.uri.path(), SystemTime::now())
    };
    let answered = catch_unwind(AssertUnwindSafe(|| {
        let mut answer = rollbar.double.answer(&call);
        rollbar.watched(&mut answer);
        answer
    }));
    match answered {
        Ok(answer) => respond(answer, wire),
        Err(_) => closing(error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a panic in the daemon; its standard error has more",
        )),
    }
}

/// The double's answer as HTTP, with what only the socket can do.
fn respond(answer: Answer, wire: Option<&Wire>) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let bytes = Bytes::from(answer.body.to_bytes());
    let length = bytes.len();
    let body = match wire {
        Some(wire) if answer.wire.reset_mid_body => first_half_of(bytes, wire.clone()),
        _ => Body::from(bytes),
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.body.content_type()));
    if answer.wire.reset_mid_body {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    for (name, value) in &answer.headers {
        // What is no header cannot be sent; a test that injects one sees that it is missing.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(&**name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    if let Some(wire) = wire.filter(|_| !answer.wire.slow_close.is_zero()) {
        wire.close_after(answer.wire.slow_close);
        return closing(response);
    }
    response
}

/// Half of the body, and then a reset of the connection.
fn first_half_of(mut body: Bytes, wire: Wire) -> Body {
    body.truncate(body.len() / 2);
    let half = stream::once(async move { Ok(body) });
    let reset = stream::once(async move {
        // The first half is on its way only once this waits.
        sleep(FIRST_HALF).await;
        wire.end_with_reset();
        Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(half.chain(reset))
}

/// The last answer of its connection.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
