//! `/api/broken`, `/api/busy` and `/rollbar/test`: a fault, a throttled call and a message, to see how they look in a trace
//! and at Rollbar.

use axum::Json;
use axum::extract::State;
use rollbar_runtime::{Level, report_message, rollbar_report};
use xray_runtime::xray_capture;

use crate::app::AppState;
use crate::database::{Activity, Database};
use crate::error::ApiError;

/// Always 500: it reads a table that does not exist.
pub(crate) async fn data_broken(State(state): State<AppState>) -> Result<Json<Vec<Activity>>, ApiError> {
    Ok(Json(bookmarked_activities(&state.database).await?))
}

#[xray_capture("bookmarked-activities")]
#[rollbar_report]
async fn bookmarked_activities(database: &Database) -> Result<Vec<Activity>, ApiError> {
    Ok(database.bookmarks().await?)
}

/// Always 429, as a service does that is asked too often.
pub(crate) async fn data_busy() -> Result<(), ApiError> {
    take_turn()
}

#[xray_capture("take-turn", error = "throttle")]
#[rollbar_report(level = "warning")]
fn take_turn() -> Result<(), ApiError> {
    Err(ApiError::Busy { retry_after_seconds: 1 })
}

/// Reports a message, as the original's route does.
pub(crate) async fn rollbar_test() -> &'static str {
    report_message("Hello World!", Level::Warning);
    "Hello World!"
}
