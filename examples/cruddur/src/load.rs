//! `--load CLIENTS SECONDS`: the app drives itself as hard as it can.

use std::fmt;
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::settings::Load;
use crate::traffic::MIX;

/// What became of the requests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Answered with the status that the route is meant to give.
    pub answered: u64,
    /// Answered with another status.
    pub wrong: u64,
    /// Not answered: no connection, or no response in time.
    pub failed: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl Tally {
    /// All requests that were sent.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.answered + self.wrong + self.failed
    }
}

/// One line.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        write!(
            f,
            "requests  {} in {seconds:.1} s ({:.0} a second): {} answered as meant, {} otherwise, {} not",
            self.requests(),
            self.requests() as f64 / seconds.max(f64::MIN_POSITIVE),
            self.answered,
            self.wrong,
            self.failed,
        )
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.answered += other.answered;
        self.wrong += other.wrong;
        self.failed += other.failed;
        self.elapsed = self.elapsed.max(other.elapsed);
    }
}

/// Sends the mix to the app at `backend` from as many keep-alive connections as `load` says, for its time.
///
/// # Errors
/// Where an HTTP client cannot be made.
pub async fn run(backend: SocketAddr, load: Load) -> Result<Tally, reqwest::Error> {
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..load.clients {
        clients.spawn(drive(backend, usize::from(client), started, load.duration));
    }
    let mut tally = Tally::default();
    while let Some(client) = clients.join_next().await {
        match client {
            Ok(counted) => tally += counted?,
            // A client that panics has lost its own count, no more.
            Err(_) => tally.failed += 1,
        }
    }
    Ok(tally)
}

/// One client: one connection, one request after the other, each client from another place of the mix.
async fn drive(
    backend: SocketAddr,
    offset: usize,
    started: Instant,
    duration: Duration,
) -> Result<Tally, reqwest::Error> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .user_agent("cruddur-load")
        .pool_max_idle_per_host(1)
        .timeout(Duration::from_secs(10))
        .build()?;
    let mut tally = Tally::default();
    for call in MIX.iter().cycle().skip(offset) {
        match call.send(&client, backend).await {
            Ok(true) => tally.answered += 1,
            Ok(false) => tally.wrong += 1,
            Err(_) => tally.failed += 1,
        }
        // Each sends one, however long its machine took to begin.
        if started.elapsed() >= duration {
            break;
        }
    }
    tally.elapsed = started.elapsed();
    Ok(tally)
}
