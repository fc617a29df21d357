//! Settings of a client, as the user gives them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::client::{Rollbar, RollbarGuard};
use crate::current;
use crate::delivery::DeliverySettings;
use crate::endpoint::{Endpoint, InvalidEndpoint};
use crate::item::{Item, MAX_CODE_VERSION_CHARS, MAX_TEXT_CHARS};
use crate::memory::Captured;
use crate::panic;
use crate::queue::Bounds;
use crate::scrub::DEFAULT_FIELDS;
use crate::settings::Settings;
use crate::transport::{HttpSettings, Proxy, Transport, TransportSetupError};
use crate::truncation::MIN_MAX_BYTES;
use crate::worker::{Sending, Source, SpoolSettings, StartError};
use crate::{IpPolicy, Level};

/// Settings of a client. The five variables of the environment fill what is not set here; they are read by
/// [`install`](Self::install) and [`build`](Self::build).
///
/// ```no_run
/// use rollbar_runtime::Rollbar;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The token comes from ROLLBAR_ACCESS_TOKEN.
/// let _rollbar = Rollbar::builder().environment("production").code_version(env!("CARGO_PKG_VERSION")).install()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing before `install`"]
pub struct RollbarBuilder {
    settings: Settings,
    token: Option<String>,
    environment: Option<String>,
    endpoint: Option<String>,
    enabled: Option<bool>,
    scrub_default: bool,
    http: HttpSettings,
    delivery: DeliverySettings,
    transport: Option<Arc<dyn Transport>>,
    spool: Option<SpoolSettings>,
}

/// A setting that means nothing. No client is made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The endpoint is no address of an API.
    #[error("the endpoint is wrong: {0}")]
    Endpoint(#[from] InvalidEndpoint),
    /// A variable of the environment cannot be read.
    #[error("{name}={value:?} means nothing: {expected}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it could hold.
        expected: &'static str,
    },
    /// A text is too long for Rollbar.
    #[error("{what} has {chars} characters; Rollbar takes {max}")]
    TooLong {
        /// Which one.
        what: &'static str,
        /// How long it is.
        chars: usize,
        /// How long it may be.
        max: usize,
    },
    /// A number is out of its range.
    #[error("{what} is {value}: {expected}")]
    OutOfRange {
        /// Which one.
        what: &'static str,
        /// What it is.
        value: u64,
        /// What it could be.
        expected: &'static str,
    },
    /// The way to Rollbar cannot be set up.
    #[error(transparent)]
    Transport(#[from] TransportSetupError),
    /// The system gives no thread.
    #[error("cannot start the thread that sends items: {0}")]
    Thread(#[source] std::io::Error),
}

impl From<StartError> for BuildError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Transport(error) => Self::Transport(error),
            StartError::Thread(error) => Self::Thread(error),
        }
    }
}

