//! `GET /api/activities/{uuid}`: one post.

use axum::Json;
use axum::extract::{Path, State};
use rollbar_runtime::rollbar_report;
use xray_runtime::xray_capture;

use crate::app::AppState;
use crate::database::{Activity, Database};
use crate::error::ApiError;

/// A post with its replies; 404 where there is none.
pub(crate) async fn data_show_activity(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
) -> Result<Json<Activity>, ApiError> {
    match show_activity(&state.database, &uuid).await? {
        Some(activity) => Ok(Json(activity)),
        None => Err(ApiError::NotFound { kind: "activity", key: uuid }),
    }
}

#[xray_capture("show-activity")]
#[rollbar_report]
async fn show_activity(database: &Database, uuid: &str) -> Result<Option<Activity>, ApiError> {
    Ok(database.activity(uuid).await?)
}
