//! The route by which a test injects faults into the double: `POST` adds one (a JSON object) or several (an array),
//! `DELETE` forgets them, `GET` tells what was counted. For programs of this machine only.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use xray_console::rollbar::Fault;

use super::body;
use super::origin::sign_of_a_browser;
use super::rollbar::Rollbar;
use super::routes::{error, json_answer};
use super::wire::Wire;

/// Where.
pub(crate) const PATH: &str = "/debug/rollbar/faults";

/// The most bytes of a call's body.
const MOST: usize = 1 << 20;

pub(crate) async fn answer(State(rollbar): State<Arc<Rollbar>>, request: Request) -> Response {
    let local =
        request.extensions().get::<Wire>().is_some_and(|wire| wire.peer().ip().to_canonical().is_loopback());
    if !local || sign_of_a_browser(request.headers()).is_some() {
        return error(StatusCode::FORBIDDEN, "faults are injected by programs of this machine only");
    }
    let double = rollbar.double();
    match *request.method() {
        Method::POST => {
            let faults = match body::read(request.into_body(), MOST).await {
                Ok(body) if body.len() > MOST => {
                    return error(StatusCode::PAYLOAD_TOO_LARGE, "more than 1 MiB of faults");
                }
                Ok(body) => faults(&body),
                Err(_) => return error(StatusCode::REQUEST_TIMEOUT, "the body did not come"),
            };
            match faults {
                Ok(faults) => {
                    let count = faults.len();
                    faults.into_iter().for_each(|fault| double.inject(fault));
                    json_answer(StatusCode::OK, &json!({ "injected": count }))
                }
                Err(why) => {
                    error(StatusCode::BAD_REQUEST, &format!("no fault, and no array of faults: {why}"))
                }
            }
        }
        Method::DELETE => json_answer(StatusCode::OK, &json!({ "cleared": double.clear_faults() })),
        Method::GET => {
            let stats = double.stats();
            let told = json!({
                "faults": stats.faults, "occurrences": stats.occurrences,
                "duplicates": stats.duplicates, "refused": stats.refused, "warned": stats.warned,
                "deploys": stats.deploys,
            });
            json_answer(StatusCode::OK, &told)
        }
        _ => error(StatusCode::METHOD_NOT_ALLOWED, "POST injects faults, DELETE forgets them, GET counts"),
    }
}

fn faults(body: &[u8]) -> Result<Vec<Fault>, serde_json::Error> {
    match serde_json::from_slice(body)? {
        Value::Array(faults) => faults.into_iter().map(serde_json::from_value).collect(),
        fault => Ok(vec![serde_json::from_value(fault)?]),
    }
}
