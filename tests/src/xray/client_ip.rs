//! `client_ip`: who called, from X-Forwarded-For and the peer's address.

use serde_json::{Value, json};
use xray_runtime::ClientIp;

use super::{check, optional};
use crate::family::Outcome;

pub(crate) fn run(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let hops = input.get("trusted_hops").and_then(Value::as_u64).map(|hops| hops as usize);
        let peer = optional(input, "remote_addr")?.unwrap_or_default();
        let found = ClientIp::find(optional(input, "x_forwarded_for")?, peer, hops);
        let address = Some(found.address()).filter(|address| !address.is_empty());
        Ok(json!({ "client_ip": address, "x_forwarded_for": found.x_forwarded_for() }))
    })
}
