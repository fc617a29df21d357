//! The socket of one connection: what hyper reads and writes through, and what a handler may do to it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// The longest that a client may leave what is written to it unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection, as its requests see it: in their extensions.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    stream: Arc<TcpStream>,
    peer: SocketAddr,
    /// Milliseconds for which the socket stays open after its last answer.
    linger: Arc<AtomicU64>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        // One answer is one write: waiting for more to send with it only delays it.
        let _ = stream.set_nodelay(true);
        Self { stream: Arc::new(stream), peer, linger: Arc::new(AtomicU64::new(0)) }
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// From now on the end of the connection is a reset (RST), which throws away what the client has not read yet.
    pub(crate) fn end_with_reset(&self) {
        let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
        // Where it is refused the connection still ends in the middle.
        let _ = setsockopt(&*self.stream, sockopt::Linger, &at_once);
    }

    /// Keeps the socket open for `time` after its last answer.
    pub(crate) fn close_after(&self, time: Duration) {
        self.linger.store(time.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// For hyper.
    pub(crate) fn io(&self) -> WireIo {
        WireIo { wire: self.clone(), writing: None, closing: None }
    }
}

/// The two directions of a [`Wire`]; a client that does not read is given up.
#[derive(Debug)]
pub(crate) struct WireIo {
    wire: Wire,
    /// Since a write could not go on.
    writing: Option<Pin<Box<Sleep>>>,
    closing: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for WireIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = &self.wire.stream;
        loop {
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_read(buf.initialize_unfilled()) {
                Ok(length) => {
                    buf.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for WireIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        while let Poll::Ready(ready) = self.wire.stream.poll_write_ready(cx) {
            ready?;
            match self.wire.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.writing = None;
                    return Poll::Ready(written);
                }
            }
        }
        let writing = self.writing.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(writing.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let linger = self.wire.linger.load(Ordering::Relaxed);
        if linger > 0 {
            let closing = self.closing.get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(linger))));
            ready!(closing.as_mut().poll(cx));
        }
        // Its errors are those of a client that is gone.
        let _ = nix::sys::socket::shutdown(
            std::os::fd::AsRawFd::as_raw_fd(&*self.wire.stream),
            nix::sys::socket::Shutdown::Write,
        );
        Poll::Ready(Ok(()))
    }
}
