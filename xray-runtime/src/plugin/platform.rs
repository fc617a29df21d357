//! What a plugin has found, and how it stands in a document.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::document::Surroundings;

/// Unicode scalar values of a value.
const MAX_CHARS: usize = 500;

/// Values of one plugin, and its groups of logs.
const MAX_VALUES: usize = 32;

/// Bytes of all that plugins have found, in each segment: a document has 64,000.
const MAX_BYTES: usize = 8 * 1024;

/// What a [`Plugin`](crate::Plugin) has found: values for the `aws` block of segments, their `origin`, and where the logs are.
///
/// It takes 32 values and 32 groups of logs; texts are cut at 500 characters. All plugins together have 8 KiB of JSON: what would pass
/// that is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Platform {
    origin: Option<String>,
    values: Map<String, Value>,
    log_groups: Vec<LogGroup>,
}

#[derive(Debug, Clone, PartialEq)]
struct LogGroup {
    name: String,
    arn: Option<String>,
}

fn cut(text: Cow<'_, str>) -> String {
    xray_error::cut(&text, MAX_CHARS).to_owned()
}

impl Platform {
    /// Says what the program runs on, such as `AWS::EC2::Instance`. Of several plugins the one that was given last wins.
    pub fn set_origin<'a>(&mut self, origin: impl Into<Cow<'a, str>>) {
        self.origin = Some(cut(origin.into()));
    }

    /// Puts a text.
    pub fn put<'a>(&mut self, key: impl Into<String>, value: impl Into<Cow<'a, str>>) {
        self.put_value(key.into(), Value::String(cut(value.into())));
    }

    /// Puts a number.
    pub fn put_number(&mut self, key: impl Into<String>, value: i64) {
        self.put_value(key.into(), value.into());
    }

    fn put_value(&mut self, key: String, value: Value) {
        let key = cut(key.into());
        if self.values.len() < MAX_VALUES || self.values.contains_key(&key) {
            self.values.insert(key, value);
        }
    }

    /// Names a group of CloudWatch Logs that the program writes to, so that the console shows its lines beside the trace.
    pub fn add_log_group<'a>(&mut self, name: impl Into<Cow<'a, str>>, arn: Option<&str>) {
        if self.log_groups.len() < MAX_VALUES {
            let arn = arn.map(|arn| cut(arn.into()));
            self.log_groups.push(LogGroup { name: cut(name.into()), arn });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Surroundings {
    /// In the order of the plugins.
    pub(super) fn of<'p>(platforms: impl Iterator<Item = (&'p str, &'p Platform)>) -> Self {
        let mut origin = None;
        let mut members = Map::new();
        let mut logs: Vec<Value> = Vec::new();
        for (name, platform) in platforms {
            if platform.origin.is_some() {
                origin.clone_from(&platform.origin);
            }
            // `xray` is ours; a plugin of a name that was there takes the place of it, and one without a name has none.
            if !platform.values.is_empty() && !matches!(name, "" | "xray" | "cloudwatch_logs") {
                members.insert(name.to_owned(), Value::Object(platform.values.clone()));
            }
            for group in &platform.log_groups {
                let mut log = Map::from_iter([("log_group".to_owned(), group.name.clone().into())]);
                if let Some(arn) = &group.arn {
                    log.insert("arn".to_owned(), arn.clone().into());
                }
                let log = Value::Object(log);
                if !logs.contains(&log) {
                    logs.push(log);
                }
            }
        }
        if !logs.is_empty() {
            members.insert("cloudwatch_logs".to_owned(), logs.into());
        }
        let mut aws = String::new();
        for (name, value) in members {
            let member = format!(",{}:{value}", Value::String(name));
            if aws.len() + member.len() <= MAX_BYTES {
                aws.push_str(&member);
            }
        }
        Self { origin, aws }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn aws(known: &Surroundings) -> Value {
        serde_json::from_str(&format!("{{{}}}", known.aws.trim_start_matches(','))).unwrap()
    }

    #[test]
    fn the_last_origin_wins() {
        let mut first = Platform::default();
        first.set_origin("AWS::EC2::Instance");
        first.put("instance_id", "i-1");
        let mut second = first.clone();
        second.set_origin("AWS::ECS::Container");
        let mut none = Platform::default();
        none.add_log_group("a\"b", None);
        none.add_log_group("a\"b", None);
        none.add_log_group("c", Some("arn:c"));
        let known = Surroundings::of([("ec2", &first), ("ecs", &second), ("logs", &none)].into_iter());
        assert_eq!(known.origin.as_deref(), Some("AWS::ECS::Container"));
        let logs = json!([{ "log_group": "a\"b" }, { "log_group": "c", "arn": "arn:c" }]);
        let expected = json!({
            "ec2": { "instance_id": "i-1" }, "ecs": { "instance_id": "i-1" }, "cloudwatch_logs": logs,
        });
        assert_eq!(aws(&known), expected);
        assert_eq!(Surroundings::of(std::iter::empty()).aws, "");
    }

    #[test]
    fn what_is_ours_stays_ours() {
        let mut platform = Platform::default();
        platform.put("sdk", "mine");
        let known = Surroundings::of([("xray", &platform), ("cloudwatch_logs", &platform)].into_iter());
        assert_eq!(known.aws, "");
    }

    #[test]
    fn a_platform_has_bounds() {
        let mut platform = Platform::default();
        for number in 0..100 {
            platform.put(format!("key{number}"), "é".repeat(1_000));
            platform.put_number(format!("number{number}"), number);
            platform.add_log_group("x".repeat(1_000), Some("y"));
        }
        assert_eq!((platform.values.len(), platform.log_groups.len()), (MAX_VALUES, MAX_VALUES));
        assert_eq!(platform.values["key0"].as_str().unwrap().chars().count(), MAX_CHARS);
        assert_eq!(platform.log_groups[0].name.len(), MAX_CHARS);
        let mut small = Platform::default();
        small.put("id", "x");
        let known = Surroundings::of([("big", &platform), ("small", &small)].into_iter());
        let aws = aws(&known);
        assert_eq!(aws.get("big"), None);
        assert_eq!(aws["small"], json!({ "id": "x" }));
    }
}
