//! Datagrams to the daemon, in as few system calls as the kernel allows.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use super::datagrams::{PER_CALL, cause_of, send_each};
use super::{Batch, DropCause, Exporter};
use crate::daemon_address::DaemonAddress;
use crate::warning::Warned;

/// The largest payload of a UDP datagram over IPv4.
const DATAGRAM_LIMIT: usize = 65_507;

/// A name is resolved again after this time, and after an error: pods move.
const RESOLVE_EVERY: Duration = Duration::from_secs(60);

/// How long a send may wait for room in the socket's buffer.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// Sends each document as one datagram to the X-Ray daemon.
#[derive(Debug)]
pub struct UdpExporter {
    address: DaemonAddress,
    connection: Option<Connection>,
    /// Switched off for good where the kernel or the device refuses it.
    gso: bool,
    /// Of the addresses of a name the next is tried after each: `localhost` may be ::1 first, and the daemon on IPv4.
    failures: usize,
    warned: Warned,
}

#[derive(Debug)]
struct Connection {
    socket: UdpSocket,
    peer: SocketAddr,
    resolved: Instant,
    /// The largest datagram that travels in one packet of the path.
    unfragmented: usize,
}

impl UdpExporter {
    /// Sends to the daemon's UDP address. Nothing is resolved or opened before the first document.
    pub fn new(address: DaemonAddress) -> Self {
        Self {
            address,
            connection: None,
            gso: cfg!(target_os = "linux"),
            failures: 0,
            warned: Warned::default(),
        }
    }

    fn warn(&mut self, text: &str) {
        if self.warned.is_due() {
            let endpoint = self.address.udp();
            tracing::warn!(
                target: "xray_runtime",
                "segments do not reach the X-Ray daemon at udp {}:{}: {text}. Is a daemon running there? Set AWS_XRAY_DAEMON_ADDRESS, \
                 or run `xray-daemon tail` (one warning a minute)",
                endpoint.host(),
                endpoint.port()
            );
        }
    }

