//! `/api/twins`: routes that do what routes of the original app do, so that the documents of both can be compared
//! with each other. Each is named after its twin.
//!
//! | route | the original's | shows |
//! |---|---|---|
//! | `/status/{code}` | `/status/<code>` | a status that the handler chose |
//! | `/boom` | `/boom` | an error of the handler itself |
//! | `/boom-captured` | `/boom-captured` | an error of a captured function |
//! | `/boom-chain` | `/boom-chain` | an error that crosses two captured functions |
//! | `/boom-reraise` | `/boom-reraise` | an error of a captured function, wrapped in another |
//! | `/caught` | `/caught` | an error of a captured function that the handler copes with |
//! | `/downstream` | `/downstream` | a call to another service |
//! | `/downstream/{code}` | `/downstream/<code>` | a call that is answered with this status |
//! | `/downstream-refused` | `/downstream-refused` | a call that nobody answers |
//! | `/sqlite` | `/sqlite` | three queries |
//! | `/sqlite-error` | `/sqlite-error` | a query that the database refuses |
//!
//! `/api/activities/home` and `/api/activities/notifications` are twins by themselves, with whatever headers they are sent.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use rollbar_runtime::rollbar_report;
use serde_json::{Value, json};
use xray_runtime::xray_capture;

use crate::app::AppState;
use crate::database;
use crate::error::ApiError;

/// Nothing listens on the discard port of any machine that this app meets.
const REFUSED: &str = "http://127.0.0.1:9/none";

/// The routes, to be nested at `/api/twins`.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/status/{code}", get(status).post(status))
        .route("/boom", get(boom))
        .route("/boom-captured", get(boom_captured))
        .route("/boom-chain", get(boom_chain))
        .route("/boom-reraise", get(boom_reraise))
        .route("/caught", get(caught))
        .route("/downstream", get(downstream))
        .route("/downstream/{code}", get(downstream_code))
        .route("/downstream-refused", get(downstream_refused))
        .route("/sqlite", get(sqlite))
        .route("/sqlite-error", get(sqlite_error))
}

async fn status(Path(code): Path<u16>) -> Result<StatusCode, ApiError> {
    StatusCode::from_u16(code).map_err(|_| ApiError::Invalid("status_out_of_range"))
}

#[rollbar_report]
async fn boom() -> Result<(), ApiError> {
    Err(ApiError::Boom)
}

async fn boom_captured() -> Result<(), ApiError> {
    inner()
}

async fn boom_chain() -> Result<(), ApiError> {
    outer()
}

async fn boom_reraise() -> Result<(), ApiError> {
    inner().map_err(|error| ApiError::Wrapped(Box::new(error)))
}

async fn caught() -> &'static str {
    match inner() {
        Ok(()) => "fine",
        Err(_) => "recovered",
    }
}

#[xray_capture("inner-fails")]
#[rollbar_report]
fn inner() -> Result<(), ApiError> {
    "missing".parse::<u32>().map(drop).map_err(ApiError::Value)
}

#[xray_capture("outer")]
#[rollbar_report]
fn outer() -> Result<(), ApiError> {
    inner()
}

#[rollbar_report]
async fn downstream(State(state): State<AppState>) -> Result<Json<Value>, ApiError> {
    let answer = state.downstream.get("/echo?q=secret").await.map_err(ApiError::Recommendations)?;
    Ok(Json(answer.json().await.map_err(|error| ApiError::Recommendations(error.into()))?))
}

#[rollbar_report]
async fn downstream_code(
    State(state): State<AppState>,
    Path(code): Path<u16>,
) -> Result<Json<Value>, ApiError> {
    let answer = state.downstream.get(&format!("/status/{code}")).await.map_err(ApiError::Recommendations)?;
    Ok(Json(json!({ "got": answer.status().as_u16() })))
}

/// The handler copes with the refused call, as the original does: its own segment gets a status and no cause.
async fn downstream_refused(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    match state.downstream.get_url(REFUSED).await {
        Ok(answer) => (StatusCode::OK, Json(json!({ "got": answer.status().as_u16() }))),
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({ "err": error.to_string() }))),
    }
}

#[rollbar_report]
async fn sqlite() -> Result<Json<Vec<[String; 1]>>, ApiError> {
    let mut connection = database::scratch().await?;
    sqlx::query("create table t (a text)").execute(&mut connection).await?;
    sqlx::query("insert into t values ('secret')").execute(&mut connection).await?;
    let rows: Vec<(String,)> = sqlx::query_as("select a from t").fetch_all(&mut connection).await?;
    Ok(Json(rows.into_iter().map(|(a,)| [a]).collect()))
}

#[rollbar_report]
async fn sqlite_error() -> Result<(), ApiError> {
    let mut connection = database::scratch().await?;
    sqlx::query("select * from nope").execute(&mut connection).await?;
    Ok(())
}
