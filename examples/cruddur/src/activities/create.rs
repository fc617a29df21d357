//! `POST /api/activities`: writes a post.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use chrono::{TimeDelta, Utc};
use rollbar_runtime::rollbar_report;
use serde::Deserialize;
use xray_runtime::xray_capture;

use crate::activities::{VIEWER, checked_message};
use crate::app::AppState;
use crate::database::{Activity, Database, NewActivity};
use crate::error::ApiError;

/// The body: `{"message": "...", "ttl": "7-days"}`.
#[derive(Debug, Deserialize)]
pub(crate) struct NewPost {
    message: String,
    #[serde(default)]
    ttl: TimeToLive,
}

/// How long a post stays: one of the original's seven choices.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
enum TimeToLive {
    #[serde(rename = "30-days")]
    ThirtyDays,
    #[default]
    #[serde(rename = "7-days")]
    SevenDays,
    #[serde(rename = "3-days")]
    ThreeDays,
    #[serde(rename = "1-day")]
    OneDay,
    #[serde(rename = "12-hours")]
    TwelveHours,
    #[serde(rename = "3-hours")]
    ThreeHours,
    #[serde(rename = "1-hour")]
    OneHour,
}

impl TimeToLive {
    fn duration(self) -> TimeDelta {
        match self {
            Self::ThirtyDays => TimeDelta::days(30),
            Self::SevenDays => TimeDelta::days(7),
            Self::ThreeDays => TimeDelta::days(3),
            Self::OneDay => TimeDelta::days(1),
            Self::TwelveHours => TimeDelta::hours(12),
            Self::ThreeHours => TimeDelta::hours(3),
            Self::OneHour => TimeDelta::hours(1),
        }
    }
}

/// The post as stored; 422 where its text is blank or longer than 280 characters.
pub(crate) async fn data_activities(
    State(state): State<AppState>,
    post: Result<Json<NewPost>, JsonRejection>,
) -> Result<Json<Activity>, ApiError> {
    let Json(post) = post?;
    let message = checked_message(&post.message)?;
    Ok(Json(create_activity(&state.database, message, post.ttl).await?))
}

#[xray_capture("create-activity")]
#[rollbar_report]
async fn create_activity(database: &Database, message: &str, ttl: TimeToLive) -> Result<Activity, ApiError> {
    let now = Utc::now();
    let new = NewActivity {
        handle: VIEWER,
        message,
        created_at: now.to_rfc3339(),
        expires_at: Some((now + ttl.duration()).to_rfc3339()),
        reply_to: None,
    };
    let stored = database.insert(new).await?;
    stored.ok_or_else(|| ApiError::NotFound { kind: "user", key: VIEWER.to_owned() })
}
