//! Which region.

use aws_config::imds;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use serde::Deserialize;

use super::metadata;
use super::settings::{AwsError, AwsSettings};

/// The region: as set, else `AWS_REGION`, else in local mode what the SDKs take, and otherwise the metadata of the container
/// or instance.
pub(super) async fn find(
    settings: &AwsSettings,
    config: &ProviderConfig,
    imds: &imds::Client,
) -> Result<String, AwsError> {
    let set = settings.region.clone().filter(|region| !region.is_empty()).or_else(|| env("AWS_REGION"));
    let found = match set {
        Some(region) => Some(region),
        None if settings.local_mode => match env("AWS_DEFAULT_REGION") {
            Some(region) => Some(region),
            None => {
                let profile = ProfileFileRegionProvider::builder().configure(config).build();
                profile.region().await.map(|region| region.to_string())
            }
        },
        None => match of_container() {
            Some(region) => Some(region),
            None => metadata::of_instance(imds, "placement/region").await,
        },
    };
    let region = found.ok_or(AwsError::NoRegion)?;
    if region.is_empty() || !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(AwsError::BadRegion(region.chars().take(64).collect()));
    }
    Ok(region)
}

/// A variable that is set to something.
pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What is read of an ECS container's metadata file.
#[derive(Debug, Deserialize)]
struct ContainerMetadata {
    #[serde(rename = "TaskARN")]
    task_arn: Option<String>,
    #[serde(rename = "ContainerInstanceARN")]
    container_instance_arn: Option<String>,
}

/// The region in the ARNs of the metadata file that ECS writes into a container.
fn of_container() -> Option<String> {
    if env("ECS_ENABLE_CONTAINER_METADATA")? != "true" {
        return None;
    }
    let path = env("ECS_CONTAINER_METADATA_FILE")?;
    let read = std::fs::read(&path).map_err(|error| error.to_string());
    match read.and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string())) {
        Ok(metadata) => region_of(&metadata),
        Err(error) => {
            tracing::error!("the ECS metadata file {path} cannot be used: {error}");
            None
        }
    }
}

fn region_of(metadata: &ContainerMetadata) -> Option<String> {
    // The task's comes later than the instance's while the container starts.
    let arns = [&metadata.task_arn, &metadata.container_instance_arn];
    let mut regions = arns.into_iter().flatten().filter_map(|arn| arn.split(':').nth(3));
    regions.find(|region| !region.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_the_region() {
        let task = r#""TaskARN":"arn:aws:ecs:eu-west-3:012345678910:task/default/2b88""#;
        let instance =
            r#""ContainerInstanceARN":"arn:aws-cn:ecs:cn-north-1:012345678910:container-instance/1f73""#;
        for (text, region) in [
            (format!("{{{task}, {instance}}}"), Some("eu-west-3")),
            (format!("{{{instance}, \"MetadataFileStatus\":\"READY\"}}"), Some("cn-north-1")),
            (format!("{{\"TaskARN\":\"nothing\", {instance}}}"), Some("cn-north-1")),
            ("{\"TaskARN\":\"arn:aws:ecs::0:task\"}".to_owned(), None),
            ("{}".to_owned(), None),
        ] {
            assert_eq!(region_of(&serde_json::from_str(&text).unwrap()).as_deref(), region, "{text}");
        }
    }
}
