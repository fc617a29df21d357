//! The group of CloudWatch Logs that the program writes to.

use super::{Platform, Plugin, PluginError, variable};

/// The group of CloudWatch Logs that the program's lines go to, as `aws.cloudwatch_logs`: the X-Ray console shows the
/// lines of a trace beside it. `AWS_LOG_GROUP` wins over code, as X-Ray's variables do.
///
/// ```
/// use std::time::Duration;
/// use xray_runtime::{CloudWatchLogsPlugin, Recorder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let logs = CloudWatchLogsPlugin::new().group("/services/orders");
/// let (recorder, captured) = Recorder::builder().plugin(logs).in_memory()?;
/// assert!(recorder.wait_for_plugins(Duration::from_secs(5)));
/// recorder.begin_segment("job").end();
/// # if std::env::var_os("AWS_LOG_GROUP").is_none() {
/// assert_eq!(captured.segment("job").json()["aws"]["cloudwatch_logs"][0]["log_group"], "/services/orders");
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct CloudWatchLogsPlugin {
    group: Option<String>,
}

impl CloudWatchLogsPlugin {
    /// The group of `AWS_LOG_GROUP`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The group where `AWS_LOG_GROUP` names none.
    #[must_use]
    pub fn group(self, group: impl Into<String>) -> Self {
        Self { group: Some(group.into()) }
    }
}

impl Plugin for CloudWatchLogsPlugin {
    fn name(&self) -> &str {
        "cloudwatch_logs"
    }

    fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
        let group = variable("AWS_LOG_GROUP").or_else(|| self.group.clone());
        match group.filter(|group| !group.is_empty()) {
            Some(group) => {
                platform.add_log_group(group, None);
                Ok(())
            }
            None => Err(PluginError::NotHere("AWS_LOG_GROUP is not set".into())),
        }
    }
}
