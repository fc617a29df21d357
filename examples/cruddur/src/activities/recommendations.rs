//! `GET /api/recommendations`: whom to follow, asked of the second service, so that a trace crosses two services.

use axum::Json;
use axum::extract::State;
use rollbar_runtime::rollbar_report;
use xray_runtime::xray_capture;

use crate::activities::VIEWER;
use crate::app::AppState;
use crate::database::Recommendation;
use crate::downstream::Downstream;
use crate::error::ApiError;

/// The users worth following; 502 where the recommendations service fails.
pub(crate) async fn data_recommendations(
    State(state): State<AppState>,
) -> Result<Json<Vec<Recommendation>>, ApiError> {
    Ok(Json(recommended_users(&state.downstream).await?))
}

#[xray_capture("recommended-users")]
#[rollbar_report]
async fn recommended_users(downstream: &Downstream) -> Result<Vec<Recommendation>, ApiError> {
    downstream.recommendations(VIEWER).await.map_err(ApiError::Recommendations)
}
