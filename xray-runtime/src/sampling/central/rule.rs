//! One rule of the X-Ray console: whom it is about, and what it says of them.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value;

use super::super::{SamplingRequest, matches};

/// The rule that matches what no other does.
const DEFAULT: &str = "Default";

/// A rule as `GetSamplingRules` tells it. Patterns are wildcards.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub(super) name: Arc<str>,
    pub(super) fixed_rate: f64,
    /// Requests that may be recorded each second, over all clients.
    pub(super) reservoir_size: u32,
    priority: i64,
    host: String,
    http_method: String,
    url_path: String,
    service_name: String,
    service_type: String,
}

impl Rule {
    /// The rule of the member `SamplingRule` of a record. None where we cannot tell whom it is about: another version, a resource or
    /// attributes (of which a request says nothing), or a member that is missing.
    pub(super) fn read(record: &Value) -> Option<Self> {
        let text = |key| record.get(key).and_then(Value::as_str);
        let number = |key| record.get(key).and_then(Value::as_f64);
        let no_attributes = match record.get("Attributes") {
            None | Some(Value::Null) => true,
            Some(attributes) => attributes.as_object().is_some_and(serde_json::Map::is_empty),
        };
        if number("Version") != Some(1.0) || text("ResourceARN") != Some("*") || !no_attributes {
            return None;
        }
        Some(Self {
            name: text("RuleName")?.into(),
            fixed_rate: number("FixedRate")?,
            // `as` saturates: less than nothing is nothing.
            reservoir_size: number("ReservoirSize").unwrap_or_default() as u32,
            priority: number("Priority")? as i64,
            host: text("Host")?.to_owned(),
            http_method: text("HTTPMethod")?.to_owned(),
            url_path: text("URLPath")?.to_owned(),
            service_name: text("ServiceName")?.to_owned(),
            service_type: text("ServiceType").filter(|text| !text.is_empty())?.to_owned(),
        })
    }

    fn is_default(&self) -> bool {
        &*self.name == DEFAULT
    }

    /// Which of two rules is asked first: the one with the lower priority, then by name; the default last, whatever its priority.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        (self.is_default(), self.priority, &self.name).cmp(&(other.is_default(), other.priority, &other.name))
    }

    pub(super) fn matches(&self, request: &SamplingRequest<'_>, strict: bool) -> bool {
        self.is_default()
            || [
                (&self.host, request.host),
                (&self.http_method, request.http_method),
                (&self.url_path, request.url_path),
                (&self.service_name, request.service_name),
                (&self.service_type, request.service_type),
            ]
            .into_iter()
            .all(|(pattern, value)| matches(pattern, value, strict))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record() -> Value {
        json!({
            "RuleName": "orders", "ResourceARN": "*", "Priority": 5, "FixedRate": 0.25, "ReservoirSize": 3, "Version": 1,
            "Host": "*.example.com", "HTTPMethod": "POST", "URLPath": "/orders/*", "ServiceName": "shop", "ServiceType": "AWS::*",
            "Attributes": {},
        })
    }

    fn with(key: &str, value: Value) -> Option<Rule> {
        let mut record = record();
        record[key] = value;
        Rule::read(&record)
    }

    #[test]
    fn what_a_record_must_have() {
        for key in [
            "RuleName",
            "ResourceARN",
            "Priority",
            "FixedRate",
            "Version",
            "Host",
            "HTTPMethod",
            "URLPath",
            "ServiceName",
            "ServiceType",
        ] {
            let mut record = record();
            record.as_object_mut().unwrap().remove(key);
            assert_eq!(Rule::read(&record), None, "without {key}");
            assert_eq!(with(key, Value::Null), None, "{key} null");
            assert_eq!(with(key, json!([])), None, "{key} of another kind");
        }
        assert_eq!(with("Version", json!(2)), None);
        assert_eq!(with("ResourceARN", json!("arn:aws:*")), None);
        assert_eq!(with("ServiceType", json!("")), None);
        assert_eq!(with("Attributes", json!({"tier": "gold"})), None);
        for nothing in [Value::Null, json!([]), json!("rule"), json!(1)] {
            assert_eq!(Rule::read(&nothing), None);
        }
    }

    #[test]
    fn what_a_record_may_lack() {
        assert!(with("Attributes", Value::Null).is_some());
        assert_eq!(with("ReservoirSize", Value::Null).unwrap().reservoir_size, 0);
        assert_eq!(with("ReservoirSize", json!(-1)).unwrap().reservoir_size, 0);
        assert_eq!(with("ReservoirSize", json!(1e12)).unwrap().reservoir_size, u32::MAX);
        assert!(with("Host", json!("")).is_some(), "the pattern of an empty text");
        assert!(with("Unheard", json!(1)).is_some());
    }

    #[test]
    fn by_priority_then_name_and_the_default_last() {
        let rule = |name: &str, priority: i64| {
            let mut record = record();
            record["RuleName"] = name.into();
            record["Priority"] = priority.into();
            Rule::read(&record).unwrap()
        };
        let mut rules =
            [rule("Default", 1), rule("b", 2), rule("z", 1), rule("a", 2), rule("default", 9_999)];
        rules.sort_by(Rule::order);
        assert_eq!(rules.each_ref().map(|rule| &*rule.name), ["z", "a", "b", "default", "Default"]);
    }

    #[test]
    fn all_five_patterns_must_match() {
        let rule = Rule::read(&record()).unwrap();
        let request = SamplingRequest::new()
            .with_host("eu.EXAMPLE.com")
            .with_http_method("post")
            .with_url_path("/orders/7")
            .with_service_name("shop")
            .with_service_type("AWS::ECS::Container");
        assert!(rule.matches(&request, true));
        for other in [
            request.with_host("example.org"),
            request.with_http_method("GET"),
            request.with_url_path("/order"),
            request.with_service_name("shops"),
            request.with_service_type("AWS"),
        ] {
            assert!(!rule.matches(&other, false), "{other:?}");
        }
    }

    #[test]
    fn what_a_request_lacks_matches_unless_strictly() {
        let rule = Rule::read(&record()).unwrap();
        assert!(rule.matches(&SamplingRequest::new(), false));
        assert!(rule.matches(&SamplingRequest::new().with_host(""), false));
        assert!(!rule.matches(&SamplingRequest::new(), true));
        let mut record = record();
        for key in ["Host", "HTTPMethod", "URLPath", "ServiceName", "ServiceType"] {
            record[key] = "*".into();
        }
        assert!(Rule::read(&record).unwrap().matches(&SamplingRequest::new(), true));
    }

    #[test]
    fn the_default_matches_everything() {
        let rule = with("RuleName", json!("Default")).unwrap();
        assert!(rule.matches(&SamplingRequest::new().with_host("elsewhere"), true));
    }
}
