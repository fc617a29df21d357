//! The sampler that decides by the rules of the X-Ray console.
//!
//! `rule.rs`, `rules.rs`: whom the rules are about, and which one decides; `reservoir.rs`: how; `targets.rs`: what the service grants;
//! `daemon.rs`, `poller.rs`: where all that comes from.

mod daemon;
mod poller;
mod reservoir;
mod rule;
mod rules;
mod targets;

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use arc_swap::ArcSwap;

use self::daemon::Daemon;
use self::poller::{Intervals, Poller};
use self::rules::RuleSet;
use super::{LocalSampler, Sampler, SamplingDecision, SamplingRequest, unix_now};
use crate::daemon_address::DaemonAddress;
use crate::warning::Warned;

#[doc(hidden)]
pub use self::reservoir::{CentralHow, RuleStatistics};
#[doc(hidden)]
pub use self::rules::{CentralDecision, CentralRules, RuleReport};

/// Decides by the sampling rules of the X-Ray console, which it asks of the daemon: centralized sampling.
///
/// A recorder for which no other sampling was chosen has one of these, with the address of its daemon.
///
/// * **Rules** are fetched when the first request is decided and every 300 s from then on. The first one that matches host, method,
///   path, service name and service type decides, by priority; the rule `Default` matches what is left. The daemon is asked through
///   its TCP address: `POST /GetSamplingRules`, and it asks X-Ray or answers by itself.
/// * **Reservoirs**: every 10 s the daemon is told how many requests each rule matched, and tells how many each second it may record
///   (`POST /SamplingTargets`). Until it has, one request a second is recorded. The rule's rate decides about the others.
/// * **The fallback**, a [`LocalSampler`], decides while no rules are known, when the last ones are more than an hour old, and where
///   no rule matches. Default: 1 request a second, and 5 % of the others.
///
/// The calls are made by a thread of the sampler's own, are never recorded, and keep no decision waiting; a daemon that does not answer
/// is one warning, until it answers again. Statistics that did not arrive are told with the next ones. The thread ends with the
/// sampler. After a fork the child asks anew, as a client of its own.
///
/// ```no_run
/// use xray_runtime::{CentralSampler, LocalSampler, Recorder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let fallback = LocalSampler::from_file("sampling-rules.json")?;
/// let _xray = Recorder::builder()
///     .service("orders")
///     .central_sampling(CentralSampler::builder().fallback(fallback))
///     .install()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CentralSampler {
    current: Arc<ArcSwap<RuleSet>>,
    fallback: LocalSampler,
    strict_matching: bool,
    adaptive: bool,
    address: DaemonAddress,
    intervals: Intervals,
    /// The second in which a request looked after the poller last.
    looked_at: AtomicU32,
    poller: Mutex<Polling>,
}

#[derive(Debug, Default)]
struct Polling {
    running: Option<Running>,
    warned: Warned,
}

/// The poller's thread, which ends when this is dropped.
#[derive(Debug)]
struct Running {
    process: u32,
    _alive: Sender<Infallible>,
}

/// Describes a [`CentralSampler`]. All settings have defaults.
#[derive(Debug, Default)]
#[must_use = "it asks for nothing before `build()`"]
pub struct CentralSamplerBuilder {
    fallback: LocalSampler,
    strict_matching: bool,
    adaptive: bool,
    address: Option<DaemonAddress>,
    intervals: Intervals,
}

impl CentralSamplerBuilder {
    /// The sampler that decides where the console's rules cannot. Default: [`LocalSampler::new`].
    pub fn fallback(mut self, fallback: LocalSampler) -> Self {
        self.fallback = fallback;
        self
    }

    /// Whether a host, method, path, service name or type that the request does not have matches only a pattern that matches the
    /// empty text, such as `*`. Otherwise, as in the SDKs for Python, Go and Node, it matches every pattern. Default: false.
    /// The fallback has a setting of its own.
    pub fn strict_matching(mut self, strict: bool) -> Self {
        self.strict_matching = strict;
        self
    }

    /// **Experimental.** Whether to follow the boosts of X-Ray's adaptive sampling: while the service grants one, the higher of its rate
    /// and the rule's counts. No other X-Ray SDK does. Anomalies are not reported from here, so a boost comes only where another client
    /// of the rule reports them. Default: false.
    pub fn adaptive_sampling(mut self, follow_boosts: bool) -> Self {
        self.adaptive = follow_boosts;
        self
    }

    /// The daemon to ask, at the TCP part of this address. Names are resolved at each call. Default: that of the recorder; without
    /// one, `127.0.0.1:2000`. In a recorder `AWS_XRAY_DAEMON_ADDRESS` wins.
    pub fn daemon_address(mut self, address: DaemonAddress) -> Self {
        self.address = Some(address);
        self
    }

    /// How often rules are fetched and statistics are told, and how long an answer may take. Hidden, as it is there for tests: the
    /// service counts on the usual ones.
    #[doc(hidden)]
    pub fn intervals(mut self, rules: Duration, targets: Duration, patience: Duration) -> Self {
        self.intervals = Intervals { rules, targets, patience };
        self
    }

