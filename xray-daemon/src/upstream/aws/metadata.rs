//! What the metadata service of an EC2 instance says of the machine.

use std::time::Duration;

use aws_config::imds;
use aws_config::provider_config::ProviderConfig;

use super::region::env;

/// A client of the metadata service that soon knows that there is none: an answer comes within milliseconds.
pub(super) fn client(config: &ProviderConfig) -> imds::Client {
    imds::Client::builder()
        .configure(config)
        .max_attempts(2)
        .connect_timeout(Duration::from_millis(500))
        .read_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(1))
        .operation_timeout(Duration::from_secs(2))
        .build()
}

/// An item of `/latest/meta-data/`.
pub(super) async fn of_instance(client: &imds::Client, item: &str) -> Option<String> {
    if env("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    match client.get(format!("/latest/meta-data/{item}")).await {
        Ok(value) => Some(value.as_ref().trim().to_owned()).filter(|value| !value.is_empty()),
        Err(error) => {
            tracing::debug!("no {item} from the instance's metadata service: {error}");
            None
        }
    }
}

/// The machine, as telemetry tells it.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) instance_id: Option<String>,
    pub(super) hostname: Option<String>,
}

impl Machine {
    /// From `AWS_INSTANCE_ID` and `AWS_HOSTNAME`; else from the metadata service, unless `local`; else the system's name.
    pub(super) async fn find(imds: &imds::Client, local: bool) -> Self {
        let look_up = async |variable, item| match env(variable) {
            None if !local => of_instance(imds, item).await,
            value => value,
        };
        let instance_id = look_up("AWS_INSTANCE_ID", "instance-id").await;
        let hostname = look_up("AWS_HOSTNAME", "hostname").await;
        let of_system = || nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        Self { instance_id, hostname: hostname.or_else(of_system) }
    }
}
