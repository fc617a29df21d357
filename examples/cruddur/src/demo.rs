//! `--demo`: the app sends itself a steady mix of requests, so that there are traces to look at.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::traffic::MIX;

/// The time between two requests.
const PACE: Duration = Duration::from_millis(500);

/// Sends the mix to the app at `backend`, over and over, two requests a second; never returns.
///
/// # Errors
/// Where the HTTP client cannot be made. A request that fails is seen in its trace, and the next one is sent.
pub async fn run(backend: SocketAddr) -> Result<std::convert::Infallible, reqwest::Error> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .user_agent("cruddur-demo")
        .timeout(Duration::from_secs(5))
        .build()?;
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        for call in MIX {
            pace.tick().await;
            let _ = call.send(&client, backend).await;
        }
    }
}
