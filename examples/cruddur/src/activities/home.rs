//! `GET /api/activities/home`: the feed of everybody.

use axum::Json;
use axum::extract::State;

use crate::app::AppState;
use crate::database::Activity;
use crate::error::ApiError;

/// The newest posts with their replies. Nothing here is captured: the trace is the request's segment alone.
pub(crate) async fn data_home(State(state): State<AppState>) -> Result<Json<Vec<Activity>>, ApiError> {
    Ok(Json(state.database.home().await?))
}
