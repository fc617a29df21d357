//! What can go wrong in a request, and the response that each makes.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use xray_runtime::ErrorClass;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The database refused a query.
    #[error("the database refused a query")]
    Database(#[from] sqlx::Error),
    /// The recommendations service did not answer, or answered with an error.
    #[error("the recommendations service did not answer")]
    Recommendations(#[source] reqwest_middleware::Error),
    /// Nothing has this handle or uuid.
    #[error("there is no {kind} `{key}`")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// By which handle or uuid.
        key: String,
    },
    /// A field of the request cannot be accepted.
    #[error("{0}")]
    Invalid(&'static str),
    /// The body is not the JSON that the route reads.
    #[error("the body is not what this route reads")]
    Body(#[from] JsonRejection),
    /// The caller asks too often.
    #[error("too many requests, come back in {retry_after_seconds} s")]
    Busy {
        /// When to come back.
        retry_after_seconds: u32,
    },
    /// A value of the app itself is broken; the original raises `ValueError('bad "quoted" value')` from a `KeyError`.
    #[error("bad \"quoted\" value")]
    Value(#[source] std::num::ParseIntError),
    /// A handler gave up; the original raises `RuntimeError('boom at top')`.
    #[error("boom at top")]
    Boom,
    /// An error that was met on the way, told again; the original raises `RuntimeError('wrapped')` from it.
    #[error("wrapped")]
    Wrapped(#[source] Box<ApiError>),
}

impl ApiError {
    /// The status of the response.
    fn status(&self) -> StatusCode {
        match self {
            Self::Database(_) | Self::Value(_) | Self::Boom | Self::Wrapped(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Recommendations(_) => StatusCode::BAD_GATEWAY,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Body(rejection) => rejection.status(),
            Self::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// How the trace counts it: the caller's mistakes are errors, ours are faults.
    fn class(&self) -> ErrorClass {
        match self.status() {
            StatusCode::TOO_MANY_REQUESTS => ErrorClass::Throttle,
            status if status.is_client_error() => ErrorClass::Error,
            _ => ErrorClass::Fault,
        }
    }

    /// What the caller is told: of their own mistakes everything, of ours nothing that the trace does not know better.
    fn told(&self) -> String {
        match self {
            Self::Body(rejection) => rejection.body_text(),
            _ if self.status().is_server_error() => "something broke here; the trace knows what".to_owned(),
            _ => self.to_string(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        // An error that a captured function has recorded already becomes a reference to it.
        xray_runtime::current().record_error_as(&self, self.class());
        let body = Json(json!({ "error": self.told() }));
        let mut response = (self.status(), body).into_response();
        if let Self::Busy { retry_after_seconds } = self {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after_seconds.into());
        }
        response
    }
}
