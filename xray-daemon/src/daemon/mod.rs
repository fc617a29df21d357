//! The place of the AWS X-Ray daemon: receives over UDP, relays to AWS X-Ray, signs or answers what samplers ask over TCP.
//!
//! Threads: the receiver's, that of the TCP server, and the main one, which runs the relay and waits for signals.

mod observed;
mod sampling_rules;
mod signals;
mod telemetry;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;
use xray_console::sampling::{self, RulesOnDisk, RulesOnDiskError};

use self::observed::RelayObserved;
use self::signals::{Signals, Told};
use self::telemetry::TelemetryTask;
use crate::builder::{StartError, bind_tcp, bind_udp};
use crate::intake::Batching;
use crate::log::{self, LogError};
use crate::receiver::{RECEIVE_BUFFER, Receiver, Stop};
use crate::relay::{CONCURRENCY, Relay, RelaySettings, RelayStats};
use crate::settings::Settings;
use crate::stats::{DatagramCounts, RequestCounts};
use crate::tcp::{self, Gate, Origins, Server};
use crate::upstream::aws::{AwsError, AwsXRay};

/// How long the last segments may take once the daemon is told to end. Docker kills after 10 seconds.
const GRACE: Duration = Duration::from_secs(8);

/// How long the last telemetry, and answers over TCP that are under way, may take after that.
const LAST_CALLS: Duration = Duration::from_secs(1);

/// How often the file of sampling rules is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How long the last lines of the log may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Why the daemon did not start.
#[derive(Debug, Error)]
enum DaemonError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Rules(#[from] RulesOnDiskError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the system gives no threads, sockets or signals: {0}")]
    System(#[from] io::Error),
}

/// Runs until a signal ends it. The result is 0 then, and 1 where it could not start.
pub(crate) fn run(settings: Settings) -> ExitCode {
    let code = match log::install(&settings.log) {
        Ok(()) => block_on(&settings),
        Err(error) => Err(error.into()),
    }
    .unwrap_or_else(|error| refuse(&settings, &error));
    log::flush(LAST_LINES);
    code
}

fn block_on(settings: &Settings) -> Result<ExitCode, DaemonError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(async { Ok(Daemon::start(settings).await?.run().await) });
    // What is left (a telemetry call, say) has had its time.
    runtime.shutdown_background();
    code
}

/// Says why there is no daemon, where people look: in the log, and on standard error where that is a file or there is none.
fn refuse(settings: &Settings, error: &DaemonError) -> ExitCode {
    tracing::error!(target: "xray_daemon", "{error}");
    if settings.log.path.is_some() || matches!(error, DaemonError::Log(_)) {
        let _ = writeln!(io::stderr(), "xray-daemon: {error}");
    }
    ExitCode::FAILURE
}

/// A running daemon.
struct Daemon {
    signals: Signals,
    stop: Stop,
    received_all: oneshot::Receiver<Option<u64>>,
    relay: Relay,
    telemetry: TelemetryTask,
    /// Ends when dropped.
    server: Server,
    counts: Arc<DatagramCounts>,
    rules: Option<RulesOnDisk>,
}

impl Daemon {
    async fn start(settings: &Settings) -> Result<Self, DaemonError> {
        tracing::info!(target: "xray_daemon", "Initializing AWS X-Ray daemon {}", env!("CARGO_PKG_VERSION"));
        for note in &settings.notes {
            tracing::warn!(target: "xray_daemon", "{note}");
        }
        let megabytes = settings.buffer_bytes >> 20;
        tracing::info!(target: "xray_daemon", "Using buffer memory limit of {megabytes} MB");
        let signals = Signals::new()?;
        let rules = settings.sampling_rules.as_deref().map(|path| RulesOnDisk::open(path, SystemTime::now()));
        let rules = rules.transpose()?;
        if let Some(rules) = &rules {
            sampling_rules::warn(rules.warnings());
        }
        // Before the region is asked for, which may take seconds: what comes from here on waits in the receive buffer.
        let socket = bind_udp(&settings.udp)?;
        let listener = bind_tcp(&settings.tcp)?;
        let (receiver, stop) = Receiver::new(socket)?;
        let observer = receiver.observer()?;
        warn_of_small_buffer(observer.buffer());
        let aws = AwsXRay::connect(settings.aws.clone()).await?;
        tracing::info!(target: "xray_daemon", "Using region: {}", aws.region());
        tracing::info!(target: "xray_daemon", "HTTP Proxy server using X-Ray Endpoint : {}", aws.endpoint());

        let concurrency = settings.concurrency.unwrap_or(CONCURRENCY);
        let relay_settings = RelaySettings { buffer_bytes: settings.buffer_bytes, concurrency };
        let relay = Relay::start(Arc::new(aws.clone()), relay_settings);
        let counts = Arc::new(DatagramCounts::default());
        let telemetry = TelemetryTask::start(Arc::new(aws.clone()), counts.clone(), relay.queue());
        let requests = Arc::new(RequestCounts::default());
        let observed = Arc::new(RelayObserved {
            started: Instant::now(),
            socket: observer,
            counts: counts.clone(),
            requests: requests.clone(),
            relays: vec![relay.queue()],
            rules: rules.as_ref().map(RulesOnDisk::rules),
        });
        let routes = tcp::observe::routes(observed);
        let routes = match &rules {
            Some(rules) => routes
                .merge(tcp::sampling::routes(rules.rules()))
                .merge(tcp::proxy::routes(aws, &sampling::PATHS)),
            None => routes.merge(tcp::proxy::routes(aws, &[])),
        };
        let origins = Origins::new(&settings.tcp, settings.allow_host.iter().map(String::as_str));
        let gate = Gate {
            origins: origins.own_pages_only(),
            counts: requests,
            notice: Arc::new(|text: &str| tracing::warn!(target: "xray_daemon", "{text}")),
            answers: "X-Ray's API",
        };
        let server = Server::start(listener, tcp::routes::router(routes, gate))?;
        tracing::info!(target: "xray_daemon", "Starting proxy http server on {}", server.addr());

        let mut intake = Batching::new(counts.clone(), vec![relay.queue()]);
        let (all, received_all) = oneshot::channel();
        let receive = move || {
            let kernel_dropped = receiver.run(&mut intake);
            let _ = all.send(kernel_dropped);
        };
        std::thread::Builder::new().name("xray-receive".to_owned()).spawn(receive)?;
        tracing::info!(target: "xray_daemon", "Listening on UDP {}", observer.addr());
        Ok(Self { signals, stop, received_all, relay, telemetry, server, counts, rules })
    }