    /// Opens the socket, or follows the name where it points now.
    fn connect(&mut self) -> io::Result<&Connection> {
        if self.connection.as_ref().is_none_or(|connection| connection.resolved.elapsed() >= RESOLVE_EVERY) {
            let endpoint = self.address.udp();
            let peers: Vec<SocketAddr> = (endpoint.host(), endpoint.port()).to_socket_addrs()?.collect();
            let next = self.failures.checked_rem(peers.len());
            let peer = next
                .and_then(|at| peers.get(at).copied())
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
            let kept = self.connection.take().filter(|connection| connection.peer == peer);
            self.connection = Some(match kept {
                Some(connection) => Connection { resolved: Instant::now(), ..connection },
                None => Connection::open(peer)?,
            });
        }
        self.connection.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Connection {
    fn open(peer: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = match peer {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(peer)?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        let unfragmented = unfragmented(&socket, peer);
        Ok(Self { socket, peer, resolved: Instant::now(), unfragmented })
    }
}

impl Exporter for UdpExporter {
    fn export(&mut self, batch: &mut Batch) {
        let mut gso = self.gso;
        let outcome = self.connect().map(|connection| send(connection, batch, &mut gso));
        self.gso = gso;
        let error = match outcome {
            Ok(None) => return,
            Ok(Some(error)) => error,
            Err(error) => {
                for index in 0..batch.len() {
                    batch.fail(index, DropCause::SendFailed);
                }
                error
            }
        };
        // The next batch resolves and opens anew.
        self.failures = self.failures.wrapping_add(1);
        self.connection = None;
        self.warn(&error.to_string());
    }
}

/// Sends the batch run by run; tells the last error that was not the document's own fault.
fn send(connection: &Connection, batch: &mut Batch, gso: &mut bool) -> Option<io::Error> {
    let mut failure = None;
    let mut at = 0;
    while at < batch.entries.len() {
        let run = next_run(batch, at, if *gso { connection.unfragmented } else { 0 });
        let outcome = match run {
            Run::TooLarge => {
                batch.fail(at, DropCause::TooLarge);
                at += 1;
                continue;
            }
            Run::Equal(count) => match send_equal(&connection.socket, batch, at, count) {
                Err(error) if gso_refused(&error) => {
                    *gso = false;
                    continue;
                }
                outcome => outcome.map(|()| count).map_err(|error| (count, error)),
            },
            Run::Mixed(count) => send_each(&connection.socket, batch, at, count),
        };
        // A daemon that is not there answers the datagrams of this call, not the call.
        let outcome = match (outcome, pending_error(&connection.socket)) {
            (Ok(count), Some(error)) => Err((count, error)),
            (outcome, _) => outcome,
        };
        let (count, error) = match outcome {
            Ok(count) => (count, None),
            Err((count, error)) => (count.max(1), Some(error)),
        };
        for index in at..at + count {
            match &error {
                Some(error) => batch.fail(index, cause_of(error)),
                None => {
                    batch.packets += 1;
                    batch.packet_bytes += (batch.entries[index].end - batch.entries[index].start) as u64;
                }
            }
        }
        failure = error.filter(|error| cause_of(error) != DropCause::TooLarge).or(failure);
        at += count;
    }
    failure
}

/// What the kernel or a device says that does not segment for us.
fn gso_refused(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EIO | nix::libc::EINVAL | nix::libc::EMSGSIZE))
}

enum Run {
    TooLarge,
    /// Neighbours of one size: one system call that the kernel cuts.
    Equal(usize),
    Mixed(usize),
}

fn next_run(batch: &Batch, at: usize, unfragmented: usize) -> Run {
    let size = |index: usize| batch.entries[index].end - batch.entries[index].start;
    let rest = batch.entries.len() - at;
    let first = size(at);
    if first > DATAGRAM_LIMIT {
        return Run::TooLarge;
    }
    if first <= unfragmented {
        let most = rest.min(PER_CALL).min(DATAGRAM_LIMIT / first);
        let equal = (1..most).take_while(|offset| size(at + offset) == first).count() + 1;
        if equal > 1 {
            return Run::Equal(equal);
        }
    }
    // Up to where a run of equal ones begins, or one that is too large.
    let most = rest.min(PER_CALL);
    let mut count = 1;
    while count < most {
        let next = size(at + count);
        let equal = next <= unfragmented && count + 1 < rest && size(at + count + 1) == next;
        if next > DATAGRAM_LIMIT || equal {
            break;
        }
        count += 1;
    }
    Run::Mixed(count)
}

#[cfg(target_os = "linux")]
fn send_equal(socket: &UdpSocket, batch: &Batch, at: usize, count: usize) -> io::Result<()> {
    use std::io::IoSlice;
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

    let entries = &batch.entries[at..at + count];
    let bytes = &batch.bytes[entries[0].start..entries[count - 1].end];
    let size = u16::try_from(entries[0].end - entries[0].start).unwrap_or(u16::MAX);
    sendmsg::<()>(
        socket.as_raw_fd(),
        &[IoSlice::new(bytes)],
        &[ControlMessage::UdpGsoSegments(&size)],
        MsgFlags::empty(),
        None,
    )?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn send_equal(_: &UdpSocket, _: &Batch, _: usize, _: usize) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(nix::libc::EINVAL))
}

/// An error that the kernel keeps for the socket: the answer of a host without a daemon.
fn pending_error(socket: &UdpSocket) -> Option<io::Error> {
    socket.take_error().ok().flatten()
}

/// The path's MTU less the headers of IP and UDP; 0 where the kernel does not tell.
#[cfg(target_os = "linux")]
fn unfragmented(socket: &UdpSocket, peer: SocketAddr) -> usize {
    use nix::sys::socket::{getsockopt, sockopt};

    const IPV4_AND_UDP: i32 = 28;
    match peer {
        SocketAddr::V4(_) => {
            let mtu = getsockopt(socket, sockopt::IpMtu).unwrap_or_default();
            usize::try_from(mtu - IPV4_AND_UDP).unwrap_or_default()
        }
        // The IPv6 minimum (1,280) less its headers: every path takes that.
        SocketAddr::V6(_) => 1_280 - 48,
    }
}

#[cfg(not(target_os = "linux"))]
fn unfragmented(_: &UdpSocket, _: SocketAddr) -> usize {
    0
}
