//! The UDP socket: every datagram that comes, many in a system call, until it is told to stop.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};

use self::slots::Slots;

/// What is asked of the kernel for datagrams that were not read yet, in bytes. Its default holds some 170 small documents.
pub(crate) const RECEIVE_BUFFER: usize = 4 << 20;

/// The longest that what had arrived before is still read after the call to stop.
const LAST_READ: Duration = Duration::from_millis(500);

/// How long nothing is read after an error, so that a lasting one does not spin.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// Datagrams of one system call from which the next one waits a moment, for more to come: a wake-up for each datagram costs
/// twice what the datagram does.
const BUSY: usize = 4;

/// That moment. The buffer holds what comes in 50 of them at 40,000 documents a second.
const MOMENT: Duration = Duration::from_millis(1);

/// Takes what is received, on the receiver's thread.
pub(crate) trait Intake {
    /// A datagram came.
    fn datagram(&mut self, datagram: &[u8], at: Instant);

    /// Called after each read and when the time is up that it returned last: when it wants to be called again, though
    /// nothing comes.
    fn due(&mut self, now: Instant) -> Option<Instant>;

    /// Nothing comes any more.
    fn end(&mut self);
}

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
    /// At its end, and so readable, once the [`Stop`] is dropped: the poll needs no timeout for it.
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

    /// What can be seen of the socket while it is read.
    pub(crate) fn observer(&self) -> io::Result<SocketObserver> {
        let granted = getsockopt(&self.socket, sockopt::RcvBuf).unwrap_or(0);
        // Linux doubles what was asked for, for its own headers, and tells the double.
        let buffer = if cfg!(target_os = "linux") { granted / 2 } else { granted };
        let inode = nix::sys::stat::fstat(&self.socket).map_or(0, |stat| stat.st_ino);
        Ok(SocketObserver { addr: self.socket.local_addr()?, buffer, inode })
    }

    /// Hands every datagram to `intake` until the [`Stop`] is dropped, and then those that had arrived before. Tells what the
    /// kernel had dropped until then.
    pub(crate) fn run(self, intake: &mut impl Intake) -> Option<u64> {
        let mut slots = Slots::new();
        let mut last: Option<Instant> = None;
        loop {
            if last.is_none() && self.stopping.load(Ordering::SeqCst) {
                last = Some(Instant::now() + LAST_READ);
            }
            let read = slots.read(&self.socket, intake);
            let now = Instant::now();
            let due = intake.due(now);
            if last.is_some_and(|last| now >= last) {
                break;
            }
            match read {
                // More may be there already.
                Ok(count) if count == Slots::COUNT => {}
                Ok(count) if count >= BUSY && last.is_none() => std::thread::sleep(MOMENT),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if last.is_some() => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(true, due),
                Err(_) => self.wait(false, Some(now + AFTER_ERROR)),
            }
        }
        intake.end();
        // The table knows the socket only while it is open.
        self.observer().ok()?.dropped()
    }

    /// Sleeps until there is something to read, the [`Stop`] is dropped, or it is time.
    fn wait(&self, for_data: bool, until: Option<Instant>) {
        let stop = PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN);
        let data = PollFd::new(self.socket.as_fd(), PollFlags::POLLIN);
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            // A millisecond more than is left, as it is cut to whole ones.
            let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        // Its errors (interrupted, out of memory) are those of the next read.
        let _ = if for_data { poll(&mut [stop, data], timeout) } else { poll(&mut [stop], timeout) };
    }
}

/// Sees a socket that another thread reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SocketObserver {
    addr: SocketAddr,
    buffer: usize,
    inode: u64,
}

impl SocketObserver {
    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The bytes that the kernel keeps of datagrams that were not read yet, its own headers among them: a document of 700
    /// bytes takes some 1,300.
    pub(crate) fn buffer(&self) -> usize {
        self.buffer
    }

    /// Datagrams that the kernel dropped because that was full; none where it does not tell.
    pub(crate) fn dropped(&self) -> Option<u64> {
        let table = if self.addr.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" };
        let table = std::fs::read_to_string(table).ok()?;
        let inode = self.inode.to_string();
        // The columns are those of the kernel's `Documentation/networking/proc_net_tcp`, and `drops` at the end.
        table.lines().find_map(|line| {
            let columns: Vec<&str> = line.split_ascii_whitespace().collect();
            (columns.get(9) == Some(&&*inode)).then(|| columns.get(12)?.parse().ok())?
        })
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

/// Linux and its like: many datagrams in a system call.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "netbsd"))]
mod slots {
    use std::io::{self, IoSliceMut};
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;
    use std::time::Instant;

    use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg};

    use super::Intake;

    /// The largest datagram of UDP, and a byte more.
    const SLOT: usize = 1 << 16;

    /// Room for the datagrams of one system call. Of a slot that holds a small document one page is in memory.
    pub(super) struct Slots {
        bytes: Vec<u8>,
        headers: MultiHeaders<()>,
    }

    impl Slots {
        pub(super) const COUNT: usize = 64;

        pub(super) fn new() -> Self {
            Self { bytes: vec![0; SLOT * Self::COUNT], headers: MultiHeaders::preallocate(Self::COUNT, None) }
        }

        /// Reads what is there, at most a datagram for each slot; tells how many. An error means that there was none.
        pub(super) fn read(&mut self, socket: &UdpSocket, intake: &mut impl Intake) -> io::Result<usize> {
            let mut slots: Vec<[IoSliceMut<'_>; 1]> =
                self.bytes.chunks_mut(SLOT).map(|slot| [IoSliceMut::new(slot)]).collect();
            let flags = MsgFlags::MSG_DONTWAIT;
            let received = recvmmsg(socket.as_raw_fd(), &mut self.headers, &mut slots, flags, None)?;
            let now = Instant::now();
            let mut count = 0;
            for datagram in received {
                count += 1;
                intake.datagram(datagram.iovs().next().unwrap_or_default(), now);
            }
            Ok(count)
        }
    }
}

/// Elsewhere: one by one.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "netbsd")))]
mod slots {
    use std::io;
    use std::net::UdpSocket;
    use std::time::Instant;

    use super::Intake;

    pub(super) struct Slots {
        bytes: Vec<u8>,
    }

    impl Slots {
        pub(super) const COUNT: usize = 1;

        pub(super) fn new() -> Self {
            Self { bytes: vec![0; 1 << 16] }
        }

        pub(super) fn read(&mut self, socket: &UdpSocket, intake: &mut impl Intake) -> io::Result<usize> {
            let length = socket.recv(&mut self.bytes)?;
            intake.datagram(self.bytes.get(..length).unwrap_or_default(), Instant::now());
            Ok(1)
        }
    }
}