    async fn run(mut self) -> ExitCode {
        let mut looks = tokio::time::interval(LOOK);
        let (name, code) = loop {
            tokio::select! {
                told = self.signals.next() => match told {
                    Told::End(name, code) => {
                        tracing::info!(target: "xray_daemon", "Got shutdown signal: {name}");
                        break (name, code);
                    }
                    Told::Reload => {
                        tracing::info!(target: "xray_daemon", "Got SIGHUP: opens the log and reads the sampling rules again");
                        log::reopen();
                        self.rules.iter_mut().for_each(sampling_rules::reload);
                    }
                },
                _ = looks.tick(), if self.rules.is_some() => self.rules.iter_mut().for_each(sampling_rules::look),
            }
        };
        self.end(name).await;
        code
    }

    /// Sends what has come, within the grace. A second signal ends it at once.
    async fn end(mut self, signal: &str) {
        let queue = self.relay.queue();
        let last = async {
            drop(self.stop);
            let kernel_dropped = self.received_all.await.ok().flatten();
            let stats = self.relay.shutdown(GRACE).await;
            // It ends when dropped, which waits for its thread.
            let server = tokio::task::spawn_blocking(move || drop(self.server));
            let _ = tokio::join!(self.telemetry.end(LAST_CALLS), timeout(LAST_CALLS, server));
            tell_account(&self.counts, &stats, kernel_dropped);
        };
        tokio::select! {
            () = last => {}
            () = self.signals.another(signal) => {
                tracing::warn!(target: "xray_daemon", "A second signal: ends at once, and what was not sent is lost");
                let mut stats = queue.stats();
                stats.dropped.shutdown += unaccounted(&self.counts, &stats);
                tell_account(&self.counts, &stats, None);
                log::flush(LAST_LINES);
                std::process::exit(1);
            }
        }
    }
}

fn warn_of_small_buffer(bytes: usize) {
    if bytes < RECEIVE_BUFFER {
        tracing::warn!(
            target: "xray_daemon",
            "The receive buffer is {} KiB, as the system allows no more: under load, segments are lost before they are read. Raise \
             net.core.rmem_max to {RECEIVE_BUFFER}, or give the daemon CAP_NET_ADMIN",
            bytes >> 10
        );
    }
}

/// Documents that wait or are under way, or are not in a batch yet.
fn unaccounted(counts: &DatagramCounts, stats: &RelayStats) -> u64 {
    let ended = counts.rejected().total() + stats.sent + stats.unprocessed + stats.dropped.total();
    counts.received.load(Ordering::Relaxed).saturating_sub(ended)
}

/// The last line of the log: where every datagram went.
fn tell_account(counts: &DatagramCounts, stats: &RelayStats, kernel_dropped: Option<u64>) {
    let (received, rejected) = (counts.received.load(Ordering::Relaxed), counts.rejected().total());
    let RelayStats { sent, unprocessed, dropped, .. } = stats;
    let kernel =
        kernel_dropped.map_or(String::new(), |dropped| format!("; {dropped} dropped by the kernel before"));
    tracing::info!(
        target: "xray_daemon",
        "Received {received} segments: {sent} sent, {rejected} rejected, {unprocessed} unprocessed, {} dropped (memory {}, refused {}, \
         unanswered {}, shutdown {}, panicked {}){kernel}",
        dropped.total(),
        dropped.memory,
        dropped.refused,
        dropped.unanswered,
        dropped.shutdown,
        dropped.panicked
    );
}
