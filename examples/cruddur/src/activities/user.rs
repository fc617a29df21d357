//! `GET /api/activities/@{handle}`: the posts of one user.

use axum::Json;
use axum::extract::{Path, State};

use crate::app::AppState;
use crate::database::{Activity, Database};
use crate::error::ApiError;

/// The newest posts of a user; 404 where there is no such user.
pub(crate) async fn data_handle(
    State(state): State<AppState>,
    Path(handle): Path<String>,
) -> Result<Json<Vec<Activity>>, ApiError> {
    Ok(Json(user_activities(&state.database, &handle).await?))
}

async fn user_activities(database: &Database, handle: &str) -> Result<Vec<Activity>, ApiError> {
    let posts = database.posts_of(handle).await?;
    posts.ok_or_else(|| ApiError::NotFound { kind: "user", key: handle.to_owned() })
}
