//! A daemon inside the program: it receives on UDP and TCP, and shows each trace when it is finished and each item when
//! it comes.
//!
//! The receiving thread checks the framing and queues the documents; the TCP thread answers HTTP and queues the items;
//! the showing thread assembles the documents and calls the sinks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

use xray_console::rollbar::Double;
use xray_console::sampling::SamplingRules;

use crate::builder::Builder;
use crate::observed::{Observation, Observed, Status};
use crate::receiver::{SocketObserver, Stop};
use crate::show::Shared;
use crate::stats::Stats;
use crate::tcp::Server;

/// A daemon inside this program: it listens on UDP as the AWS daemon does, and shows each trace when it is finished. With
/// [`Builder::tcp`] it answers Rollbar's API as well, and shows each item when it comes.
///
/// Dropping it, or [`shutdown`](Self::shutdown), shows what is pending and ends it.
///
/// ```no_run
/// use xray_daemon::{LocalDaemon, StartError};
///
/// let daemon = match LocalDaemon::builder().udp("127.0.0.1:2000").print_waterfalls(std::io::stdout()).start() {
///     Ok(daemon) => Some(daemon),
///     Err(StartError::AddrInUse { .. }) => None, // another daemon shows them
///     Err(error) => return Err(error),
/// };
/// # Ok::<(), StartError>(())
/// ```
#[derive(Debug)]
#[must_use = "the daemon ends when this is dropped"]
pub struct LocalDaemon {
    udp_addr: SocketAddr,
    tcp_addr: Option<SocketAddr>,
    server: Option<Server>,
    double: Arc<Double>,
    shared: Arc<Shared>,
    stop: Option<Stop>,
    threads: Vec<JoinHandle<()>>,
}

/// What is seen of it from outside.
pub(crate) struct LocalObserved {
    pub(crate) rules: Arc<SamplingRules>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) started: Instant,
    pub(crate) socket: SocketObserver,
}

impl Observed for LocalObserved {
    fn observe(&self) -> Observation {
        let stats = self.shared.counters.stats();
        Observation {
            status: Status::of(&[]),
            version: env!("CARGO_PKG_VERSION"),
            mode: "local",
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            udp: self.socket.addr().to_string(),
            received: stats.received,
            received_bytes: self.shared.counters.datagrams.received_bytes.load(Ordering::Relaxed),
            rejected: stats.rejected,
            kernel_dropped: self.socket.dropped(),
            receive_buffer_bytes: self.socket.buffer(),
            requests: stats.requests,
            requests_refused: stats.requests_refused,
            upstreams: Vec::new(),
            sampling: Some(self.rules.stats().into()),
            local: Some(stats.into()),
            log_lines_lost: 0,
        }
    }
}

impl LocalDaemon {
    pub(crate) fn new(
        udp_addr: SocketAddr,
        server: Option<Server>,
        double: Arc<Double>,
        shared: Arc<Shared>,
        stop: Stop,
        threads: Vec<JoinHandle<()>>,
    ) -> Self {
        let tcp_addr = server.as_ref().map(Server::addr);
        Self { udp_addr, tcp_addr, server, double, shared, stop: Some(stop), threads }
    }

    /// Settings: [`DEFAULT_UDP`](crate::DEFAULT_UDP), no TCP, the default [`Limits`](crate::Limits), no sinks.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The UDP address it listens on, with the port that was chosen where 0 was asked for.
    pub fn udp_addr(&self) -> SocketAddr {
        self.udp_addr
    }

    /// The TCP address it answers HTTP on, with the port that was chosen; none where there was no [`Builder::tcp`].
    pub fn tcp_addr(&self) -> Option<SocketAddr> {
        self.tcp_addr
    }

    /// The double of Rollbar's API that answers at `/api/1/` of the TCP address: to inject faults and to look at what it
    /// has stored.
    pub fn rollbar(&self) -> &Double {
        &self.double
    }

    /// What was received, shown and lost so far.
    pub fn stats(&self) -> Stats {
        Stats { rollbar: self.double.stats(), ..self.shared.counters.stats() }
    }

    /// Answers the requests that are under way, reads what has arrived, shows what is pending, finished or not, ends the
    /// threads, and tells the final figures.
    pub fn shutdown(mut self) -> Stats {
        self.end();
        self.stats()
    }

    fn end(&mut self) {
        // First, because its requests may still queue items.
        self.server = None;
        self.stop = None;
        for thread in self.threads.drain(..) {
            // A sink may hold the daemon and drop it on the daemon's own thread, which cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for LocalDaemon {
    fn drop(&mut self) {
        self.end();
    }
}
