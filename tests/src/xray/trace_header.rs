//! `trace_header_parse`, `trace_header_format`, `response_header`, `trace_id_valid`.

use serde_json::{Value, json};
use xray_runtime::{Sampled, TraceHeader, TraceId, response_header};

use super::{check, optional, required, text};
use crate::family::Outcome;

const SAMPLED: [(&str, Sampled); 4] = [
    ("sampled", Sampled::Sampled),
    ("not_sampled", Sampled::NotSampled),
    ("requested", Sampled::Requested),
    ("unknown", Sampled::Unknown),
];

pub(crate) fn run_parse(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let header = TraceHeader::parse(text(input)?);
        let sampled = SAMPLED.iter().find(|(_, sampled)| *sampled == header.sampled()).map(|(name, _)| name);
        Ok(json!({
            "root": header.root(),
            "parent": header.parent(),
            "sampled": sampled,
            "data": header.data().collect::<Vec<_>>(),
            "root_valid": header.trace_id().is_some(),
            "parent_valid": header.parent_id().is_some(),
            "formatted": header.to_string(),
        }))
    })
}

pub(crate) fn run_format(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let name = required(input, "sampled")?;
        let (_, sampled) =
            SAMPLED.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("unknown {name}"))?;
        let mut header = TraceHeader::default()
            .with_root(optional(input, "root")?.unwrap_or_default())
            .with_parent(optional(input, "parent")?.unwrap_or_default())
            .with_sampled(*sampled);
        for pair in input.get("data").and_then(Value::as_array).ok_or("no `data`")? {
            let (Some(key), Some(value)) = (pair[0].as_str(), pair[1].as_str()) else {
                return Err(format!("not a pair of texts: {pair}"));
            };
            header = header.with_data(key, value);
        }
        Ok(header.to_string().into())
    })
}

pub(crate) fn run_response(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let trace_id =
            TraceId::parse(required(input, "segment_trace_id")?).map_err(|error| error.to_string())?;
        let incoming = optional(input, "incoming")?.map(TraceHeader::parse);
        let sampled = input.get("segment_sampled").and_then(Value::as_bool).ok_or("no `segment_sampled`")?;
        Ok(response_header(trace_id, incoming.as_ref(), sampled).into())
    })
}

pub(crate) fn run_trace_id(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| Ok(TraceId::parse(text(input)?).is_ok().into()))
}
