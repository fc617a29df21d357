//! Describes a recorder. What is wrong is refused here, never later.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::settings::{Environment, Settings, stream_at};
use super::{ContextMissing, Core, Extras, Recorder, RecorderGuard, current, missing};
use crate::annotation::AnnotationKeyPolicy;
use crate::daemon_address::{DaemonAddress, InvalidDaemonAddress};
use crate::exporter::{Captured, Exporter, UdpExporter};
use crate::http::StatusFlags;
use crate::late_keep::LateKeep;
use crate::listener::SegmentListener;
use crate::naming::SegmentNaming;
#[cfg(feature = "central-sampling")]
use crate::sampling::{CentralSampler, CentralSamplerBuilder};
use crate::sampling::{InvalidSamplingRules, LocalSampler, Sampler, SamplingRulesFileError};

/// Why a recorder could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address given to [`RecorderBuilder::daemon_address`].
    #[error(transparent)]
    DaemonAddress(#[from] InvalidDaemonAddress),
    /// The rules given to [`RecorderBuilder::sampling_rules`].
    #[error(transparent)]
    SamplingRules(#[from] InvalidSamplingRules),
    /// The file given to [`RecorderBuilder::sampling_rules_file`].
    #[error(transparent)]
    SamplingRulesFile(#[from] SamplingRulesFileError),
    /// A service name with nothing in it.
    #[error("the service name is empty: give `service(\"name\")` the name that the map of services shows")]
    EmptyService,
}

/// Why a recorder could not be installed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InstallError {
    /// What was described cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Another recorder is installed and its guard is alive.
    #[error("a recorder is installed already: use `build()` for a second one, or drop the first one's guard")]
    AlreadyInstalled,
}

/// Settings of a recorder, all with defaults. X-Ray's environment variables win over what is set here:
/// `AWS_XRAY_DAEMON_ADDRESS`, `AWS_XRAY_TRACING_NAME`, `AWS_XRAY_CONTEXT_MISSING`, `AWS_XRAY_SDK_ENABLED`,
/// `AWS_XRAY_SDK_DISABLED`, `AWS_XRAY_NOOP_ID`.
#[derive(Debug)]
#[must_use = "nothing is recorded before `install()` or `build()`"]
pub struct RecorderBuilder {
    settings: Settings,
    dynamic_naming: Option<String>,
    daemon_address: Option<String>,
    /// None: nothing was said.
    sampling: Option<Sampling>,
    exporter: Option<Box<dyn Exporter>>,
    extras: Extras,
}

#[derive(Debug)]
enum Sampling {
    #[cfg(feature = "central-sampling")]
    Central(CentralSamplerBuilder),
    Rules(Result<LocalSampler, BuildError>),
    Sampler(Arc<dyn Sampler>),
    Off,
}

impl Default for Sampling {
    #[cfg(feature = "central-sampling")]
    fn default() -> Self {
        Self::Central(CentralSampler::builder())
    }

    #[cfg(not(feature = "central-sampling"))]
    fn default() -> Self {
        Self::Rules(Ok(LocalSampler::default()))
    }
}

impl RecorderBuilder {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings::default(),
            dynamic_naming: None,
            daemon_address: None,
            sampling: None,
            exporter: None,
            extras: Extras::default(),
        }
    }

    /// The service's name: that of its segments. `AWS_XRAY_TRACING_NAME` wins. Default: `unknown`.
    pub fn service(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.settings.service = name.into();
        self
    }

    /// The service's version, as `service.version` of each segment.
    pub fn service_version(mut self, version: impl Into<String>) -> Self {
        self.settings.service_version = Some(version.into());
        self
    }

    /// What the service runs on, as `origin` of each segment: `AWS::ECS::Container`, for example. It is the service type
    /// that sampling rules see.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.settings.origin = Some(origin.into());
        self
    }

    /// Names the segment of a request after its `Host` header where `pattern` matches it (`*` and `?` are wildcards),
    /// and after the service elsewhere.
    pub fn dynamic_naming(mut self, pattern: impl Into<String>) -> Self {
        self.dynamic_naming = Some(pattern.into());
        self
    }

    /// Where the daemon listens: `host:port`, or `udp:host:port tcp:host:port`. Names are resolved late and again, as
    /// pods move. `AWS_XRAY_DAEMON_ADDRESS` wins. Default: `127.0.0.1:2000`.
    pub fn daemon_address(mut self, address: impl Into<String>) -> Self {
        self.daemon_address = Some(address.into());
        self
    }

    /// The rules of the X-Ray console, asked of the daemon, with settings of yours: rules of a file as the fallback, for example. Default
    /// (feature `central-sampling`), with a fallback that records the first request of each second and 5 % of the others.
    ///
    /// The daemon is the one at [`daemon_address`](Self::daemon_address), where the sampler has no other. Nobody is asked where the
    /// recorder is switched off, and in AWS Lambda: there the fallback decides.
    ///
    /// ```
    /// use xray_runtime::{CentralSampler, LocalSampler, Recorder};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let fallback = r#"{"version": 2, "default": {"fixed_target": 2, "rate": 0.1}}"#;
    /// let sampling = CentralSampler::builder().fallback(LocalSampler::from_json(fallback)?);
    /// let recorder = Recorder::builder().central_sampling(sampling).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "central-sampling")]
    pub fn central_sampling(mut self, sampling: CentralSamplerBuilder) -> Self {
        self.sampling = Some(Sampling::Central(sampling));
        self
    }

    /// Local sampling rules, as JSON text (version 1 or 2 of the SDKs' rule document). They alone decide: the daemon is not asked, unlike
    /// in X-Ray's other SDKs, where they are the fallback of the console's rules; for that see `central_sampling`.
    pub fn sampling_rules(mut self, json: &str) -> Self {
        self.sampling = Some(Sampling::Rules(LocalSampler::from_json(json).map_err(BuildError::from)));
        self
    }

    /// As [`sampling_rules`](Self::sampling_rules), from a file.
    pub fn sampling_rules_file(mut self, path: impl AsRef<Path>) -> Self {
        self.sampling = Some(Sampling::Rules(LocalSampler::from_file(path).map_err(BuildError::from)));
        self
    }

    /// Decides by a sampler of yours, or by [`AllSampler`](crate::AllSampler) or [`NoneSampler`](crate::NoneSampler).
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampling = Some(Sampling::Sampler(Arc::new(sampler)));
        self
    }

    /// Switches sampling off: every request is recorded, but one whose caller says `Sampled=0`.
    pub fn without_sampling(mut self) -> Self {
        self.sampling = Some(Sampling::Off);
        self
    }

    /// What happens where no segment is current. `AWS_XRAY_CONTEXT_MISSING` wins. Default: a warning a minute.
    pub fn context_missing(mut self, strategy: ContextMissing) -> Self {
        self.settings.context_missing = strategy;
        self
    }

    /// Lets [`ContextMissing::RuntimeError`] panic in release builds too.
    pub fn context_missing_panics_in_release(mut self) -> Self {
        self.settings.context_missing_panics_in_release = true;
        self
    }

    /// Records nothing where false. `AWS_XRAY_SDK_ENABLED` and `AWS_XRAY_SDK_DISABLED` win. Default: true.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.settings.enabled = enabled;
        self
    }

    /// Subsegments that a segment may hold: with more, closed subtrees are sent ahead of it. Default: 100.
    pub fn streaming_threshold(mut self, subsegments: usize) -> Self {
        self.settings.stream_at = stream_at(subsegments);
        self
    }

    /// What becomes of annotation keys with characters that X-Ray does not index. Default: each becomes `_`.
    pub fn annotation_keys(mut self, policy: AnnotationKeyPolicy) -> Self {
        self.settings.annotation_keys = policy;
        self
    }

    /// Takes the client's address from `X-Forwarded-For` counting from the right: 1 is the address that the last
    /// proxy saw. Default: the first address of the header.
    pub fn trusted_hops(mut self, hops: usize) -> Self {
        self.settings.trusted_hops = Some(hops);
        self
    }

    /// What a status means, where the rule (4xx error, 429 throttle, 5xx fault) is not what you want.
    pub fn status(mut self, status: u16, flags: StatusFlags) -> Self {
        self.settings.status_overrides = self.settings.status_overrides.with(status, flags);
        self
    }

    /// Memory of ended segments that may wait for the exporter, in bytes; more is dropped and counted. Default: 64 MiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.settings.queue_bytes = bytes;
        self
    }

    /// How long a segment that has ended waits for subsegments that are open; then it is sent with them in progress, and each is
    /// sent again when it ends. Default: 30 s. Hidden, as it is there for tests: the wait is a bound of memory, not a matter of taste.
    #[doc(hidden)]
    pub fn open_children_patience(mut self, patience: Duration) -> Self {
        self.settings.open_children_patience = patience;
        self
    }

    /// Sends by an exporter of yours instead of UDP to the daemon.
    pub fn exporter(mut self, exporter: impl Exporter + 'static) -> Self {
        self.exporter = Some(Box::new(exporter));
        self
    }

    /// Tells a listener of yours when segments begin and end. May be called more than once: they are told in this order.
    pub fn listener(mut self, listener: impl SegmentListener + 'static) -> Self {
        self.extras.listeners.push(Box::new(listener));
        self
    }

    /// Keeps segments that the sampler said no to where they end in a failure or were slow. Default: no; then they are not
    /// recorded and cost a branch.
    pub fn late_keep(mut self, late_keep: LateKeep) -> Self {
        self.extras.late_keep = Some(late_keep);
        self
    }

    /// Sends segments that are open for longer, each time this has passed again, as in progress: a job of hours is
    /// seen while it runs. Each time the document has name, trace and start of the segment and no subsegments; the document of
    /// its end has the same id and takes its place. Default: none, segments are sent when they have ended. At least 1 ms;
    /// 131,072 open segments have a heartbeat at once.
    ///
    /// A heartbeat counts in [`Stats::documents_sent`](crate::Stats::documents_sent), but as no segment.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use xray_runtime::{Recorder, in_segment};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let _xray = Recorder::builder().service("nightly").heartbeat(Duration::from_secs(30)).install()?;
    /// in_segment("nightly", || std::thread::sleep(Duration::from_secs(3_600)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.extras.heartbeat = Some(every);
        self
    }

    /// Finds out where the program runs, for the `aws` block of segments and their `origin`. May be called more than once: of
    /// several origins that of the last plugin wins, and one of [`origin`](Self::origin) wins over all.
    ///
    /// Plugins are asked on threads of their own when the first segment begins; nobody waits for them. Segments whose documents are written
    /// before the answer go without it. Once all have answered, the origin is the service type that sampling rules see. A plugin
    /// that fails says so once, in a warning.
    ///
    /// ```no_run
    /// use xray_runtime::{Ec2Plugin, EcsPlugin, Recorder};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let _xray = Recorder::builder().service("orders").plugin(Ec2Plugin::new()).plugin(EcsPlugin::new()).install()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "plugins")]
    pub fn plugin(mut self, plugin: impl crate::plugin::Plugin + 'static) -> Self {
        self.extras.plugins.push(Box::new(plugin));
        self
    }

    /// Makes no segment of requests whose path matches, such as health checks, whichever way they come: the recorder's sampler is not
    /// asked, nothing is recorded or counted, nobody is warned of a missing segment, and the response has no trace header. A trace
    /// header that came with the request goes on to the services that are called, as it came, so that a trace of others does not
    /// break; where none came, none is sent. `*` stands for any run of characters, `?` for one; without regard to
    /// case, as in sampling rules. May be called more than once.
    ///
    /// It looks at the path that a request is [described](crate::SegmentBuilder::request) with. For one server of several see
    /// `XRayLayer::skip_path`.
    ///
    /// ```
    /// use xray_runtime::{Recorder, SamplingRequest, current, in_subsegment};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (recorder, captured) = Recorder::builder().skip_path("/health*").skip_path("/metrics").in_memory()?;
    /// for path in ["/healthz", "/orders"] {
    ///     let segment = recorder.request_segment().request(SamplingRequest::new().with_url_path(path)).begin();
    ///     in_subsegment("step", || assert_eq!(current().is_recorded(), path == "/orders"));
    ///     segment.end();
    /// }
    /// assert_eq!(captured.segments().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn skip_path(mut self, pattern: impl Into<String>) -> Self {
        self.settings.skipped.push(pattern.into().into_boxed_str());
        self
    }

    /// Builds a recorder for tests with these settings: as [`Recorder::in_memory`], it reads no environment variables, keeps what it records
    /// for assertions in the place of an exporter, and asks no daemon; where no sampler or rules were given it samples everything.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn in_memory(mut self) -> Result<(Recorder, Captured), BuildError> {
        let captured = Captured::default();
        self.sampling.get_or_insert(Sampling::Off);
        self.exporter = Some(Box::new(captured.exporter()));
        let environment = Environment {
            // As there: nobody is asked for rules.
            #[cfg(feature = "central-sampling")]
            lambda: true,
            ..Environment::default()
        };
        let recorder = self.build_in(&environment)?;
        captured.watch(&recorder);
        Ok((recorder, captured))
    }

    /// Builds a recorder that is not the global one.
    ///
    /// # Errors
    /// Where the daemon's address, the sampling rules or the service's name are wrong.
    pub fn build(self) -> Result<Recorder, BuildError> {
        self.build_in(&Environment::read(|name| std::env::var(name).ok()))
    }

    /// Builds the recorder and makes it the one that attributes, layers and free functions use.
    ///
    /// Also installs a panic hook (chained to the one in place) that notes where a panic came from.
    ///
    /// # Errors
    /// As [`build`](Self::build), and where a recorder is installed already.
    pub fn install(self) -> Result<RecorderGuard, InstallError> {
        let recorder = self.build()?;
        if !current::install(&recorder.core) {
            return Err(InstallError::AlreadyInstalled);
        }
        let settings = &recorder.core.settings;
        // Where nothing is recorded nothing is missing.
        let strategy =
            if recorder.is_enabled() { settings.context_missing } else { ContextMissing::IgnoreError };
        missing::configure(strategy, settings.context_missing_panics_in_release);
        crate::awaiting::open(&recorder.core);
        Ok(RecorderGuard::new(recorder))
    }

    pub(crate) fn build_in(mut self, environment: &Environment) -> Result<Recorder, BuildError> {
        let of_environment = environment.daemon_address.as_deref().and_then(|text| {
            text.parse::<DaemonAddress>()
                .inspect_err(|error| {
                    tracing::error!(target: "xray_runtime", "AWS_XRAY_DAEMON_ADDRESS is ignored: {error}");
                })
                .ok()
        });
        let address = match &of_environment {
            Some(address) => address.clone(),
            None => {
                self.daemon_address.as_deref().map_or_else(|| Ok(DaemonAddress::default()), str::parse)?
            }
        };
        if let Some(name) = &environment.tracing_name {
            self.settings.service = Cow::Owned(name.clone());
        }
        if self.settings.service.trim().is_empty() {
            return Err(BuildError::EmptyService);
        }
        if let Some(strategy) = environment.context_missing {
            self.settings.context_missing = strategy;
        }
        self.settings.enabled = environment.enabled.unwrap_or(self.settings.enabled);
        self.settings.noop_ids = environment.noop_ids.unwrap_or(self.settings.noop_ids);
        let naming = match self.dynamic_naming {
            Some(pattern) => SegmentNaming::dynamic(pattern, self.settings.service.as_ref()),
            None => SegmentNaming::fixed(self.settings.service.as_ref()),
        };
        let sampler: Option<Arc<dyn Sampler>> = match self.sampling.unwrap_or_default() {
            #[cfg(feature = "central-sampling")]
            Sampling::Central(sampling) if self.settings.enabled && !environment.lambda => {
                Some(Arc::new(sampling.build_for(address.clone(), of_environment.is_some())))
            }
            #[cfg(feature = "central-sampling")]
            Sampling::Central(sampling) => Some(Arc::new(sampling.into_fallback())),
            Sampling::Rules(rules) => Some(Arc::new(rules?)),
            Sampling::Sampler(sampler) => Some(sampler),
            Sampling::Off => None,
        };
        if self.settings.enabled {
            crate::panic::install();
        }
        #[cfg(feature = "lambda")]
        {
            self.settings.in_lambda = environment.task_root;
            if environment.task_root && self.settings.enabled {
                crate::lambda::tell_initialized();
            }
        }
        let exporter = self.exporter.unwrap_or_else(|| Box::new(UdpExporter::new(address)));
        Ok(Recorder { core: Core::new(self.settings, naming, sampler, exporter, self.extras) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(builder: RecorderBuilder, environment: Environment) -> Result<Recorder, BuildError> {
        builder.build_in(&environment)
    }

    #[test]
    fn the_environment_wins_over_code() {
        let environment = Environment {
            tracing_name: Some("from-env".into()),
            context_missing: Some(ContextMissing::IgnoreError),
            enabled: Some(false),
            ..Environment::default()
        };
        let recorder = build(Recorder::builder().service("from-code"), environment).unwrap();
        assert_eq!(recorder.core.settings.service, "from-env");
        assert_eq!(recorder.core.settings.context_missing, ContextMissing::IgnoreError);
        assert!(!recorder.is_enabled());
    }

    #[test]
    fn wrong_settings_are_refused() {
        let error = build(Recorder::builder().daemon_address("nowhere"), Environment::default()).unwrap_err();
        assert!(matches!(error, BuildError::DaemonAddress(_)), "{error}");
        let error = build(Recorder::builder().sampling_rules("{}"), Environment::default()).unwrap_err();
        assert!(matches!(error, BuildError::SamplingRules(_)), "{error}");
        let error = build(Recorder::builder().service(" "), Environment::default()).unwrap_err();
        assert!(matches!(error, BuildError::EmptyService), "{error}");
    }

    #[test]
    fn a_wrong_environment_is_not() {
        let environment = Environment { daemon_address: Some("a:1:2".into()), ..Environment::default() };
        assert!(build(Recorder::builder(), environment).is_ok());
    }

    #[cfg(feature = "central-sampling")]
    #[test]
    fn who_decides_where_nothing_else_was_said() {
        let sampler = |builder: RecorderBuilder, environment: Environment| {
            let recorder = build(builder, environment).unwrap();
            recorder.core.sampler.as_ref().map(|sampler| {
                format!("{sampler:?}").split_whitespace().next().unwrap_or_default().to_owned()
            })
        };
        let central = Some("CentralSampler".to_owned());
        let local = Some("LocalSampler".to_owned());
        let rules = r#"{"version": 2, "default": {"fixed_target": 1, "rate": 0}}"#;
        let lambda = || Environment { lambda: true, ..Environment::default() };
        let disabled = Environment { enabled: Some(false), ..Environment::default() };
        assert_eq!(sampler(Recorder::builder(), Environment::default()), central);
        assert_eq!(sampler(Recorder::builder(), lambda()), local);
        assert_eq!(sampler(Recorder::builder().central_sampling(CentralSampler::builder()), lambda()), local);
        assert_eq!(sampler(Recorder::builder(), disabled), local);
        assert_eq!(sampler(Recorder::builder().enabled(false), Environment::default()), local);
        assert_eq!(sampler(Recorder::builder().sampling_rules(rules), Environment::default()), local);
        assert_eq!(sampler(Recorder::builder().without_sampling(), Environment::default()), None);
        assert!(Recorder::in_memory().0.core.sampler.is_none());
    }

    #[cfg(feature = "central-sampling")]
    #[test]
    fn the_daemon_of_the_environment_is_asked_for_rules() {
        let environment = |address: Option<&str>| Environment {
            daemon_address: address.map(str::to_owned),
            ..Environment::default()
        };
        let own = || CentralSampler::builder().daemon_address("of-sampler:1".parse().unwrap());
        for (sampling, given, expected) in [
            (CentralSampler::builder(), None, "of-recorder"),
            (CentralSampler::builder(), Some("tcp:of-environment:1 udp:other:1"), "of-environment"),
            (own(), None, "of-sampler"),
            (own(), Some("of-environment:1"), "of-environment"),
            (own(), Some("no address"), "of-sampler"),
        ] {
            let builder = Recorder::builder().daemon_address("of-recorder:1").central_sampling(sampling);
            let recorder = build(builder, environment(given)).unwrap();
            let sampler = format!("{:?}", recorder.core.sampler);
            assert!(sampler.contains(&format!("tcp: Endpoint {{ host: {expected:?}")), "{sampler}");
        }
    }
}
