//! What can be compared of an exchange: the JSON type at each path, and the values that do not depend on the
//! program, its language or the moment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::twin::Exchange;

/// The facts of an exchange.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// (path, JSON type); the elements of an array share the path `array[]`.
    types: BTreeSet<(String, String)>,
    /// Path with places, such as `subsegments[0].name`, to value; ids stand for what they are the id of.
    values: BTreeMap<String, String>,
}

/// The ends of paths whose values are not compared; their types are. A path here has no places in arrays.
#[derive(Debug)]
pub(crate) struct LeftOut(pub(crate) Vec<String>);

/// Who shows something that the other does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Golden,
    Ours,
}

/// Something that one of two exchanges shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    pub(crate) path: String,
    pub(crate) side: Side,
    /// A JSON type, or `= ` and a value.
    pub(crate) what: String,
}

/// What one shows and the other does not. Values are compared where both have the path: that only one has it is
/// told by the types.
pub(crate) fn differences(golden: &Facts, ours: &Facts) -> BTreeSet<Difference> {
    let only = |side: Side, of: &Facts, other: &Facts| {
        let types = of.types.difference(&other.types).cloned();
        let values = of
            .values
            .iter()
            .filter(|(path, value)| other.values.get(*path).is_some_and(|other| other != *value));
        let values = values.map(|(path, value)| (path.clone(), format!("= {value}")));
        types.chain(values).map(|(path, what)| Difference { path, side, what }).collect::<Vec<_>>()
    };
    let mut found = only(Side::Golden, golden, ours);
    found.extend(only(Side::Ours, ours, golden));
    found.into_iter().collect()
}

/// The facts of an exchange that a request with this trace header began.
pub(crate) fn of(exchange: &Exchange, caller: Option<&str>, left_out: &LeftOut) -> Facts {
    let ids = Ids::of(exchange, caller);
    let mut facts = Facts::default();
    let header = |header: &Option<String>| header.as_ref().map_or(Value::Null, |h| ids.header(h).into());
    facts.value("response.status", &exchange.status.into());
    facts.value("response.X-Amzn-Trace-Id", &header(&exchange.trace_header));
    facts.value("downstream.X-Amzn-Trace-Id", &header(&exchange.arrived));
    facts.value("documents", &exchange.packets.len().into());
    for (index, packet) in exchange.packets.iter().enumerate() {
        facts.value(&format!("packets[{index}]"), &packet.header);
        let prefix = if index == 0 { String::new() } else { format!("documents[{index}]") };
        facts.add(&prefix, &packet.document, &ids, left_out);
    }
    facts
}

impl Facts {
    fn value(&mut self, path: &str, value: &Value) {
        self.values.insert(path.to_owned(), value.to_string());
    }

    /// Whether an exchange has something that this entry of [`LeftOut`] is about.
    pub(crate) fn has(&self, end: &str) -> bool {
        self.types.iter().any(|(path, _)| ends_with(path, end))
    }

    fn add(&mut self, path: &str, value: &Value, ids: &Ids, left_out: &LeftOut) {
        let folded = folded(path);
        if !path.is_empty() {
            self.types.insert((folded.clone(), json_type(value).to_owned()));
        }
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.add(&path, value, ids, left_out);
                }
            }
            Value::Array(elements) => {
                let length = match elements.len() {
                    // Stacks are as deep as the program is.
                    1.. if ends_with(&folded, "stack") => "frames".to_owned(),
                    length => format!("length {length}"),
                };
                self.values.insert(path.to_owned(), length);
                for (index, value) in elements.iter().enumerate() {
                    self.add(&format!("{path}[{index}]"), value, ids, left_out);
                }
            }
            _ if left_out.0.iter().any(|end| ends_with(&folded, end)) => {}
            Value::String(text) => self.value(path, &ids.symbol(text).into()),
            _ => self.value(path, value),
        }
    }
}

