//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::json;

use super::faults;
use super::origin::Origins;
use super::rollbar::{self, Rollbar};
use crate::stats::count;

/// All routes. The route that injects faults is there only where `faults` asks for it.
pub(crate) fn router(rollbar: Arc<Rollbar>, origins: Origins, with_faults: bool) -> Router {
    let mut router =
        Router::new().route("/api/1/", any(rollbar::answer)).route("/api/1/{*call}", any(rollbar::answer));
    if with_faults {
        router = router.route(faults::PATH, any(faults::answer));
    }
    let check = Check { origins: Arc::new(origins), rollbar: rollbar.clone() };
    router.fallback(nothing_here).with_state(rollbar).layer(from_fn_with_state(check, refuse_foreign_pages))
}

#[derive(Clone)]
struct Check {
    origins: Arc<Origins>,
    rollbar: Arc<Rollbar>,
}

/// Before anything else of a request is looked at.
async fn refuse_foreign_pages(State(check): State<Check>, request: Request, next: Next) -> Response {
    let counters = check.rollbar.counters();
    count(&counters.requests);
    match check.origins.refusal(request.uri(), request.headers()) {
        None => next.run(request).await,
        Some(why) => {
            if count(&counters.requests_refused) {
                check.rollbar.notice(&why);
            }
            error(StatusCode::FORBIDDEN, &why)
        }
    }
}

async fn nothing_here(request: Request) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    error(
        StatusCode::NOT_FOUND,
        &format!("nothing is answered at {path}; Rollbar's API is at /api/1/, its items at /api/1/item/"),
    )
}

/// An answer that says what was wrong, in the form of Rollbar's API.
pub(crate) fn error(status: StatusCode, message: &str) -> Response {
    json_answer(status, &json!({ "err": 1, "message": message }))
}

pub(crate) fn json_answer(status: StatusCode, value: &serde_json::Value) -> Response {
    let mut response = (status, Body::from(value.to_string())).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
