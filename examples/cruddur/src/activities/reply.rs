//! `POST /api/activities/{uuid}/reply`: answers a post.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use chrono::Utc;
use rollbar_runtime::rollbar_report;
use serde::Deserialize;
use xray_runtime::xray_capture;

use crate::activities::{VIEWER, checked_message};
use crate::app::AppState;
use crate::database::{Activity, Database, NewActivity};
use crate::error::ApiError;

/// The body: `{"message": "..."}`.
#[derive(Debug, Deserialize)]
pub(crate) struct NewReply {
    message: String,
}

/// The reply as stored; 404 where there is no such post, 422 where the text cannot be one.
pub(crate) async fn data_activities_reply(
    State(state): State<AppState>,
    Path(uuid): Path<String>,
    reply: Result<Json<NewReply>, JsonRejection>,
) -> Result<Json<Activity>, ApiError> {
    let Json(reply) = reply?;
    let message = checked_message(&reply.message)?;
    match create_reply(&state.database, &uuid, message).await? {
        Some(reply) => Ok(Json(reply)),
        None => Err(ApiError::NotFound { kind: "activity", key: uuid }),
    }
}

#[xray_capture("create-reply")]
#[rollbar_report]
async fn create_reply(database: &Database, uuid: &str, message: &str) -> Result<Option<Activity>, ApiError> {
    let new = NewActivity {
        handle: VIEWER,
        message,
        created_at: Utc::now().to_rfc3339(),
        expires_at: None,
        reply_to: Some(uuid),
    };
    Ok(database.insert(new).await?)
}
