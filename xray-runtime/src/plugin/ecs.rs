//! The container of ECS that the program runs in.

use serde_json::Value;

use super::metadata::Client;
use super::{Platform, Plugin, PluginError, host_name, json, variable};

/// Amazon ECS: `container` (the host's name), `container_id` and `container_arn` as `aws.ecs`, and the group of the log driver
/// `awslogs`; origin `AWS::ECS::Container`.
///
/// Asks the task metadata endpoint of `ECS_CONTAINER_METADATA_URI_V4`, else that of `ECS_CONTAINER_METADATA_URI`. Where it
/// does not answer, the host's name is known all the same.
#[derive(Debug, Clone)]
pub struct EcsPlugin {
    endpoint: Option<String>,
}

impl Default for EcsPlugin {
    fn default() -> Self {
        Self::new()
    }
}

impl EcsPlugin {
    /// Asks the endpoint of the environment.
    pub fn new() -> Self {
        let endpoint =
            variable("ECS_CONTAINER_METADATA_URI_V4").or_else(|| variable("ECS_CONTAINER_METADATA_URI"));
        Self { endpoint }
    }

    /// Asks this endpoint, whatever the environment says.
    pub fn with_endpoint(endpoint: impl Into<String>) -> Self {
        Self { endpoint: Some(endpoint.into()) }
    }
}

impl Plugin for EcsPlugin {
    fn name(&self) -> &str {
        "ecs"
    }

    fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
        let Some(endpoint) = &self.endpoint else {
            return Err(PluginError::NotHere(
                "neither ECS_CONTAINER_METADATA_URI_V4 nor ECS_CONTAINER_METADATA_URI is set".into(),
            ));
        };
        platform.set_origin("AWS::ECS::Container");
        if let Some(host) = host_name() {
            platform.put("container", host);
        }
        let container = json(endpoint, &Client::new().get(endpoint, &[])?)?;
        let text = |key: &str| container.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (id, arn) = (text("DockerId"), text("ContainerARN"));
        if id.is_none() && arn.is_none() {
            let reason = "it has neither `DockerId` nor `ContainerARN`".into();
            return Err(PluginError::Answer { what: endpoint.clone(), reason });
        }
        if let Some(id) = id {
            platform.put("container_id", id);
        }
        if let Some(arn) = arn {
            platform.put("container_arn", arn);
        }
        let option =
            |key: &str| container.get("LogOptions")?.get(key)?.as_str().filter(|text| !text.is_empty());
        if let Some(group) = option("awslogs-group") {
            let arn = arn.and_then(|arn| log_group_arn(arn, option("awslogs-region"), group));
            platform.add_log_group(group, arn.as_deref());
        }
        Ok(())
    }
}

/// The ARN of a group of logs in the account of a container; in its region, where the log driver has no other.
fn log_group_arn(container: &str, region: Option<&str>, group: &str) -> Option<String> {
    let mut parts = container.split(':');
    if parts.next() != Some("arn") {
        return None;
    }
    let (partition, _service) = (parts.next()?, parts.next()?);
    let (own_region, account) = (parts.next()?, parts.next()?);
    let region = region.unwrap_or(own_region);
    let known = [partition, region, account].iter().all(|part| !part.is_empty());
    known.then(|| format!("arn:{partition}:logs:{region}:{account}:log-group:{group}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_logs_is_of_the_container_s_account() {
        let arn = |container, region| log_group_arn(container, region, "/ecs/web");
        let container = "arn:aws-cn:ecs:cn-north-1:123456789012:container/x";
        assert_eq!(
            arn(container, Some("cn-northwest-1")).as_deref(),
            Some("arn:aws-cn:logs:cn-northwest-1:123456789012:log-group:/ecs/web")
        );
        assert_eq!(
            arn(container, None).as_deref(),
            Some("arn:aws-cn:logs:cn-north-1:123456789012:log-group:/ecs/web")
        );
        for container in
            ["", "arn", "arn:aws", "arn:aws:ecs", "arn:aws:ecs:r", "arn:aws:ecs:r:", "x:aws:ecs:r:1:y"]
        {
            assert_eq!(arn(container, None), None, "{container}");
        }
    }
}
