//! One of the app's two HTTP services: binding its port, serving, stopping.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a stop waits for the requests that are still being answered.
const GRACE: Duration = Duration::from_secs(2);

/// A service that runs until it is stopped.
#[derive(Debug)]
pub(crate) struct Service {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

/// Binds a port of this machine's loopback address; 0 is any free one.
pub(crate) async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

impl Service {
    /// Serves `router` on the listener, in a task of its own.
    pub(crate) fn serve(listener: TcpListener, router: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        // The connection's address is what a segment's client_ip falls back to.
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let until = async move {
            // A sender that is gone means stop as well.
            let _ = stopped.await;
        };
        let server = tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(until).into_future());
        Ok(Self { address, stop, server })
    }

    /// Where the service listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, and returns once those under way are answered or two seconds have passed.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        let mut server = self.server;
        if tokio::time::timeout(GRACE, &mut server).await.is_err() {
            server.abort();
        }
    }
}