impl std::fmt::Debug for RollbarBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the token.
        f.debug_struct("RollbarBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl RollbarBuilder {
    pub(crate) fn new() -> Self {
        Self {
            settings: Settings::default(),
            token: None,
            environment: None,
            endpoint: None,
            enabled: None,
            scrub_default: true,
            http: HttpSettings::default(),
            delivery: DeliverySettings::default(),
            transport: None,
            spool: None,
        }
    }

    /// The project's access token with the scope `post_server_item`: 32 hexadecimal digits. Else `ROLLBAR_ACCESS_TOKEN`;
    /// without any, the client is switched off.
    pub fn access_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Where the program runs, such as `production`. Else `ROLLBAR_ENVIRONMENT`; without any, `development` in a debug
    /// build and `production` in others. At most 255 characters.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// The version of the program: a semantic version, a number or a commit. Else `ROLLBAR_CODE_VERSION`. At most 40
    /// characters.
    pub fn code_version(mut self, version: impl Into<String>) -> Self {
        self.settings.code_version = Some(version.into());
        self
    }

    /// Where the API is: its base (`http://127.0.0.1:2000`) or the whole address of its items. Else `ROLLBAR_ENDPOINT`;
    /// without any, `https://api.rollbar.com/api/1/`.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Whether anything is reported. Else `ROLLBAR_ENABLED` (`true` or `false`); without any, yes.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled);
        self
    }

    /// The framework, such as `axum`; `RollbarLayer` sets its own in its requests.
    pub fn framework(mut self, framework: impl Into<String>) -> Self {
        self.settings.framework = Some(framework.into());
        self
    }

    /// The name of the machine; else what the system says.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.settings.host = Some(host.into());
        self
    }

    /// The folder of the program's source: paths in stacks are relative to it, Rollbar folds what is outside, and source lines
    /// are read below it. Else the current folder.
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.settings.root = Some(root.into());
        self
    }

    /// The branch of the source.
    pub fn branch(mut self, branch: impl Into<String>) -> Self {
        self.settings.branch = Some(branch.into());
        self
    }

    /// The least level that is reported; else all are.
    pub fn report_level(mut self, level: Level) -> Self {
        self.settings.report_level = level;
        self
    }

    /// Whether errors are reported with the stack of the caller; else they are. Panics always are.
    pub fn backtraces(mut self, backtraces: bool) -> Self {
        self.settings.backtraces = backtraces;
        self
    }

    /// Whether stacks are shown with the lines of source round each call, where the source is on this machine; else they are.
    pub fn source_lines(mut self, source_lines: bool) -> Self {
        self.settings.source_lines = source_lines;
        self
    }

    /// Whether panics are reported; else they are. The hook that is there is called in any case.
    pub fn panics(mut self, panics: bool) -> Self {
        self.settings.panics = panics;
        self
    }

    /// Errors of this type, and those that are due to one, are not reported.
    pub fn ignore<E: std::error::Error>(mut self) -> Self {
        let class = xray_error::plain_type(std::any::type_name::<E>());
        self.settings.ignored_classes.extend(class.map(ToOwned::to_owned));
        self
    }

    /// How many occurrences may wait, and how much they may take, in bytes; else 32,768 and 32 MiB. What is less severe or
    /// older goes first.
    pub fn queue(mut self, items: usize, bytes: usize) -> Self {
        self.settings.bounds = Bounds { items, bytes };
        self
    }

    /// How many items a minute are reported at most; else 0: no limit.
    pub fn items_per_minute(mut self, items: u32) -> Self {
        self.settings.items_per_minute = items;
        self
    }

    /// How many items are sent at the same time, each on a connection of its own; else 4.
    pub fn connections(mut self, connections: usize) -> Self {
        self.settings.connections = connections;
        self
    }

    /// How large an item's JSON may be, in bytes; else 512 KiB, which is what Rollbar takes. What is larger is cut.
    pub fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.delivery.max_bytes = bytes;
        self
    }

    /// How often an item is tried again when the network or the service fails; else 3 times, under the same uuid.
    pub fn retries(mut self, retries: u32) -> Self {
        self.delivery.retries = retries;
        self
    }

    /// How long a connection may take, and a whole request; else 3 s and 10 s.
    pub fn timeouts(mut self, connect: Duration, request: Duration) -> Self {
        self.http.connect_timeout = Some(connect);
        self.http.timeout = Some(request);
        self
    }

    /// Whether bodies are compressed; else not: that Rollbar reads them is not documented. A refusal ends it.
    #[cfg(feature = "gzip")]
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.delivery.gzip = gzip;
        self
    }

    /// The proxy; else that of the environment.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.http.proxy = proxy;
        self
    }

    /// What carries items in the place of HTTP. No token is needed then.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// A folder for items that could not be sent: the next start sends them. At most 1,000 files and 64 MiB; the oldest go
    /// first.
    pub fn spool(self, folder: impl Into<PathBuf>) -> Self {
        self.spool_within(folder, 1_000, 64 << 20)
    }

    /// As [`spool`](Self::spool), with other bounds.
    pub fn spool_within(mut self, folder: impl Into<PathBuf>, max_files: usize, max_bytes: u64) -> Self {
        self.spool = Some(SpoolSettings { dir: folder.into(), max_bytes, max_files });
        self
    }

    /// How long the end waits for what is left: the guard's drop, and a panic that aborts the program; else 2 s.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.settings.shutdown_timeout = timeout;
        self
    }

    /// A key whose values are masked wherever it stands, beside the usual ones (`password`, `token`, `cookie` ..): in any case,
    /// with or without `-` and `_`; `*` stands for any text.
    pub fn scrub_field(mut self, field: impl Into<String>) -> Self {
        self.settings.scrub_fields.push(field.into());
        self
    }

    /// Masks only the keys that [`scrub_field`](Self::scrub_field) names, and what looks like a credential.
    pub fn without_default_scrub_fields(mut self) -> Self {
        self.scrub_default = false;
        self
    }

    /// Whether a person's name is sent; else not.
    pub fn usernames(mut self, usernames: bool) -> Self {
        self.settings.usernames = usernames;
        self
    }

    /// Whether a person's address is sent; else not.
    pub fn emails(mut self, emails: bool) -> Self {
        self.settings.emails = emails;
        self
    }

    /// What is sent of a client's address; else all of it.
    pub fn user_ip(mut self, policy: IpPolicy) -> Self {
        self.settings.ip_policy = policy;
        self
    }

    /// A hook before anything is masked: may change the item, and says whether it is sent. It runs on the thread that sends;
    /// several run in their order. One that panics is switched off, and the item goes as it was.
    pub fn transform(mut self, hook: impl Fn(&mut Item) -> bool + Send + Sync + 'static) -> Self {
        self.settings.transforms.push(Arc::new(hook));
        self
    }

    /// The last hook, after all is masked: may change the JSON of the item, which is then sent as it is, and says whether it
    /// is sent. One that panics is switched off, and the item goes as it was.
    pub fn before_send(mut self, hook: impl Fn(&mut Value) -> bool + Send + Sync + 'static) -> Self {
        self.settings.before_send = Some(Arc::new(hook));
        self
    }

    /// Makes a client that only those reach who have it; see [`install`](Self::install) for the usual way.
    ///
    /// # Errors
    /// Where a setting means nothing, or the system gives no thread. A missing token is no error: the client is off.
    pub fn build(self) -> Result<Rollbar, BuildError> {
        self.filled(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?.start()
    }

    /// Makes the client that all reports of the program go to, and puts the panic hook before the one that is there. It takes
    /// the place of one that was installed before, which then sends what it has.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn install(self) -> Result<RollbarGuard, BuildError> {
        let client = self.build()?;
        if client.settings().panics && client.is_enabled() {
            panic::install();
        }
        let before = current::install(client.clone());
        if before.is_some() {
            tracing::info!("another Rollbar client takes the place of the installed one");
        }
        Ok(RollbarGuard::new(client))
    }

    /// As [`Rollbar::in_memory`], with these settings.
    pub fn in_memory(mut self) -> (Rollbar, Captured) {
        if let Some(environment) = self.environment.take() {
            self.settings.environment = environment;
        }
        self.settings.enabled = self.enabled.unwrap_or(true);
        panic::install();
        Rollbar::with_memory(self.scrubbing())
    }

    /// With the environment's variables where nothing is set, checked.
    fn filled(mut self, variable: impl Fn(&str) -> Option<String>) -> Result<Self, BuildError> {
        self.token = self.token.or_else(|| variable("ROLLBAR_ACCESS_TOKEN"));
        self.endpoint = self.endpoint.or_else(|| variable("ROLLBAR_ENDPOINT"));
        if let Some(environment) = self.environment.take().or_else(|| variable("ROLLBAR_ENVIRONMENT")) {
            self.settings.environment = environment;
        }
        if self.settings.code_version.is_none() {
            self.settings.code_version = variable("ROLLBAR_CODE_VERSION");
        }
        if self.enabled.is_none()
            && let Some(value) = variable("ROLLBAR_ENABLED")
        {
            self.enabled = match value.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => {
                    let expected = "write `true` or `false`";
                    return Err(BuildError::Variable { name: "ROLLBAR_ENABLED", value, expected });
                }
            };
        }
        self.settings.enabled = self.enabled.unwrap_or(true);
        if let Some(endpoint) = &self.endpoint {
            self.http.endpoint = Endpoint::parse(endpoint)?;
        }
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<(), BuildError> {
        let settings = &self.settings;
        fits("the environment", &settings.environment, MAX_TEXT_CHARS)?;
        if let Some(version) = &settings.code_version {
            fits("the code version", version, MAX_CODE_VERSION_CHARS)?;
        }
        let ranges = [
            ("the number of connections", settings.connections, 1..=64, "write 1 to 64"),
            ("the queue's number of items", settings.bounds.items, 1..=usize::MAX, "write at least 1"),
            ("the queue's size", settings.bounds.bytes, 64 << 10..=usize::MAX, "write at least 65536"),
            (
                "the size of a payload",
                self.delivery.max_bytes,
                MIN_MAX_BYTES..=64 << 20,
                "write 32768 to 67108864",
            ),
        ];
        for (what, value, range, expected) in ranges {
            if !range.contains(&value) {
                return Err(BuildError::OutOfRange { what, value: value as u64, expected });
            }
        }
        Ok(())
    }

    /// The settings with the fields that are masked.
    fn scrubbing(mut self) -> Settings {
        if self.scrub_default {
            self.settings.scrub_fields.extend(DEFAULT_FIELDS.iter().map(|field| (*field).to_owned()));
        }
        if self.settings.root.is_none() {
            self.settings.root = std::env::current_dir().ok();
        }
        if self.settings.host.is_none() {
            self.settings.host = host();
        }
        self.settings
    }

    fn start(mut self) -> Result<Rollbar, BuildError> {
        let token = self.token.take().unwrap_or_default();
        let has_own = self.transport.is_some();
        if self.settings.enabled && token.is_empty() && !has_own {
            tracing::warn!(
                "Rollbar is off: there is no access token. Set ROLLBAR_ACCESS_TOKEN, or `access_token`; `enabled(false)` silences this"
            );
            self.settings.enabled = false;
        }
        if !self.settings.enabled {
            return Ok(Rollbar::off(self.settings));
        }
        self.http.token.clone_from(&token);
        self.delivery.token = token;
        self.delivery.endpoint = self.http.endpoint.item_url().to_owned();
        let source = match self.transport.take() {
            Some(transport) => Source::Own(transport),
            None => Source::Http(self.http.clone()),
        };
        let (mut delivery, spool) = (self.delivery.clone(), self.spool.take());
        let settings = self.scrubbing();
        delivery.host.clone_from(&settings.host);
        Ok(Rollbar::with_worker(settings, Sending { source, delivery, spool })?)
    }
}

fn fits(what: &'static str, text: &str, max: usize) -> Result<(), BuildError> {
    let chars = text.chars().count();
    if chars > max { Err(BuildError::TooLong { what, chars, max }) } else { Ok(()) }
}

/// The name of this machine.
fn host() -> Option<String> {
    // No system call for it is safe in std; both are how Linux tells it.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}
