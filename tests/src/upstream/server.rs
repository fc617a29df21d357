//! The double's thread: accepts connections and treats each call as it was told to.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::PATIENCE;
use super::behaviour::{Answer, End};
use super::http::Connection;
use super::state::Shared;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: u32 = 512;

/// What the double's owner tells its thread; it is answered when it is so.
#[derive(Debug)]
pub(super) enum Command {
    /// From now on nobody listens, and what is connected ends.
    Down(mpsc::Sender<io::Result<()>>),
    /// Listens again.
    Up(mpsc::Sender<io::Result<()>>),
}

/// A socket of a port.
enum Port {
    Open(TcpListener),
    /// Bound, so that nobody else gets it, but not listening: connections are refused.
    Shut(TcpSocket),
    /// Between the two, or both failed.
    Lost,
}

impl Port {
    async fn shut(addr: SocketAddr) -> io::Result<Self> {
        let end = Instant::now() + PATIENCE;
        loop {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            match socket.bind(addr) {
                // Processes that are being started have a copy of the listener, for a moment.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < end => {
                    sleep(Duration::from_millis(1)).await;
                }
                bound => return bound.map(|()| Self::Shut(socket)),
            }
        }
    }

    async fn accept(&self) -> Option<Connection> {
        match self {
            Self::Open(listener) => {
                let (stream, _) = listener.accept().await.ok()?;
                let _ = stream.set_nodelay(true);
                Some(Connection::new(stream))
            }
            Self::Shut(_) | Self::Lost => std::future::pending().await,
        }
    }
}

/// Serves until its owner is gone.
pub(super) async fn run(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut commands: UnboundedReceiver<Command>,
) -> io::Result<()> {
    let addr = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let mut port = Port::Open(TcpListener::from_std(listener)?);
    let mut connections = JoinSet::new();
    let mut count = 0;
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                None => return Ok(()),
                Some(Command::Down(done)) => {
                    port = Port::Lost;
                    let shut = Port::shut(addr).await.map(|shut| port = shut);
                    connections.shutdown().await;
                    let _ = done.send(shut);
                }
                Some(Command::Up(done)) => {
                    let up = match std::mem::replace(&mut port, Port::Lost) {
                        Port::Shut(socket) => socket.listen(BACKLOG).map(|listener| port = Port::Open(listener)),
                        Port::Open(listener) => {
                            port = Port::Open(listener);
                            Ok(())
                        }
                        Port::Lost => Err(io::ErrorKind::AddrNotAvailable.into()),
                    };
                    let _ = done.send(up);
                }
            },
            Some(connection) = port.accept() => {
                if shared.resets_connection() {
                    connection.reset();
                } else {
                    // Its errors are those of a client that went away.
                    let shared = shared.clone();
                    connections.spawn(async move { serve(connection, &shared, count).await.is_ok() });
                }
                count += 1;
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut connection: Connection, shared: &Shared, number: u64) -> io::Result<()> {
    while let Some(head) = connection.head().await? {
        let behaviour = shared.behaviour(head.path());
        if behaviour.end == End::ResetUnread {
            shared.take(&head, Vec::new(), number, &behaviour);
            connection.reset();
            return Ok(());
        }
        let body = connection.body(head.length()?, behaviour.pace).await?;
        let closes = head.closes();
        let answer = shared.take(&head, body, number, &behaviour);
        sleep(behaviour.delay).await;
        match (answer, behaviour.end) {
            (Some(answer), _) => connection.answer(&answer).await?,
            (None, End::Hang) => {
                // Until the client has had enough.
                while connection.head().await?.is_some() {}
                return Ok(());
            }
            (None, End::Reset | End::ResetUnread) => {
                connection.reset();
                return Ok(());
            }
            (None, End::ResetInAnswer) => {
                connection.half(&Answer::new(200, r#"{"UnprocessedTraceSegments":[]}"#)).await?;
                connection.reset();
                return Ok(());
            }
            (None, End::Close | End::Usual | End::Answer(_)) => return Ok(()),
        }
        if closes {
            return Ok(());
        }
    }
    Ok(())
}
