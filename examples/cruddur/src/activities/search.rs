//! `GET /api/activities/search?term=`: posts by their text.

use axum::Json;
use axum::extract::{Query, State};
use rollbar_runtime::rollbar_report;
use serde::Deserialize;
use xray_runtime::xray_capture;

use crate::app::AppState;
use crate::database::{Activity, Database};
use crate::error::ApiError;

/// The query string.
#[derive(Debug, Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    term: String,
}

/// The newest posts and replies that hold the term; 422 where it is missing or blank.
pub(crate) async fn data_search(
    State(state): State<AppState>,
    Query(search): Query<Search>,
) -> Result<Json<Vec<Activity>>, ApiError> {
    let term = search.term.trim();
    if term.is_empty() {
        return Err(ApiError::Invalid("search_term_blank"));
    }
    Ok(Json(search_activities(&state.database, term).await?))
}

#[xray_capture("search-activities", metadata(term = term))]
#[rollbar_report]
async fn search_activities(database: &Database, term: &str) -> Result<Vec<Activity>, ApiError> {
    Ok(database.search(term).await?)
}
