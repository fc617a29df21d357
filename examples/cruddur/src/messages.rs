//! `/api/message_groups` and `/api/messages/@{handle}`: the viewer's conversations.

use axum::Json;
use axum::extract::{Path, State};
use rollbar_runtime::rollbar_report;
use xray_runtime::xray_capture;

use crate::activities::VIEWER;
use crate::app::AppState;
use crate::database::{Database, Message, MessageGroup};
use crate::error::ApiError;

/// The conversations, the most recent first.
pub(crate) async fn data_message_groups(
    State(state): State<AppState>,
) -> Result<Json<Vec<MessageGroup>>, ApiError> {
    Ok(Json(message_groups(&state.database).await?))
}

#[xray_capture("message-groups")]
#[rollbar_report]
async fn message_groups(database: &Database) -> Result<Vec<MessageGroup>, ApiError> {
    Ok(database.message_groups(VIEWER).await?)
}

/// One conversation, the oldest message first; 404 where there is no such user.
pub(crate) async fn data_messages(
    State(state): State<AppState>,
    Path(handle): Path<String>,
) -> Result<Json<Vec<Message>>, ApiError> {
    match messages(&state.database, &handle).await? {
        Some(messages) => Ok(Json(messages)),
        None => Err(ApiError::NotFound { kind: "user", key: handle }),
    }
}

#[xray_capture("messages", annotations(handle = handle))]
#[rollbar_report]
async fn messages(database: &Database, handle: &str) -> Result<Option<Vec<Message>>, ApiError> {
    Ok(database.messages(VIEWER, handle).await?)
}
