//! The environment of Elastic Beanstalk that the program was deployed to.

use std::path::PathBuf;

use serde_json::Value;

use super::{Platform, Plugin, PluginError, json, read_file};

/// Where Elastic Beanstalk leaves it.
const FILE: &str = "/var/elasticbeanstalk/xray/environment.conf";

/// AWS Elastic Beanstalk: `environment_name`, `version_label` and `deployment_id` as `aws.elastic_beanstalk`; origin
/// `AWS::ElasticBeanstalk::Environment`. Reads `/var/elasticbeanstalk/xray/environment.conf`.
#[derive(Debug, Clone)]
pub struct BeanstalkPlugin {
    file: PathBuf,
}

impl Default for BeanstalkPlugin {
    fn default() -> Self {
        Self::new()
    }
}

impl BeanstalkPlugin {
    /// Reads the file of Elastic Beanstalk.
    pub fn new() -> Self {
        Self::with_file(FILE)
    }

    /// Reads this file.
    pub fn with_file(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into() }
    }
}

impl Plugin for BeanstalkPlugin {
    fn name(&self) -> &str {
        "elastic_beanstalk"
    }

    fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
        let what = self.file.display().to_string();
        let environment = json(&what, &read_file(&self.file)?)?;
        for key in ["environment_name", "version_label"] {
            if let Some(text) = environment.get(key).and_then(Value::as_str) {
                platform.put(key, text);
            }
        }
        if let Some(number) = environment.get("deployment_id").and_then(Value::as_i64) {
            platform.put_number("deployment_id", number);
        }
        if platform.is_empty() {
            return Err(PluginError::Answer {
                what,
                reason: "it names no environment, version or deployment".into(),
            });
        }
        platform.set_origin("AWS::ElasticBeanstalk::Environment");
        Ok(())
    }
}