    /// The sampler. It asks nobody before its first decision.
    pub fn build(self) -> CentralSampler {
        CentralSampler {
            current: Arc::new(ArcSwap::from_pointee(RuleSet::never_loaded())),
            fallback: self.fallback,
            strict_matching: self.strict_matching,
            adaptive: self.adaptive,
            address: self.address.unwrap_or_default(),
            intervals: self.intervals,
            // No second that will be for the next 80 years.
            looked_at: AtomicU32::new(u32::MAX),
            poller: Mutex::default(),
        }
    }

    /// In a recorder: the address of the environment, else that set here, else the recorder's.
    pub(crate) fn build_for(mut self, recorder: DaemonAddress, of_environment: bool) -> CentralSampler {
        self.address = if of_environment { Some(recorder) } else { self.address.or(Some(recorder)) };
        self.build()
    }

    /// Where nobody may be asked.
    pub(crate) fn into_fallback(self) -> LocalSampler {
        self.fallback
    }
}

impl CentralSampler {
    /// Starts to describe one.
    pub fn builder() -> CentralSamplerBuilder {
        CentralSamplerBuilder::default()
    }

    /// Starts the poller where none runs: at the first decision, and in the child of a fork, where the thread did not come along.
    #[cold]
    #[inline(never)]
    fn look_after_poller(&self) {
        let mut polling = match self.poller.try_lock() {
            Ok(polling) => polling,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread does it. Nobody waits, as that thread may be one of the parent process.
            Err(TryLockError::WouldBlock) => return,
        };
        let process = std::process::id();
        if polling.running.as_ref().is_some_and(|running| running.process == process) {
            return;
        }
        if let Some(of_parent) = polling.running.take() {
            // Not dropped: the channel's locks may be held by a thread that is not here.
            std::mem::forget(of_parent);
            // What was granted and counted is the parent's.
            self.current.store(Arc::new(RuleSet::never_loaded()));
        }
        let (alive, sampler) = mpsc::channel();
        let rules = CentralRules::new(Arc::clone(&self.current), self.adaptive);
        let (endpoint, intervals) = (self.address.tcp().clone(), self.intervals);
        // The HTTP client is made there: a request waits for the start of the thread and no more.
        let life =
            move || Poller::new(Daemon::new(endpoint, intervals.patience), rules, intervals).run(&sampler);
        match std::thread::Builder::new().name("xray-sampling".into()).spawn(life) {
            Ok(_) => polling.running = Some(Running { process, _alive: alive }),
            // The next second tries again.
            Err(error) if polling.warned.is_due() => tracing::warn!(
                target: "xray_runtime",
                "the thread that asks for sampling rules could not be started: {error} (one such warning a minute)"
            ),
            Err(_) => {}
        }
    }
}

impl Drop for CentralSampler {
    fn drop(&mut self) {
        let polling = self.poller.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = polling.running.take_if(|running| running.process != std::process::id()) {
            // As above.
            std::mem::forget(running);
        }
    }
}

impl Default for CentralSampler {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Sampler for CentralSampler {
    fn decide(&self, request: &SamplingRequest<'_>) -> SamplingDecision {
        let now = unix_now();
        // Once a second: asking for the process's number is a system call.
        let second = now as u32;
        if self.looked_at.load(Relaxed) != second {
            self.looked_at.store(second, Relaxed);
            self.look_after_poller();
        }
        let set = self.current.load();
        match set.decide(request, self.strict_matching, now, fastrand::f64) {
            Some((true, rule, _)) => SamplingDecision { sampled: true, rule_name: Some(Arc::clone(rule)) },
            Some((false, ..)) => false.into(),
            None => self.fallback.decide_at(request, now, fastrand::f64).sampled.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_thread_ends_with_the_sampler() {
        // It takes the call and never answers it, which keeps the thread for a moment only.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let long = Duration::from_secs(3_600);
        let sampler = CentralSampler::builder()
            .daemon_address(listener.local_addr().unwrap().to_string().parse().unwrap())
            .intervals(long, long, Duration::from_millis(10))
            .build();
        let current = Arc::downgrade(&sampler.current);
        assert_eq!(current.strong_count(), 1);
        sampler.decide(&SamplingRequest::new());
        listener.accept().unwrap();
        assert_eq!(current.strong_count(), 2, "the sampler's and the thread's");
        drop(sampler);
        let until = Instant::now() + Duration::from_secs(20);
        while current.strong_count() > 0 {
            assert!(Instant::now() < until, "the thread lives on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn whose_address_counts() {
        let address = |text: &str| text.parse::<DaemonAddress>().unwrap();
        let tcp = |sampler: CentralSampler| sampler.address.tcp().to_string();
        let own = || CentralSampler::builder().daemon_address(address("own:1"));
        assert_eq!(tcp(CentralSampler::default()), "127.0.0.1:2000");
        assert_eq!(tcp(own().build()), "own:1");
        let recorder = address("tcp:recorder:1 udp:other:2");
        assert_eq!(tcp(CentralSampler::builder().build_for(recorder.clone(), false)), "recorder:1");
        assert_eq!(tcp(own().build_for(recorder.clone(), false)), "own:1");
        assert_eq!(tcp(own().build_for(recorder, true)), "recorder:1", "the environment wins");
    }
}
