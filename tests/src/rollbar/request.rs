//! `baggage`, `ip_extract`, `ip_filter`: what the headers of a request tell of its session and its client.

use rollbar_runtime::__conformance::{baggage_attributes, client_text, filter_ip};
use rollbar_runtime::IpPolicy;
use serde_json::{Value, json};

use super::{check, header};
use crate::family::Outcome;
use crate::input::{optional, required};

pub(crate) fn run_baggage(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let attributes = baggage_attributes(header(input, "baggage").unwrap_or_default());
        Ok(attributes.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect())
    })
}

pub(crate) fn run_ip_extract(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let headers = input.get("headers").ok_or("no `headers`")?;
        Ok(client_text(|name| header(headers, name), optional(input, "remote_addr")?).into())
    })
}

pub(crate) fn run_ip_filter(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let policy = match required(input, "mode")? {
            "full" => IpPolicy::Full,
            "anonymize" => IpPolicy::Anonymize,
            "off" => IpPolicy::Off,
            other => return Err(format!("`{other}` is no mode")),
        };
        let left = optional(input, "ip")?.and_then(|ip| filter_ip(policy, ip));
        Ok(left.map(|address| address.to_string()).into())
    })
}
