//! The second service, on the port after the app's own: it ranks the users that somebody should follow.
//!
//! It also answers `/echo` and `/status/{code}` without tracing them: the far ends of the calls in [`crate::twins`].

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::get;
use axum::{Json, Router};
use rollbar_runtime::{Rollbar, RollbarLayer, rollbar_report};
use serde::Deserialize;
use serde_json::{Value, json};
use xray_runtime::{Recorder, XRayLayer, xray_capture};

use crate::database::{Database, Recommendation};
use crate::error::ApiError;

/// The service's routes.
pub(crate) fn router(database: Database, recorder: &Recorder, rollbar: &Rollbar) -> Router {
    let traced = Router::new()
        .route("/recommendations", get(recommendations))
        .layer(RollbarLayer::with_client(rollbar))
        .layer(XRayLayer::with_recorder(recorder))
        .with_state(database);
    let untraced = Router::new().route("/echo", get(echo)).route("/status/{code}", get(status));
    traced.merge(untraced)
}

#[derive(Debug, Deserialize)]
struct For {
    handle: String,
}

async fn recommendations(
    State(database): State<Database>,
    Query(query): Query<For>,
) -> Result<Json<Vec<Recommendation>>, ApiError> {
    Ok(Json(rank_users(&database, &query.handle).await?))
}

#[xray_capture("rank-users")]
#[rollbar_report]
async fn rank_users(database: &Database, handle: &str) -> Result<Vec<Recommendation>, ApiError> {
    Ok(database.recommendations(handle).await?)
}

/// Tells what arrived: the path and the trace header, as the peer of the original app does.
async fn echo(uri: Uri, headers: HeaderMap) -> Json<Value> {
    let trace_header = headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok());
    Json(json!({ "path": uri.to_string(), "seen_x_amzn_trace_id": trace_header }))
}

async fn status(Path(code): Path<u16>) -> Result<StatusCode, ApiError> {
    StatusCode::from_u16(code).map_err(|_| ApiError::Invalid("status_out_of_range"))
}
