//! `GET /api/activities/{uuid}`: one post.

use axum::Json;
use axum::extract::{Path, State};

use crate::app::AppState;
use crate::database::{Activity, Database};
use crate::error::ApiError;

/// A post with its replies; 404 where there is none.
pub(crate) async fn data_show_activity(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
) -> Result<Json<Activity>, ApiError> {
    Ok(Json(show_activity(&state.database, &uuid).await?))
}

async fn show_activity(database: &Database, uuid: &str) -> Result<Activity, ApiError> {
    let activity = database.activity(uuid).await?;
    activity.ok_or_else(|| ApiError::NotFound { kind: "activity", key: uuid.to_owned() })
}
