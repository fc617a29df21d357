//! The client of the second service: every call is a remote subsegment and carries the trace header.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Url;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error};
use xray_runtime::XRayMiddleware;

use crate::database::Recommendation;

/// Calls the service that listens at one address; a clone shares its connections.
#[derive(Debug, Clone)]
pub(crate) struct Downstream {
    client: ClientWithMiddleware,
    base: String,
}

impl Downstream {
    /// A client of the service at `address`. Calls give up after 5 seconds.
    pub(crate) fn new(address: SocketAddr) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(1))
            .timeout(Duration::from_secs(5))
            .build()?;
        Ok(Self {
            client: ClientBuilder::new(client).with(XRayMiddleware::new()).build(),
            base: format!("http://{address}"),
        })
    }

    /// Whom `handle` should follow.
    pub(crate) async fn recommendations(&self, handle: &str) -> Result<Vec<Recommendation>, Error> {
        let url = Url::parse_with_params(&format!("{}/recommendations", self.base), [("handle", handle)])
            .map_err(Error::middleware)?;
        let response = self.client.get(url).send().await?;
        Ok(response.error_for_status()?.json().await?)
    }

    /// Sends `GET path` to the service and returns its response, whatever the status.
    pub(crate) async fn get(&self, path: &str) -> Result<reqwest::Response, Error> {
        self.client.get(format!("{}{path}", self.base)).send().await
    }

    /// Sends `GET url` to another address with the same client.
    pub(crate) async fn get_url(&self, url: &str) -> Result<reqwest::Response, Error> {
        self.client.get(url).send().await
    }
}
