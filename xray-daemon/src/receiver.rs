//! The UDP socket: every datagram that comes, until it is told to stop.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

/// The largest datagram of UDP.
const MAX_DATAGRAM: usize = 65_535;

/// What is asked of the kernel for datagrams that were not read yet, in bytes. Its default holds some 300 small
/// documents.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The longest that what had arrived before is still read after the call to stop.
const LAST_READ: Duration = Duration::from_millis(500);

/// How many milliseconds nothing is read after an error, so that a lasting one does not spin.
const AFTER_ERROR: u16 = 10;

/// Stops the receiver when dropped.
#[derive(Debug)]
pub(crate) struct Stop {
    stopping: Arc<AtomicBool>,
    _wake: UnixStream,
}

impl Drop for Stop {
    fn drop(&mut self) {
        // Before the stream closes, which is what wakes the receiver.
        self.stopping.store(true, Ordering::SeqCst);
    }
}

/// A bound socket, and what wakes its reader.
#[derive(Debug)]
pub(crate) struct Receiver {
    socket: UdpSocket,
    stopping: Arc<AtomicBool>,
    /// At its end, and so readable, once the [`Stop`] is dropped: the poll needs no timeout.
    stopped: UnixStream,
}

impl Receiver {
    /// Takes over a bound socket.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<(Self, Stop)> {
        socket.set_nonblocking(true)?;
        raise_buffer(&socket);
        let (wake, stopped) = UnixStream::pair()?;
        let stopping = Arc::new(AtomicBool::new(false));
        Ok((Self { socket, stopping: stopping.clone(), stopped }, Stop { stopping, _wake: wake }))
    }

    /// Hands every datagram to `each` until the [`Stop`] is dropped, and then those that had arrived before.
    pub(crate) fn run(self, mut each: impl FnMut(&[u8])) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut last: Option<Instant> = None;
        loop {
            if last.is_none() && self.stopping.load(Ordering::SeqCst) {
                last = Some(Instant::now() + LAST_READ);
            }
            if last.is_some_and(|last| Instant::now() >= last) {
                return;
            }
            match self.socket.recv(&mut buffer) {
                Ok(length) => each(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if last.is_some() => return,
                Err(error) => self.wait(error.kind() == io::ErrorKind::WouldBlock),
            }
        }
    }

    /// Sleeps until there is something to read or the [`Stop`] is dropped; after an error, for a moment.
    fn wait(&self, for_data: bool) {
        let stop = PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN);
        let data = PollFd::new(self.socket.as_fd(), PollFlags::POLLIN);
        // Its errors (interrupted, out of memory) are those of the next read.
        let _ = if for_data {
            poll(&mut [stop, data], PollTimeout::NONE)
        } else {
            poll(&mut [stop], PollTimeout::from(AFTER_ERROR))
        };
    }
}

/// Asks for the larger buffer: whatever `net.core.rmem_max` is, where this process may (`CAP_NET_ADMIN`), else up to it.
/// Where it is refused the default serves as well, only less.
fn raise_buffer(socket: &UdpSocket) {
    #[cfg(target_os = "linux")]
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_ok() {
        return;
    }
    let _ = setsockopt(socket, sockopt::RcvBuf, &RECEIVE_BUFFER);
}
