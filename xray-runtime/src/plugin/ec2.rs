//! The instance of EC2 that the program runs on.

use super::metadata::Client;
use super::{Platform, Plugin, PluginError, json, variable};

/// Where an instance finds its metadata.
const ENDPOINT: &str = "http://169.254.169.254";

/// How long a token is of use, in seconds: it is used at once.
const TOKEN_SECONDS: &str = "60";

/// Characters of a token that are believed; real ones have 56.
const MAX_TOKEN: usize = 1024;

/// Amazon EC2: `instance_id`, `availability_zone`, `instance_size` and `ami_id` as `aws.ec2`; origin `AWS::EC2::Instance`.
///
/// Asks the instance's metadata service, version 2 (with a token), and version 1 where there is no token to be had, as from a
/// container that is one hop too far. `AWS_EC2_METADATA_DISABLED=true` keeps it from asking, and
/// `AWS_EC2_METADATA_SERVICE_ENDPOINT` gives another address, as for the SDKs of AWS.
#[derive(Debug, Clone)]
pub struct Ec2Plugin {
    /// None: it is not to be asked.
    endpoint: Option<String>,
}

impl Default for Ec2Plugin {
    fn default() -> Self {
        Self::new()
    }
}

impl Ec2Plugin {
    /// Asks the endpoint of the environment, else `http://169.254.169.254`.
    pub fn new() -> Self {
        if variable("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Self { endpoint: None };
        }
        Self::with_endpoint(variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").as_deref().unwrap_or(ENDPOINT))
    }

    /// Asks this endpoint, such as `http://[fd00:ec2::254]`, whatever the environment says.
    pub fn with_endpoint(endpoint: impl Into<String>) -> Self {
        let endpoint: String = endpoint.into();
        Self { endpoint: Some(endpoint.trim_end_matches('/').to_owned()) }
    }
}

/// What can stand in a header.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Plugin for Ec2Plugin {
    fn name(&self) -> &str {
        "ec2"
    }

    fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
        let Some(endpoint) = &self.endpoint else {
            return Err(PluginError::NotHere("AWS_EC2_METADATA_DISABLED is true".into()));
        };
        let client = Client::new();
        let token = client
            .call(
                "PUT",
                &format!("{endpoint}/latest/api/token"),
                &[("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS)],
            )
            .ok()
            .and_then(|token| String::from_utf8(token).ok())
            .filter(|token| is_token(token));
        let headers = token.as_deref().map(|token| ("x-aws-ec2-metadata-token", token));
        let url = format!("{endpoint}/latest/dynamic/instance-identity/document");
        let document = json(&url, &client.get(&url, headers.as_slice())?)?;
        let text =
            |key: &str| document.get(key).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
        if text("instanceId").is_none() {
            return Err(PluginError::Answer { what: url, reason: "it has no `instanceId`".into() });
        }
        platform.set_origin("AWS::EC2::Instance");
        for (key, of_document) in [
            ("instance_id", "instanceId"),
            ("availability_zone", "availabilityZone"),
            ("instance_size", "instanceType"),
            ("ami_id", "imageId"),
        ] {
            if let Some(value) = text(of_document) {
                platform.put(key, value);
            }
        }
        Ok(())
    }
}
