//! The item: what Rollbar's API takes, as types that cannot hold an invalid one.
//!
//! Texts that the API limits are cut when they are set, required parts are arguments of constructors, and what must not be
//! empty cannot be made empty. Limits and names are those of the documentation of `POST /api/1/item/`.

mod body;
mod frame;
mod limit;
mod person;
mod request;
mod server;
mod telemetry;

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

pub use body::{Body, CrashReport, Exception, Message, Trace, TraceChain};
pub(crate) use frame::Line;
pub use frame::{Frame, SourceContext};
pub use limit::{MAX_CODE_VERSION_CHARS, MAX_PERSON_ID_CHARS, MAX_TEXT_CHARS};
pub use person::Person;
pub use request::Request;
pub use server::Server;
pub use telemetry::{Telemetry, TelemetryBody};

use crate::Level;
use limit::Text;

/// One occurrence as it is sent: the value of `data`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    environment: Text<MAX_TEXT_CHARS>,
    body: Body,
    level: Level,
    /// Seconds since 1970.
    timestamp: f64,
    uuid: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_version: Option<Text<MAX_CODE_VERSION_CHARS>>,
    platform: String,
    language: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    framework: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Text<MAX_TEXT_CHARS>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<Person>,
    #[serde(skip_serializing_if = "Server::is_empty")]
    server: Server,
    #[serde(skip_serializing_if = "Map::is_empty")]
    custom: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Text<MAX_TEXT_CHARS>>,
    notifier: Notifier,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute>,
}

/// Who made the item, and what happened to it on the way.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Notifier {
    name: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    diagnostic: Map<String, Value>,
}

/// `{"key": .., "value": ..}`, as in `data.attributes`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Attribute {
    key: String,
    value: String,
}

impl Item {
    /// An item with nothing but what the API demands, a new uuid and the present time. The level is the API's default:
    /// `error` for traces and crash reports, `info` for messages.
    pub fn new(environment: &str, body: impl Into<Body>) -> Self {
        Self::with_uuid(Uuid::new_v4(), environment, body)
    }

    pub(crate) fn with_uuid(uuid: Uuid, environment: &str, body: impl Into<Body>) -> Self {
        let body = body.into();
        Self {
            environment: environment.into(),
            level: body.default_level(),
            body,
            timestamp: seconds(SystemTime::now()),
            uuid,
            code_version: None,
            platform: std::env::consts::OS.to_owned(),
            language: "rust".to_owned(),
            framework: None,
            context: None,
            request: None,
            person: None,
            server: Server::default(),
            custom: Map::new(),
            fingerprint: None,
            title: None,
            notifier: Notifier {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                diagnostic: Map::new(),
            },
            attributes: Vec::new(),
        }
    }

    /// The environment, such as `production`; cut at 255 characters.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// Sets the environment.
    pub fn set_environment(&mut self, environment: &str) {
        self.environment = environment.into();
    }

    /// What happened.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// What happened, to be changed.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The level. The first occurrence of an item in Rollbar sets the item's.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Sets the level.
    pub fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// When it happened, in seconds since 1970.
    pub fn timestamp(&self) -> f64 {
        self.timestamp
    }

    pub(crate) fn set_time(&mut self, time: SystemTime) {
        self.timestamp = seconds(time);
    }

    /// The occurrence's identity: what a report returned. A retry has the same.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// The version of the program; cut at 40 characters.
    pub fn code_version(&self) -> Option<&str> {
        self.code_version.as_deref()
    }

    /// Sets the version of the program: a semantic version, a number or a commit.
    pub fn set_code_version(&mut self, version: Option<&str>) {
        self.code_version = version.map(Into::into);
    }

    /// Sets the platform; by default the operating system.
    pub fn set_platform(&mut self, platform: &str) {
        platform.clone_into(&mut self.platform);
    }

    pub(crate) fn set_language(&mut self, language: &str) {
        language.clone_into(&mut self.language);
    }

    /// The framework, such as `axum`.
    pub fn framework(&self) -> Option<&str> {
        self.framework.as_deref()
    }

    /// Sets the framework.
    pub fn set_framework(&mut self, framework: Option<&str>) {
        self.framework = framework.map(ToOwned::to_owned);
    }

    /// Where in the program it happened, such as the route of a request.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// Sets the context; cut at 255 characters.
    pub fn set_context(&mut self, context: Option<&str>) {
        self.context = context.map(Into::into);
    }

    /// The request that was served.
    pub fn request(&self) -> Option<&Request> {
        self.request.as_ref()
    }

    /// The request that was served, to be changed or taken away.
    pub fn request_mut(&mut self) -> &mut Option<Request> {
        &mut self.request
    }

    /// The person it happened to.
    pub fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// Sets the person.
    pub fn set_person(&mut self, person: Option<Person>) {
        self.person = person;
    }

    /// The machine and the program.
    pub fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    /// The user's own data.
    pub fn custom(&self) -> &Map<String, Value> {
        &self.custom
    }

    /// The user's own data, to be changed.
    pub fn custom_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.custom
    }

    /// What groups occurrences into an item, where it is not left to Rollbar.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Sets the fingerprint. Of one with more than 40 characters Rollbar takes the SHA-1.
    pub fn set_fingerprint(&mut self, fingerprint: Option<&str>) {
        self.fingerprint = fingerprint.map(ToOwned::to_owned);
    }

    /// The title, where it is not left to Rollbar.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Sets the title; cut at 255 characters.
    pub fn set_title(&mut self, title: Option<&str>) {
        self.title = title.map(Into::into);
    }

    /// Notes of the SDK about this item, for whoever looks into a problem with the SDK itself.
    pub(crate) fn diagnostic_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.notifier.diagnostic
    }

    pub(crate) fn add_attribute(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.attributes.push(Attribute { key: key.into(), value: value.into() });
    }
}

fn seconds(time: SystemTime) -> f64 {
    // A clock before 1970 is no reason to lose a report.
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs_f64() * 1000.0).round() / 1000.0
}
