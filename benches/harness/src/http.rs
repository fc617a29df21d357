//! A small HTTP/1.1 server for receiving ends that must cost little: one thread, kept connections, answers at once or later.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use memchr::memmem;

/// What is said to a request, always with status 200 and as JSON.
pub struct Answer {
    /// The body.
    pub body: String,
    /// Whether it waits for the delay of [`serve`].
    pub delayed: bool,
}

/// Listens on a free port of loopback, prints the address, and answers each request, given its path and its body. A delayed
/// answer waits for `delay`; the requests of other connections do not. Ends with the standard input of this process.
///
/// A request tells its `Content-Length`: one that comes in chunks ends its connection.
pub fn serve(delay: Duration, mut answer: impl FnMut(&[u8], &[u8]) -> Answer) -> ! {
    std::thread::spawn(|| {
        // Whoever started this has gone, or wants no more.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    allow_descriptors();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback socket");
    listener.set_nonblocking(true).expect("a socket takes that");
    println!("{}", listener.local_addr().expect("a bound socket has an address"));

    let poll = Poll::new();
    poll.add(listener.as_raw_fd(), LISTENER);
    let mut connections: HashMap<u64, Connection> = HashMap::new();
    let mut accepted = LISTENER;
    // All wait equally long: the first to come is the first to go.
    let mut waiting: VecDeque<(Instant, u64, String)> = VecDeque::new();
    let mut chunk = vec![0; 1 << 18];
    loop {
        for id in poll.wait(waiting.front().map(|(due, ..)| *due)) {
            if id == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    let _ = stream.set_nonblocking(true);
                    let _ = stream.set_nodelay(true);
                    accepted += 1;
                    poll.add(stream.as_raw_fd(), accepted);
                    connections.insert(accepted, Connection { stream, received: Vec::new(), request: None });
                }
            } else if let Some(connection) = connections.get_mut(&id)
                && !connection.is_served(&mut chunk, &mut |path, body| {
                    let Answer { body, delayed } = answer(path, body);
                    if !delayed || delay.is_zero() {
                        return Some(body);
                    }
                    waiting.push_back((Instant::now() + delay, id, body));
                    None
                })
            {
                // Closing takes the descriptor out of the poll.
                connections.remove(&id);
            }
        }
        while let Some((_, id, body)) = waiting.pop_front_if(|(due, ..)| *due <= Instant::now()) {
            if let Some(connection) = connections.get_mut(&id)
                && !connection.send(&body)
            {
                connections.remove(&id);
            }
        }
    }
}

/// The listener among the connections, which are counted from 1.
const LISTENER: u64 = 0;

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    request: Option<Request>,
}

/// A request whose head is there: where its path, its body and itself end.
#[derive(Clone, Copy)]
struct Request {
    path: (usize, usize),
    head: usize,
    end: usize,
}

impl Connection {
    /// Reads once and answers each request that is whole; false where the connection has ended.
    fn is_served(
        &mut self,
        chunk: &mut [u8],
        answer: &mut impl FnMut(&[u8], &[u8]) -> Option<String>,
    ) -> bool {
        match self.stream.read(chunk) {
            Ok(0) => return false,
            Ok(length) => self.received.extend_from_slice(&chunk[..length]),
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
        loop {
            if self.request.is_none() {
                let Some(head) = memmem::find(&self.received, b"\r\n\r\n") else { return true };
                let Some(request) = Request::parse(&self.received[..head + 4]) else { return false };
                self.request = Some(request);
            }
            let Some(request) = self.request.take_if(|request| request.end <= self.received.len()) else {
                return true;
            };
            let (from, to) = request.path;
            let body = answer(&self.received[from..to], &self.received[request.head..request.end]);
            self.received.drain(..request.end);
            if body.is_some_and(|body| !self.send(&body)) {
                return false;
            }
        }
    }

    /// False where the connection has ended. An answer is small beside the socket's buffer.
    fn send(&mut self, body: &str) -> bool {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(answer.as_bytes()).is_ok()
    }
}

impl Request {
    /// Of the head, its empty line included.
    fn parse(head: &[u8]) -> Option<Request> {
        let from = memchr::memchr(b' ', head)? + 1;
        let to = from + memchr::memchr(b' ', &head[from..])?;
        let text = std::str::from_utf8(head).ok()?.to_ascii_lowercase();
        if text.contains("\r\ntransfer-encoding:") {
            return None;
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.map_or(Some(0), |length| length.trim().parse::<usize>().ok())?;
        Some(Request { path: (from, to), head: head.len(), end: head.len() + length })
    }
}

/// Of the descriptors' limit, as much as may be had: a peer that opens thousands of connections meets no other here.
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

    fn add(&self, descriptor: RawFd, id: u64) {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: id };
        // SAFETY: both descriptors are open, and the kernel copies the event.
        unsafe { libc::epoll_ctl(self.0, libc::EPOLL_CTL_ADD, descriptor, &mut event) };
    }

    /// Those that can be read, or none at `due`.
    fn wait(&self, due: Option<Instant>) -> Vec<u64> {
        // Rounded up: a millisecond early would be a turn for nothing.
        let timeout = due.map_or(-1, |due| {
            due.saturating_duration_since(Instant::now()).as_micros().div_ceil(1_000) as libc::c_int
        });
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        // SAFETY: the kernel writes at most as many events as there is room for.
        let count = unsafe { libc::epoll_wait(self.0, events.as_mut_ptr(), events.len() as i32, timeout) };
        events[..count.max(0) as usize].iter().map(|event| event.u64).collect()
    }
}
