//! `daemon_address`: AWS_XRAY_DAEMON_ADDRESS as two endpoints.

use serde_json::{Value, json};
use xray_runtime::{DaemonAddress, Endpoint};

use super::{check, text};
use crate::family::Outcome;

pub(crate) fn run(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        Ok(match text(input)?.parse::<DaemonAddress>() {
            Ok(address) => json!({ "udp": endpoint(address.udp()), "tcp": endpoint(address.tcp()) }),
            Err(_) => json!({ "error": true }),
        })
    })
}

fn endpoint(endpoint: &Endpoint) -> Value {
    json!({ "host": endpoint.host(), "port": endpoint.port() })
}
