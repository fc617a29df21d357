//! Starts the app: the database, the two services, and where their segments go.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::app::{self, AppState};
use crate::database::Database;
use crate::downstream::Downstream;
use crate::recommendations;
use crate::service::{Service, bind};
use crate::settings::{Ports, Settings};

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
    /// The database cannot be filled.
    #[error("cannot set up the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The HTTP client of the second service cannot be made.
    #[error("cannot make the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// The running app.
#[derive(Debug)]
pub struct App {
    backend: Service,
    recommendations: Service,
}

/// Starts both services, the database and, where the settings say so, a daemon.
///
/// # Errors
/// [`StartError`] where a port is taken or a part cannot be set up; nothing is left running then.
pub async fn start(settings: Settings) -> Result<App, StartError> {
    let (backend, recommendations) = match settings.ports {
        Ports::From(port) => (listen(port.get()).await?, listen(port.get().saturating_add(1)).await?),
        Ports::Free => (listen(0).await?, listen(0).await?),
    };
    let database = Database::seeded().await?;
    let recommendations = serve(recommendations, recommendations::router(database.clone()))?;
    let downstream = Downstream::new(recommendations.address())?;
    let backend = serve(backend, app::router(AppState { database, downstream }))?;
    Ok(App { backend, recommendations })
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

    /// Answers what is under way, sends what was recorded, and ends the daemon.
    pub async fn stop(self) {
        // The back end first: its requests may still need the other.
        self.backend.stop().await;
        self.recommendations.stop().await;
    }
}
