//! Which parameters of requests and responses a document names: the whitelist, in the JSON form of X-Ray's SDKs.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::members::{Place, place};
use crate::document::AwsMembers;

/// What the SDKs for other languages record by default, and with it the table, queue, topic, function or bucket of each
/// other call of these services.
static BUILT_IN: LazyLock<Arc<Parameters>> = LazyLock::new(|| {
    let parameters = Parameters::parse(include_str!("parameters.json"));
    Arc::new(parameters.unwrap_or_default())
});

/// Stands for each operation of a service that has no rules of its own.
const ANY: &str = "*";

/// What a call says of itself anyway: no parameter may take its place.
const TAKEN: [&str; 5] = ["operation", "region", "request_id", "id_2", "retries"];

/// A whitelist of parameters that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the whitelist of AWS parameters is not in the form of X-Ray's SDKs, {{\"services\": {{..}}}}: {0}")]
pub struct InvalidAwsParameters(#[from] serde_json::Error);

/// What is recorded of each operation, by service. They are few: to compare a name with some is faster than to hash it.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(BTreeMap<Box<str>, BTreeMap<Box<str>, Arc<Rules>>>);

/// What is recorded of one operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) request: Vec<Parameter>,
    pub(super) response: Vec<Parameter>,
}

/// One member of a request or response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// As the API names it.
    pub(super) member: Box<str>,
    /// As the document does: the inside of a JSON string.
    pub(super) name: Box<str>,
    pub(super) take: Take,
    /// Where it stands; none: in the body.
    pub(super) place: Option<Place>,
}

/// What is recorded of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    Value,
    /// How many elements it has.
    Count,
    Keys,
}

