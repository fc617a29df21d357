//! Starts the app: the daemon, the recorders, the database and the two services; and stops it in the reverse order.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use xray_daemon::LocalDaemon;
use xray_runtime::Recorder;

use crate::app::{self, AppState};
use crate::database::Database;
use crate::downstream::Downstream;
use crate::recommendations;
use crate::service::{Service, bind};
use crate::settings::{Daemon, Ports, Settings};
use crate::statistics::Statistics;

/// How long a stop waits for each recorder to send what it holds.
const FLUSH: Duration = Duration::from_secs(2);

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
    /// The database cannot be filled.
    #[error("cannot set up the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The HTTP client of the second service cannot be made.
    #[error("cannot make the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Where the segments go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To the daemon of this process, which listens here.
    Here(SocketAddr),
    /// To another program, which had this address before a daemon of this process could.
    Taken(String),
    /// To the daemon that the settings name.
    Configured(String),
    /// Nowhere: the environment switches recording off.
    Nowhere,
}

/// The running app.
#[derive(Debug)]
pub struct App {
    backend: Service,
    recommendations: Service,
    recorders: [Recorder; 2],
    daemon: Option<LocalDaemon>,
    destination: Destination,
}

/// Starts both services, their recorders, the database and, where the settings say so, a daemon, for which `show` says
/// what it does with each trace.
///
/// # Errors
/// [`StartError`] where a port is taken or a part cannot be set up; nothing is left running then.
pub async fn start(
    settings: Settings,
    show: impl FnOnce(xray_daemon::Builder) -> xray_daemon::Builder,
) -> Result<App, StartError> {
    let (backend, recommendations) = match settings.ports {
        Ports::From(port) => (listen(port.get()).await?, listen(port.get().saturating_add(1)).await?),
        Ports::Free => (listen(0).await?, listen(0).await?),
    };
    let (daemon, destination, daemon_address) = start_daemon(settings.daemon, show)?;

    // An app of one service calls `install()`. This one has two in one process, so each gets a recorder of its own;
    // attributes and free functions follow the segment that the service's layer opened.
    let mut backend_recorder = record("Cruddur", &daemon_address);
    if let Some(pattern) = settings.dynamic_naming {
        backend_recorder = backend_recorder.dynamic_naming(pattern);
    }
    let backend_recorder = backend_recorder.build()?;
    let recommendations_recorder = record("recommendations", &daemon_address).build()?;
    let destination = if backend_recorder.is_enabled() { destination } else { Destination::Nowhere };

    let database = Database::seeded().await?;
    let router = recommendations::router(database.clone(), &recommendations_recorder);
    let recommendations = serve(recommendations, router)?;
    let downstream = Downstream::new(recommendations.address())?;
    let router = app::router(AppState { database, downstream }, &backend_recorder);
    let backend = serve(backend, router)?;
    let recorders = [backend_recorder, recommendations_recorder];
    Ok(App { backend, recommendations, recorders, daemon, destination })
}

/// A recorder of every request: the first curl must show. A service in production leaves `without_sampling` out, and
/// gets one request a second and 5 % of the others, or rules of its own.
fn record(service: &'static str, daemon_address: &str) -> xray_runtime::RecorderBuilder {
    Recorder::builder().service(service).daemon_address(daemon_address).without_sampling()
}

/// The daemon, if one is to run here; where the segments go, in words and as an address.
fn start_daemon(
    daemon: Daemon,
    show: impl FnOnce(xray_daemon::Builder) -> xray_daemon::Builder,
) -> Result<(Option<LocalDaemon>, Destination, String), StartError> {
    let udp = match daemon {
        Daemon::At(address) => return Ok((None, Destination::Configured(address.clone()), address)),
        Daemon::InProcess(udp) => udp,
    };
    match show(LocalDaemon::builder().udp(udp)).start() {
        Ok(daemon) => {
            let address = daemon.udp_addr();
            Ok((Some(daemon), Destination::Here(address), address.to_string()))
        }
        Err(xray_daemon::StartError::AddrInUse { addr }) => {
            Ok((None, Destination::Taken(addr.clone()), addr))
        }
        Err(error) => Err(error.into()),
    }
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
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Answers what is under way, sends what was recorded, ends the daemon, and tells what became of it all.
    pub async fn stop(self) -> Statistics {
        // The back end first: its requests may still need the other.
        self.backend.stop().await;
        self.recommendations.stop().await;
        let (recorders, daemon) = (self.recorders, self.daemon);
        let ended = tokio::task::spawn_blocking(move || {
            for recorder in &recorders {
                // What is still pending then is told by the statistics.
                recorder.flush(FLUSH);
            }
            Statistics {
                recorders: recorders.map(|recorder| recorder.stats()),
                daemon: daemon.map(LocalDaemon::shutdown),
            }
        });
        ended.await.unwrap_or_default()
    }
}
