//! Starts the app: the daemon, the recorders, the Rollbar client, the database and the two services; and stops it in the
//! reverse order.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rollbar_runtime::RollbarGuard;
use tokio::net::TcpListener;
use xray_daemon::LocalDaemon;
use xray_runtime::Recorder;

use crate::app::{self, AppState};
use crate::database::Database;
use crate::downstream::Downstream;
use crate::recommendations;
use crate::service::{Service, bind};
use crate::settings::{Daemon, Ports, Rollbar, Settings};
use crate::statistics::Statistics;

/// How long a stop waits for each recorder, and for the Rollbar client, to send what it holds.
const FLUSH: Duration = Duration::from_secs(2);

/// Stands where no token is set: a double takes any.
const TOKEN_OF_NOBODY: &str = "00000000000000000000000000000000";

/// Any free port of this machine.
const ANY_PORT: &str = "127.0.0.1:0";

/// Why the app cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something else listens on the port.
    #[error(
        "port {port} is taken: stop what listens there, or choose another, such as PORT=4600 cargo run -p cruddur"
    )]
    PortTaken {
        /// The port of the back end, or the one after it.
        port: u16,
    },
    /// The port cannot be listened on for another reason.
    #[error("cannot listen on port {port}: {source}")]
    Listen {
        /// The port of the back end, or the one after it.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// The daemon of this process cannot be started.
    #[error("cannot start the daemon: {0}")]
    Daemon(#[from] xray_daemon::StartError),
    /// A setting of the recorders is wrong.
    #[error("cannot record: {0}")]
    Recorder(#[from] xray_runtime::BuildError),
    /// A setting of the Rollbar client is wrong.
    #[error("cannot report: {0}")]
    Rollbar(#[from] rollbar_runtime::BuildError),
    /// The database cannot be filled.
    #[error("cannot set up the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The HTTP client of the second service cannot be made.
    #[error("cannot make the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Where the segments go, or the reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To the daemon of this process, which listens here.
    Here(SocketAddr),
    /// To another program, which had this address before a daemon of this process could.
    Taken(String),
    /// To where the settings say.
    Configured(String),
    /// Nowhere: the settings switch it off.
    Nowhere,
}

/// Where all goes that the app tells.
#[derive(Debug)]
struct Destinations {
    traces: Destination,
    reports: Destination,
}

/// The running app.
#[derive(Debug)]
pub struct App {
    backend: Service,
    recommendations: Service,
    recorders: [Recorder; 2],
    rollbar: RollbarGuard,
    daemon: Option<LocalDaemon>,
    destinations: Destinations,
}

/// Starts both services, their recorders, the Rollbar client, the database and, where the settings say so, a daemon, for
/// which `show` says what it does with each trace and each report.
///
/// # Errors
/// [`StartError`] where a port is taken or a part cannot be set up; nothing is left running then.
pub async fn start(
    settings: Settings,
    show: impl Fn(xray_daemon::Builder) -> xray_daemon::Builder,
) -> Result<App, StartError> {
    let (backend, recommendations) = match settings.ports {
        Ports::From(port) => (listen(port.get()).await?, listen(port.get().saturating_add(1)).await?),
        Ports::Free => (listen(0).await?, listen(0).await?),
    };
    let (daemon, mut destinations) = start_daemon(&settings, show)?;
    let daemon_address = match &destinations.traces {
        Destination::Here(address) => address.to_string(),
        Destination::Taken(address) | Destination::Configured(address) => address.clone(),
        Destination::Nowhere => String::new(),
    };

    // An app of one service calls `install()`. This one has two in one process, so each gets a recorder of its own;
    // attributes and free functions follow the segment that the service's layer opened.
    let mut backend_recorder = record("Cruddur", &daemon_address);
    if let Some(pattern) = settings.dynamic_naming {
        backend_recorder = backend_recorder.dynamic_naming(pattern);
    }
    let backend_recorder = backend_recorder.build()?;
    let recommendations_recorder = record("recommendations", &daemon_address).build()?;
    let rollbar = report(&settings.rollbar, &destinations.reports)?;
    if !backend_recorder.is_enabled() {
        destinations.traces = Destination::Nowhere;
    }
    if !rollbar.is_enabled() {
        destinations.reports = Destination::Nowhere;
    }

    let database = Database::seeded().await?;
    let router = recommendations::router(database.clone(), &recommendations_recorder, &rollbar);
    let recommendations = serve(recommendations, router)?;
    let downstream = Downstream::new(recommendations.address())?;
    let router = app::router(AppState { database, downstream }, &backend_recorder, &rollbar);
    let backend = serve(backend, router)?;
    let recorders = [backend_recorder, recommendations_recorder];
    Ok(App { backend, recommendations, recorders, rollbar, daemon, destinations })
}

/// A recorder of every request: the first curl must show. A service in production leaves `without_sampling` out, and
/// gets one request a second and 5 % of the others, or rules of its own.
fn record(service: &'static str, daemon_address: &str) -> xray_runtime::RecorderBuilder {
    Recorder::builder().service(service).daemon_address(daemon_address).without_sampling()
}

/// The client that all reports of the program go to. Without a token of its own it has one that does for a double.
fn report(settings: &Rollbar, reports: &Destination) -> Result<RollbarGuard, rollbar_runtime::BuildError> {
    let builder = rollbar_runtime::Rollbar::builder().shutdown_timeout(FLUSH);
    let builder = match reports {
        Destination::Here(address) => builder.endpoint(format!("http://{address}")),
        Destination::Taken(address) => builder.endpoint(format!("http://{address}")),
        Destination::Configured(endpoint) => builder.endpoint(endpoint),
        Destination::Nowhere => builder.enabled(false),
    };
    match settings {
        Rollbar::At { has_token: true, .. } => builder.install(),
        _ => builder.access_token(TOKEN_OF_NOBODY).install(),
    }
}

/// The daemon, if one is to run here; and where all goes. What has one of its two addresses already gets what is sent
/// there, and the daemon the rest.
fn start_daemon(
    settings: &Settings,
    show: impl Fn(xray_daemon::Builder) -> xray_daemon::Builder,
) -> Result<(Option<LocalDaemon>, Destinations), StartError> {
    let (mut udp, mut traces) = match &settings.daemon {
        Daemon::At(address) => (None, Destination::Configured(address.clone())),
        Daemon::InProcess(address) => (Some(address), Destination::Nowhere),
    };
    let (mut tcp, mut reports) = match &settings.rollbar {
        Rollbar::At { endpoint, .. } => (None, Destination::Configured(endpoint.clone())),
        Rollbar::InProcess(address) => (Some(address), Destination::Nowhere),
        Rollbar::Off => (None, Destination::Nowhere),
    };
    while udp.is_some() || tcp.is_some() {
        // A daemon always receives by UDP; where it need not, on a port that nobody knows.
        let mut builder = LocalDaemon::builder().udp(udp.map_or(ANY_PORT, String::as_str));
        if let Some(address) = tcp {
            builder = builder.tcp(address);
        }
        match show(builder).start() {
            Ok(daemon) => {
                if udp.is_some() {
                    traces = Destination::Here(daemon.udp_addr());
                }
                if let Some(address) = daemon.tcp_addr() {
                    reports = Destination::Here(address);
                }
                return Ok((Some(daemon), Destinations { traces, reports }));
            }
            Err(xray_daemon::StartError::AddrInUse { addr }) if udp.take().is_some() => {
                traces = Destination::Taken(addr);
            }
            Err(xray_daemon::StartError::TcpAddrInUse { addr }) if tcp.take().is_some() => {
                reports = Destination::Taken(addr);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((None, Destinations { traces, reports }))
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    bind(port).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortTaken { port },
        _ => StartError::Listen { port, source },
    })
}

fn serve(listener: TcpListener, router: axum::Router) -> Result<Service, StartError> {
    Service::serve(listener, router).map_err(|source| StartError::Listen { port: 0, source })
}

impl App {
    /// Where the back end listens.
    #[must_use]
    pub fn backend(&self) -> SocketAddr {
        self.backend.address()
    }

    /// Where the recommendations service listens.
    #[must_use]
    pub fn recommendations(&self) -> SocketAddr {
        self.recommendations.address()
    }

    /// Where the segments go.
    #[must_use]
    pub fn traces(&self) -> &Destination {
        &self.destinations.traces
    }

    /// Where the reports go.
    #[must_use]
    pub fn reports(&self) -> &Destination {
        &self.destinations.reports
    }

    /// The daemon of this process, where there is one.
    #[must_use]
    pub fn daemon(&self) -> Option<&LocalDaemon> {
        self.daemon.as_ref()
    }

    /// The client of Rollbar.
    #[must_use]
    pub fn rollbar(&self) -> &rollbar_runtime::Rollbar {
        &self.rollbar
    }

    /// Answers what is under way, sends what was recorded, ends the daemon, and tells what became of it all.
    pub async fn stop(self) -> Statistics {
        // The back end first: its requests may still need the other.
        self.backend.stop().await;
        self.recommendations.stop().await;
        let (recorders, rollbar, daemon) = (self.recorders, self.rollbar, self.daemon);
        let ended = tokio::task::spawn_blocking(move || {
            for recorder in &recorders {
                // What is still pending then is told by the statistics.
                recorder.flush(FLUSH);
            }
            let client = rollbar.rollbar().clone();
            drop(rollbar); // It sends what is left, and counts what it cannot.
            Statistics {
                recorders: recorders.map(|recorder| recorder.stats()),
                rollbar: client.stats(),
                daemon: daemon.map(LocalDaemon::shutdown),
            }
        });
        ended.await.unwrap_or_default()
    }
}
