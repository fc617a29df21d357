//! The back end's routes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use rollbar_runtime::{Rollbar, RollbarLayer};
use serde_json::{Value, json};
use xray_runtime::{Recorder, XRayLayer};

use crate::database::Database;
use crate::downstream::Downstream;
use crate::error::ApiError;
use crate::{activities, messages, trouble, twins};

/// What every handler can reach.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) database: Database,
    pub(crate) downstream: Downstream,
}

/// All routes of the back end.
pub(crate) fn router(state: AppState, recorder: &Recorder, rollbar: &Rollbar) -> Router {
    Router::new()
        .route("/api/health-check", get(health_check))
        .route("/api/activities/home", get(activities::home::data_home))
        .route("/api/activities/notifications", get(activities::notifications::data_notifications))
        .route("/api/activities/search", get(activities::search::data_search))
        .route("/api/activities/@{handle}", get(activities::user::data_handle))
        .route("/api/activities", post(activities::create::data_activities))
        .route("/api/activities/{activity_uuid}", get(activities::show::data_show_activity))
        .route("/api/activities/{activity_uuid}/reply", post(activities::reply::data_activities_reply))
        .route("/api/message_groups", get(messages::data_message_groups))
        .route("/api/messages/@{handle}", get(messages::data_messages))
        .route("/api/recommendations", get(activities::recommendations::data_recommendations))
        .route("/api/broken", get(trouble::data_broken))
        .route("/api/busy", get(trouble::data_busy))
        .route("/rollbar/test", get(trouble::rollbar_test))
        .nest("/api/twins", twins::router())
        .fallback(not_found)
        .layer(RollbarLayer::with_client(rollbar))
        .layer(XRayLayer::with_recorder(recorder))
        .with_state(state)
}

async fn health_check(State(state): State<AppState>) -> Result<Json<Value>, ApiError> {
    state.database.ping().await?;
    Ok(Json(json!({ "success": true })))
}

async fn not_found() -> (StatusCode, Json<Value>) {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "there is no such route" })))
}
