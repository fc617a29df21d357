//! The settings of a client, checked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::item::Item;
use crate::queue::Bounds;
use crate::{IpPolicy, Level};

/// A hook before the scrubber: may change the item, and says whether it is sent.
pub(crate) type Transform = Arc<dyn Fn(&mut Item) -> bool + Send + Sync>;
/// A hook after the scrubber.
pub(crate) type BeforeSend = Arc<dyn Fn(&mut Value) -> bool + Send + Sync>;

/// What a client goes by.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) enabled: bool,
    pub(crate) environment: String,
    pub(crate) code_version: Option<String>,
    pub(crate) framework: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) root: Option<PathBuf>,
    pub(crate) branch: Option<String>,
    pub(crate) report_level: Level,
    pub(crate) backtraces: bool,
    pub(crate) source_lines: bool,
    pub(crate) bounds: Bounds,
    pub(crate) panics: bool,
    pub(crate) items_per_minute: u32,
    pub(crate) connections: usize,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) scrub_fields: Vec<String>,
    pub(crate) usernames: bool,
    pub(crate) emails: bool,
    pub(crate) ip_policy: IpPolicy,
    pub(crate) ignored_classes: Vec<String>,
    pub(crate) transforms: Vec<Transform>,
    pub(crate) before_send: Option<BeforeSend>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            environment: default_environment().to_owned(),
            code_version: None,
            framework: None,
            host: None,
            root: None,
            branch: None,
            report_level: Level::Debug,
            backtraces: true,
            source_lines: true,
            bounds: Bounds { items: 32_768, bytes: 32 << 20 },
            panics: true,
            items_per_minute: 0,
            connections: 4,
            shutdown_timeout: Duration::from_secs(2),
            scrub_fields: Vec::new(),
            usernames: false,
            emails: false,
            ip_policy: IpPolicy::Full,
            ignored_classes: Vec::new(),
            transforms: Vec::new(),
            before_send: None,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("enabled", &self.enabled)
            .field("environment", &self.environment)
            .field("report_level", &self.report_level)
            .finish_non_exhaustive()
    }
}

/// By the way this crate was built, as other SDKs do it.
fn default_environment() -> &'static str {
    if cfg!(debug_assertions) { "development" } else { "production" }
}
