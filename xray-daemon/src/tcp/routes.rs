//! Who may ask, and what is answered where nothing is.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::origin::Origins;
use crate::show::Notice;
use crate::stats::{RequestCounts, count};

/// What every request passes before its path is looked at.
pub(crate) struct Gate {
    pub(crate) origins: Origins,
    pub(crate) counts: Arc<RequestCounts>,
    /// Told of the first request that is refused.
    pub(crate) notice: Notice,
    /// What is answered behind it beside `/health` and `/metrics`, for who asks for something else.
    pub(crate) answers: &'static str,
}

/// These routes behind the gate.
pub(crate) fn router(routes: Router, gate: Gate) -> Router {
    let answers = gate.answers;
    let nothing_here = move |request: Request| async move { nothing_here(&request, answers) };
    routes.fallback(nothing_here).layer(from_fn_with_state(Arc::new(gate), refuse_foreign_pages))
}

/// Before anything else of a request is looked at.
async fn refuse_foreign_pages(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    count(&gate.counts.requests);
    match gate.origins.refusal(request.uri(), request.headers()) {
        None => next.run(request).await,
        Some(why) => {
            if count(&gate.counts.refused) {
                (gate.notice)(&why);
            }
            error(StatusCode::FORBIDDEN, &why)
        }
    }
}

fn nothing_here(request: &Request, answers: &str) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    let method: String = request.method().as_str().chars().take(20).collect();
    error(
        StatusCode::NOT_FOUND,
        &format!("nothing is answered at {method} {path}; this daemon has {answers}, /health and /metrics"),
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
