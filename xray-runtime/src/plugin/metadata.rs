//! The client of metadata endpoints: near, fast, and never trusted to answer.

use std::time::Duration;

use ureq::config::ConfigBuilder;
use ureq::http::{Request, Response};
use ureq::typestate::AgentScope;
use ureq::{Agent, Body};

use super::{MAX_BYTES, PluginError};

/// For a connection, and for each half of an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks one kind of endpoint.
#[derive(Debug)]
pub(super) struct Client(Agent);

impl Client {
    pub(super) fn new() -> Self {
        Self(config().build().new_agent())
    }

    /// For an endpoint with a certificate.
    #[cfg(feature = "eks")]
    pub(super) fn with(tls: ureq::tls::TlsConfig) -> Self {
        Self(config().tls_config(tls).build().new_agent())
    }

    pub(super) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Vec<u8>, PluginError> {
        self.call("GET", url, headers)
    }

    /// The body of a successful answer.
    pub(super) fn call(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Vec<u8>, PluginError> {
        let failed = |reason: String| PluginError::Call { url: url.to_owned(), reason };
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).map_err(|error| failed(error.to_string()))?;
        let mut response: Response<Body> = self.0.run(request).map_err(|error| failed(error.to_string()))?;
        let status = response.status();
        if !status.is_success() {
            return Err(PluginError::Status { url: url.to_owned(), status: status.as_u16() });
        }
        let body = response.body_mut().with_config().limit(MAX_BYTES).read_to_vec();
        body.map_err(|error| failed(error.to_string()))
    }
}

fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        // The endpoint is near: the proxies of the environment lead out.
        .proxy(None)
        // One that leads elsewhere must not be given the token.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        // Not the one timeout over all: for that one the library starts a thread at each call.
        .timeout_connect(Some(PATIENCE))
        .timeout_send_request(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_recv_body(Some(PATIENCE))
        .user_agent(concat!("xray-runtime/", env!("CARGO_PKG_VERSION")))
}