#[derive(Deserialize)]
struct File {
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    operations: BTreeMap<String, Operation>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Operation {
    request_parameters: Vec<String>,
    request_descriptors: BTreeMap<String, Descriptor>,
    response_parameters: Vec<String>,
    response_descriptors: BTreeMap<String, Descriptor>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Descriptor {
    get_count: bool,
    get_keys: bool,
    rename_to: Option<String>,
}

impl Parameters {
    pub(super) fn built_in() -> Arc<Self> {
        Arc::clone(&BUILT_IN)
    }

    fn parse(json: &str) -> Result<Self, InvalidAwsParameters> {
        let mut parameters = Self::default();
        parameters.add(json)?;
        Ok(parameters)
    }

    /// Adds to what is recorded already; of two with one name the later counts.
    pub(super) fn add(&mut self, json: &str) -> Result<(), InvalidAwsParameters> {
        let file: File = serde_json::from_str(json)?;
        for (service, Service { mut operations }) in file.services {
            let service = key_of(&service);
            let known = self.0.entry(service.clone()).or_default();
            // First what is for all of them, so that an operation that comes new has it too.
            if let Some(any) = operations.remove(ANY) {
                let any = Rules::of(&service, any);
                known.entry(ANY.into()).or_default();
                known.values_mut().for_each(|rules| Arc::make_mut(rules).extend(&any));
            }
            let any = known.get(ANY).cloned().unwrap_or_default();
            for (operation, rules) in operations {
                let known = known.entry(operation.into()).or_insert_with(|| Arc::clone(&any));
                Arc::make_mut(known).extend(&Rules::of(&service, rules));
            }
        }
        Ok(())
    }

    /// What is recorded of a call; `service` as its subsegment is named.
    pub(super) fn rules(&self, service: &str, operation: &str) -> Option<&Arc<Rules>> {
        let operations = self.0.get(service)?;
        operations.get(operation).or_else(|| operations.get(ANY))
    }
}

/// A service is written in many ways: `DynamoDb`, `dynamodb`, `runtime.sagemaker`.
fn key_of(service: &str) -> Box<str> {
    let name = service.to_ascii_lowercase();
    let name = if name == "runtime.sagemaker" { "sagemaker".into() } else { name };
    name.into()
}

impl Rules {
    fn of(service: &str, operation: Operation) -> Self {
        let mut rules = Self::default();
        let sides = [
            (&mut rules.request, operation.request_parameters, operation.request_descriptors),
            (&mut rules.response, operation.response_parameters, operation.response_descriptors),
        ];
        for (side, parameters, descriptors) in sides {
            let plain = parameters.into_iter().map(|member| (member, Descriptor::default()));
            let members = plain.chain(descriptors);
            side.extend(members.map(|(member, descriptor)| Parameter::of(service, member, descriptor)));
            side.retain(|parameter| !TAKEN.contains(&&*parameter.name));
        }
        rules
    }

    fn extend(&mut self, more: &Self) {
        for (from, from_request) in [(&more.request, true), (&more.response, false)] {
            for parameter in from {
                // A name stands once in the document, whichever side it is from.
                self.request.retain(|known| known.name != parameter.name);
                self.response.retain(|known| known.name != parameter.name);
                let side = if from_request { &mut self.request } else { &mut self.response };
                side.push(parameter.clone());
            }
        }
    }
}

impl Parameter {
    fn of(service: &str, member: String, descriptor: Descriptor) -> Self {
        let take = match descriptor {
            Descriptor { get_count: true, .. } => Take::Count,
            Descriptor { get_keys: true, .. } => Take::Keys,
            _ => Take::Value,
        };
        let name = descriptor.rename_to.unwrap_or_else(|| snake_case(&member));
        Self { place: place(service, &member), member: member.into(), name: AwsMembers::key(&name), take }
    }
}

/// `QueueOwnerAWSAccountId` is `queue_owner_aws_account_id`: a word begins at a capital that follows none, and at the last capital
/// of a run that a word follows.
fn snake_case(member: &str) -> String {
    let mut name = String::with_capacity(member.len() + 8);
    let mut rest = member.chars().peekable();
    let mut before = None;
    while let Some(c) = rest.next() {
        let next_is_lower = rest.peek().is_some_and(char::is_ascii_lowercase);
        let begins_word = match before {
            None | Some('_') => false,
            Some(before) if before.is_ascii_lowercase() || before.is_ascii_digit() => true,
            Some(_) => next_is_lower,
        };
        if c.is_ascii_uppercase() && begins_word {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
        before = Some(c);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parameters: &[Parameter]) -> Vec<(&str, &str, Take)> {
        parameters.iter().map(|known| (&*known.member, &*known.name, known.take)).collect()
    }

    #[test]
    fn members_are_named_in_snake_case() {
        for (member, name) in [
            ("TableName", "table_name"),
            ("QueueOwnerAWSAccountId", "queue_owner_aws_account_id"),
            ("Key", "key"),
            ("TopicARN", "topic_arn"),
            ("queueUrls", "queue_urls"),
            ("SSEKMSKeyId", "ssekms_key_id"),
            ("Id2Value", "id2_value"),
            ("x", "x"),
            ("", ""),
        ] {
            assert_eq!(snake_case(member), name);
        }
    }

    #[test]
    fn the_built_in_list_is_read() {
        let parameters = Parameters::parse(include_str!("parameters.json")).unwrap();
        let rules = parameters.rules("sqs", "SendMessage").unwrap();
        assert_eq!(
            names(&rules.request),
            [
                ("DelaySeconds", "delay_seconds", Take::Value),
                ("QueueUrl", "queue_url", Take::Value),
                ("MessageAttributes", "message_attribute_names", Take::Keys),
            ]
        );
        assert_eq!(names(&rules.response), [("MessageId", "message_id", Take::Value)]);
        let any = parameters.rules("s3", "GetBucketTagging").unwrap();
        assert!(names(&any.request).contains(&("Bucket", "bucket_name", Take::Value)));
        assert!(parameters.rules("route53", "ListHostedZones").is_none());
        assert!(Parameters::built_in().rules("dynamodb", "DescribeTable").is_some());
    }

    #[test]
    fn a_list_of_the_users_adds_to_it() {
        let mut parameters = (*Parameters::built_in()).clone();
        parameters
            .add(
                r#"{"services": {
                    "SQS": {"operations": {"SendMessage": {
                        "request_parameters": ["MessageBody"],
                        "response_descriptors": {"MessageId": {"rename_to": "queue_url"}}
                    }}},
                    "S3": {"operations": {"PutObject": {"request_parameters": ["StorageClass"]}}},
                    "states": {"operations": {"*": {"request_parameters": ["stateMachineArn"]}, "StartExecution": {}}}
                }}"#,
            )
            .unwrap();
        let send = parameters.rules("sqs", "SendMessage").unwrap();
        assert!(names(&send.request).contains(&("MessageBody", "message_body", Take::Value)));
        assert!(!names(&send.request).iter().any(|(member, ..)| *member == "QueueUrl"), "its name is taken");
        assert!(names(&send.response).contains(&("MessageId", "queue_url", Take::Value)));
        let put = parameters.rules("s3", "PutObject").unwrap();
        assert!(names(&put.request).contains(&("Key", "key", Take::Value)), "of every operation");
        assert!(names(&put.request).contains(&("StorageClass", "storage_class", Take::Value)));
        let start = parameters.rules("states", "StartExecution").unwrap();
        assert_eq!(names(&start.request), [("stateMachineArn", "state_machine_arn", Take::Value)]);
    }

    #[test]
    fn what_a_call_says_anyway_is_no_parameter() {
        let json = r#"{"services": {"x": {"operations": {"Y": {
            "request_parameters": ["Region", "Operation", "Kept"],
            "response_descriptors": {"A": {"get_count": true, "rename_to": "request_id"}}
        }}}}}"#;
        let parameters = Parameters::parse(json).unwrap();
        let rules = parameters.rules("x", "Y").unwrap();
        assert_eq!(names(&rules.request), [("Kept", "kept", Take::Value)]);
        assert!(rules.response.is_empty());
    }

    #[test]
    fn junk_is_an_error_that_says_so() {
        for json in ["", "[]", r#"{"services": 1}"#, r#"{"services": {"s3": {"operations": {"X": 1}}}}"#] {
            let error = Parameters::parse(json).unwrap_err().to_string();
            assert!(error.contains("whitelist") && error.contains("line"), "{error}");
        }
    }
}
