//! The receiving end: a UDP socket on loopback that a child process drains, as the daemon would.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Asked of the kernel, so that what is lost is lost by the sender and not by a receiver short of CPU.
static RECEIVE_BUFFER: libc::c_int = 256 << 20;

/// Memory shared with the child.
struct Counts {
    counting: AtomicBool,
    datagrams: AtomicU64,
    spans: AtomicU64,
}

/// A UDP socket with a process of its own that reads it, and counts what it got. Start it before any thread exists.
#[derive(Clone, Copy)]
pub struct Sink {
    address: SocketAddr,
    counts: &'static Counts,
}

impl Sink {
    /// Binds a socket on loopback and forks the process that drains it. That process ends with this one.
    pub fn start() -> Sink {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback socket");
        let address = socket.local_addr().expect("a bound socket has an address");
        grow_receive_buffer(&socket);
        let counts = shared_counts();
        // SAFETY: no other thread exists yet, so the child may go on as a normal process. It leaves only by being killed.
        unsafe {
            let parent = libc::getpid();
            match libc::fork() {
                -1 => panic!("fork: {}", std::io::Error::last_os_error()),
                0 => {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    // The parent may have gone before its death signal was set: then nobody would ever end this process.
                    if libc::getppid() != parent {
                        libc::_exit(0);
                    }
                    drain(&socket, counts)
                }
                _ => Sink { address, counts },
            }
        }
    }

    /// Where to send.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Spans received since this was first called, once no more have come in for 100 ms. Counting begins with that
    /// first call, as the search of each datagram would take time from what else is measured.
    pub fn spans(&self) -> u64 {
        self.counts.counting.store(true, Relaxed);
        let mut last = (self.counts.datagrams.load(Relaxed), Instant::now());
        while last.1.elapsed() < Duration::from_millis(100) {
            std::thread::sleep(Duration::from_millis(5));
            let now = self.counts.datagrams.load(Relaxed);
            if now != last.0 {
                last = (now, Instant::now());
            }
        }
        self.counts.spans.load(Relaxed)
    }
}

/// A span is an `"id":"` in a document: `trace_id` and `parent_id` have no quote before their `id`.
fn drain(socket: &UdpSocket, counts: &Counts) -> ! {
    let id = memchr::memmem::Finder::new(b"\"id\":\"");
    let mut buffer = [0; 65_536];
    loop {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        if counts.counting.load(Relaxed) {
            counts.spans.fetch_add(id.find_iter(&buffer[..length]).count() as u64, Relaxed);
        }
        counts.datagrams.fetch_add(1, Relaxed);
    }
}

fn grow_receive_buffer(socket: &UdpSocket) {
    // FORCE goes past net.core.rmem_max and needs CAP_NET_ADMIN; the plain option takes what that limit allows.
    for option in [libc::SO_RCVBUF, libc::SO_RCVBUFFORCE] {
        // SAFETY: the descriptor is open, and the value is a live c_int of the length told.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const RECEIVE_BUFFER).cast(),
                size_of_val(&RECEIVE_BUFFER) as libc::socklen_t,
            );
        }
    }
}

fn shared_counts() -> &'static Counts {
    // SAFETY: a fresh mapping, page-aligned and larger than `Counts`, never unmapped; zeroes are valid atomics.
    unsafe {
        let memory = libc::mmap(
            std::ptr::null_mut(),
            size_of::<Counts>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        assert_ne!(memory, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        &*memory.cast::<Counts>()
    }
}
