//! `GET /api/activities/notifications`: what happened to the viewer; the trace that the original app is known for.

use axum::Json;
use axum::extract::State;
use chrono::{SecondsFormat, Utc};
use rollbar_runtime::rollbar_report;
use serde_json::json;
use xray_runtime::xray_capture;

use crate::activities::VIEWER;
use crate::app::AppState;
use crate::database::{Activity, Database};
use crate::error::ApiError;

/// The newest posts that mention the viewer.
pub(crate) async fn data_notifications(
    State(state): State<AppState>,
) -> Result<Json<Vec<Activity>>, ApiError> {
    Ok(Json(notifications_activities(&state.database).await?))
}

#[xray_capture("notifications-activities")]
#[rollbar_report]
async fn notifications_activities(database: &Database) -> Result<Vec<Activity>, ApiError> {
    let now = Utc::now();
    let results = database.notifications(VIEWER).await?;

    let mock_data = xray_runtime::begin_subsegment("mock_data");
    let seen =
        json!({ "now": now.to_rfc3339_opts(SecondsFormat::Micros, false), "results-size": results.len() });
    mock_data.put_metadata_in("namespace", "key", seen);
    mock_data.end();
    Ok(results)
}
