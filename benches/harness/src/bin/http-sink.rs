//! The receiving end of reports: a local HTTP server that answers as Rollbar and Sentry do, keeps connections, and counts.
//!
//! `POST ../item/` is an item of Rollbar's, `POST ../envelope/` an envelope of Sentry's; `GET /counts` tells what came so far.
//! It prints its address and ends with its standard input. One thread serves all connections: a peer that opens thousands
//! meets no limit here but that of descriptors.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

use memchr::memmem;

/// What came so far.
#[derive(Default)]
struct Counts {
    connections: u64,
    items: u64,
    bytes: u64,
    /// Losses that an envelope tells of.
    told: u64,
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

fn main() {
    std::thread::spawn(|| {
        // Whoever started this has gone, or wants no more.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    allow_descriptors();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback socket");
    listener.set_nonblocking(true).expect("a socket takes that");
    println!("{}", listener.local_addr().expect("a bound socket has an address"));
    serve(&listener);
}

fn serve(listener: &TcpListener) -> ! {
    let poll = Poll::new();
    poll.add(listener.as_raw_fd());
    let mut connections: HashMap<RawFd, Connection> = HashMap::new();
    let mut counts = Counts::default();
    let mut chunk = vec![0; 1 << 18];
    loop {
        for descriptor in poll.wait() {
            if descriptor == listener.as_raw_fd() {
                while let Ok((stream, _)) = listener.accept() {
                    let _ = stream.set_nonblocking(true);
                    let _ = stream.set_nodelay(true);
                    poll.add(stream.as_raw_fd());
                    counts.connections += 1;
                    connections.insert(stream.as_raw_fd(), Connection { stream, received: Vec::new() });
                }
            } else if let Some(connection) = connections.get_mut(&descriptor)
                && !connection.is_served(&mut chunk, &mut counts)
            {
                // Closing takes the descriptor out of the poll.
                connections.remove(&descriptor);
            }
        }
    }
}

impl Connection {
    /// Reads once and answers each request that is whole; false where it has ended.
    fn is_served(&mut self, chunk: &mut [u8], counts: &mut Counts) -> bool {
        match self.stream.read(chunk) {
            Ok(0) => return false,
            Ok(length) => self.received.extend_from_slice(&chunk[..length]),
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
        while let Some((head, end)) = whole_request(&self.received) {
            let answer = counts.answer(&self.received[..head], &self.received[head..end]);
            self.received.drain(..end);
            // An answer is small beside the socket's buffer.
            if self.stream.write_all(answer.as_bytes()).is_err() {
                return false;
            }
        }
        true
    }
}

/// Bytes of the head, and of the whole request, once that is there.
fn whole_request(received: &[u8]) -> Option<(usize, usize)> {
    let head = memmem::find(received, b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&received[..head]).unwrap_or_default().to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let end = head + length.and_then(|length| length.trim().parse::<usize>().ok()).unwrap_or(0);
    (end <= received.len()).then_some((head, end))
}

impl Counts {
    fn answer(&mut self, head: &[u8], body: &[u8]) -> String {
        let path = head.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        let answer = if path.starts_with(b"/counts") {
            let Counts { connections, items, bytes, told } = *self;
            format!(r#"{{"connections":{connections},"items":{items},"bytes":{bytes},"told":{told}}}"#)
        } else if path.ends_with(b"/envelope/") {
            self.bytes += body.len() as u64;
            self.items += memmem::find_iter(body, br#""type":"event""#).count() as u64;
            self.told += told(body);
            r#"{"id":"00000000000000000000000000000000"}"#.to_owned()
        } else {
            self.bytes += body.len() as u64;
            self.items += 1;
            let uuid = memmem::find(body, br#""uuid":""#).and_then(|at| body.get(at + 8..at + 44));
            let uuid = uuid.and_then(|uuid| std::str::from_utf8(uuid).ok()).unwrap_or_default();
            format!(r#"{{"err":0,"result":{{"id":null,"uuid":"{uuid}"}}}}"#)
        };
        let length = answer.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{answer}"
        )
    }
}

/// Errors that Sentry's client says it lost: `{"reason":"..","category":"error","quantity":3}` of a client report.
fn told(body: &[u8]) -> u64 {
    if memmem::find(body, br#""discarded_events""#).is_none() {
        return 0;
    }
    let text = String::from_utf8_lossy(body);
    let losses = text.split('{').filter(|part| part.contains(r#""category":"error""#));
    losses
        .filter_map(|part| {
            let digits = part.split_once(r#""quantity":"#)?.1;
            digits.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
        })
        .sum()
}

/// Of the descriptors' limit, as much as may be had.
fn allow_descriptors() {
    // SAFETY: `limit` lives while the kernel reads and fills it.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}

/// epoll, level-triggered, for reading.
struct Poll(RawFd);

impl Poll {
    fn new() -> Poll {
        // SAFETY: a call without pointers.
        let descriptor = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(descriptor >= 0, "epoll: {}", std::io::Error::last_os_error());
        Poll(descriptor)
    }

    fn add(&self, descriptor: RawFd) {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: descriptor as u64 };
        // SAFETY: both descriptors are open, and the kernel copies the event.
        unsafe { libc::epoll_ctl(self.0, libc::EPOLL_CTL_ADD, descriptor, &mut event) };
    }

    fn wait(&self) -> Vec<RawFd> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        // SAFETY: the kernel writes at most as many events as there is room for.
        let count = unsafe { libc::epoll_wait(self.0, events.as_mut_ptr(), events.len() as i32, -1) };
        events[..count.max(0) as usize].iter().map(|event| event.u64 as RawFd).collect()
    }
}