/// Whether the path ends with these keys.
fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The path without the places in its arrays.
fn folded(path: &str) -> String {
    let mut folded = String::new();
    for (index, part) in path.split('[').enumerate() {
        match part.split_once(']') {
            Some((_, rest)) if index > 0 => folded.extend(["[]", rest]),
            _ => folded.push_str(part),
        }
    }
    folded
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What each id of an exchange is the id of, so that ids that differ by chance can be compared.
#[derive(Debug, Default)]
struct Ids(BTreeMap<String, String>);

impl Ids {
    fn of(exchange: &Exchange, caller: Option<&str>) -> Self {
        let mut ids = Self::default();
        for (key, value) in caller.into_iter().flat_map(fields) {
            match key.trim().to_ascii_lowercase().as_str() {
                "root" => ids.name(value, "<the caller's root>"),
                "parent" => ids.name(value, "<the caller's parent>"),
                _ => {}
            }
        }
        for packet in &exchange.packets {
            ids.name_trace(packet.document["trace_id"].as_str());
            ids.name_entities("segment", &packet.document);
        }
        let header = exchange.trace_header.as_deref().into_iter().flat_map(fields);
        ids.name_trace(header.filter(|(key, _)| *key == "Root").map(|(_, root)| root).next());
        ids
    }

    fn name(&mut self, id: &str, symbol: &str) {
        self.0.entry(id.to_owned()).or_insert_with(|| symbol.to_owned());
    }

    /// A valid trace id that is not the caller's is a new one; the SDK's all-zero one stays as it is.
    fn name_trace(&mut self, id: Option<&str>) {
        let Some(id) = id else { return };
        let parts: Vec<_> = id.split('-').collect();
        let valid = matches!(parts[..], ["1", time, random] if is_hex(time, 8) && is_hex(random, 24));
        if valid && id.contains(|c| !matches!(c, '0' | '1' | '-')) {
            self.name(id, "<new root>");
        }
    }

    /// Ids that are not valid get no name, and so differ.
    fn name_entities(&mut self, path: &str, entity: &Value) {
        let id = |of: &Value| of["id"].as_str().filter(|id| is_hex(id, 16)).map(str::to_owned);
        if let Some(id) = id(entity) {
            self.name(&id, &format!("<{path}>"));
        }
        let exceptions = entity["cause"]["exceptions"].as_array().into_iter().flatten();
        for (index, exception) in exceptions.enumerate() {
            if let Some(id) = id(exception) {
                self.name(&id, &format!("<exception {index} of {path}>"));
            }
        }
        for (index, subsegment) in entity["subsegments"].as_array().into_iter().flatten().enumerate() {
            self.name_entities(&format!("{path}/{index}"), subsegment);
        }
    }

    fn symbol<'a>(&'a self, text: &'a str) -> &'a str {
        self.0.get(text).map_or(text, String::as_str)
    }

    fn header(&self, header: &str) -> String {
        let fields = header.split(';').map(|field| match field.split_once('=') {
            Some((key, value)) => format!("{key}={}", self.symbol(value)),
            None => field.to_owned(),
        });
        fields.collect::<Vec<_>>().join(";")
    }
}

fn fields(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(';').filter_map(|field| field.split_once('='))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::twin::Packet;

    fn exchange(document: Value) -> Exchange {
        let packets = vec![Packet { header: json!({ "format": "json" }), document }];
        Exchange { status: 200, trace_header: None, arrived: None, packets }
    }

    /// What only ours shows once the document was changed.
    fn told(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let golden = json!({
            "id": "00000000000000aa",
            "trace_id": "1-5759e988-bd862e3fe1be46a994272793",
            "parent_id": "53995c3f42cd8ad8",
            "end_time": 1.5,
            "subsegments": [{ "name": "a", "cause": { "exceptions": [{
                "id": "00000000000000bb",
                "stack": [{ "line": 1 }],
            }] } }],
            "cause": "00000000000000bb",
        });
        let mut ours = golden.clone();
        change(&mut ours);
        let caller = Some("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8");
        let left_out = LeftOut(vec!["end_time".into(), "stack[].line".into()]);
        let facts = |document| of(&exchange(document), caller, &left_out);
        let found = differences(&facts(golden), &facts(ours));
        found.into_iter().map(|d| format!("{:?} {}: {}", d.side, d.path, d.what)).collect()
    }

    #[test]
    fn the_moment_the_ids_and_the_depth_of_a_stack_may_differ() {
        let same = told(|ours| {
            ours["id"] = json!("00000000000000cc");
            ours["end_time"] = json!(2.5);
            ours["cause"] = json!("00000000000000dd");
            let exception = &mut ours["subsegments"][0]["cause"]["exceptions"][0];
            *exception = json!({ "id": "00000000000000dd", "stack": [{ "line": 7 }, { "line": 8 }] });
        });
        assert_eq!(same, Vec::<String>::new());
    }

    #[test]
    fn a_type_and_a_value_are_told() {
        assert_eq!(
            told(|ours| ours["end_time"] = json!(2)),
            ["Golden end_time: number", "Ours end_time: integer"]
        );
        assert_eq!(told(|ours| ours["fault"] = json!(true)), ["Ours fault: boolean"]);
        assert_eq!(
            told(|ours| ours["subsegments"][0]["name"] = json!("b")),
            ["Golden subsegments[0].name: = \"a\"", "Ours subsegments[0].name: = \"b\""]
        );
    }

    #[test]
    fn an_id_that_stands_for_something_else_is_told() {
        assert_eq!(
            told(|ours| ours["cause"] = json!("00000000000000ff")),
            ["Golden cause: = \"<exception 0 of segment/0>\"", "Ours cause: = \"00000000000000ff\""]
        );
        assert_eq!(
            told(|ours| ours["trace_id"] = json!("1-5759e988-000000000000000000000001")),
            ["Golden trace_id: = \"<the caller's root>\"", "Ours trace_id: = \"<new root>\""]
        );
        assert_eq!(
            told(|ours| ours["id"] = json!("AA")),
            ["Golden id: = \"<segment>\"", "Ours id: = \"AA\""]
        );
    }

    #[test]
    fn a_subsegment_too_many_and_a_stack_without_frames_are_told() {
        let found = told(|ours| {
            let again = ours["subsegments"][0].clone();
            ours["subsegments"].as_array_mut().unwrap().push(again);
        });
        assert_eq!(found, ["Golden subsegments: = length 1", "Ours subsegments: = length 2"]);
        let found = told(|ours| ours["subsegments"][0]["cause"]["exceptions"][0]["stack"] = json!([]));
        assert!(found.contains(&"Ours subsegments[0].cause.exceptions[0].stack: = length 0".to_owned()));
    }
}
