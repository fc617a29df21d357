//! `GET /api/activities/@{handle}`: the posts of one user.

use axum::Json;
use axum::extract::{Path, State};
use rollbar_runtime::rollbar_report;
use xray_runtime::xray_capture;

use crate::app::AppState;
use crate::database::{Activity, Database};
use crate::error::ApiError;

/// The newest posts of a user; 404 where there is no such user.
pub(crate) async fn data_handle(
    State(state): State<AppState>,
    Path(handle): Path<String>,
) -> Result<Json<Vec<Activity>>, ApiError> {
    match user_activities(&state.database, &handle).await? {
        Some(posts) => Ok(Json(posts)),
        None => Err(ApiError::NotFound { kind: "user", key: handle }),
    }
}

#[xray_capture("user-activities", annotations(handle = handle))]
#[rollbar_report]
async fn user_activities(database: &Database, handle: &str) -> Result<Option<Vec<Activity>>, ApiError> {
    Ok(database.posts_of(handle).await?)
}
