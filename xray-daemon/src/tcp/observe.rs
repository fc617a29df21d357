//! What the daemon tells of itself: `/health` for people, load balancers and `xray-daemon status`, `/metrics` for Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::routes::{error, json_answer};
use crate::metrics;
use crate::observed::Observed;

/// The routes.
pub(crate) fn routes(observed: Arc<dyn Observed>) -> Router {
    Router::new().route("/health", get(health)).route("/metrics", get(metrics_page)).with_state(observed)
}

/// 200 for as long as the daemon runs: an upstream that fails is told in `status`, but is no reason to restart it.
async fn health(State(observed): State<Arc<dyn Observed>>) -> Response {
    match serde_json::to_value(observed.observe()) {
        Ok(told) => json_answer(StatusCode::OK, &told),
        Err(why) => error(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string()),
    }
}

async fn metrics_page(State(observed): State<Arc<dyn Observed>>) -> Response {
    match metrics::text(observed.observe()) {
        Ok(text) => {
            let mut response = text.into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
            response
        }
        Err(why) => error(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string()),
    }
}
