//! Documents written by hand, sent with UDP segmentation offload where small ones of one size follow each other.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::record::{Record, take, ticks};

const HEADER: &[u8] = b"{\"format\": \"json\", \"version\": 1}\n";
const TRACE: &[u8] = b"1-581cf771-a006649127e371903a2de979";
/// Documents are padded with spaces to a multiple, so that neighbours have one size.
const PADDING: usize = 64;
/// The kernel splits a send into segments of at most this (an Ethernet packet's payload) ...
const SEGMENT: usize = 1_472;
/// ... and takes at most this many at once ...
const SEGMENTS: usize = 64;
/// ... within the size of a UDP packet.
const PACKET: usize = 65_507;

/// Turns the thread's records into packets.
pub(crate) struct Sender {
    socket: UdpSocket,
    children: usize,
    clock: Clock,
    bytes: Vec<u8>,
    sizes: Vec<usize>,
    segment: usize,
}

impl Sender {
    pub(crate) fn new(address: SocketAddr, children: u64) -> Sender {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback socket");
        socket.connect(address).expect("the sink is there");
        let (bytes, sizes) = (Vec::with_capacity(1 << 20), Vec::with_capacity(1 << 10));
        Sender { socket, children: children as usize, clock: Clock::calibrated(), bytes, sizes, segment: 0 }
    }

    /// Sends what the thread has recorded: a document for each root with its children.
    pub(crate) fn send_recorded(&mut self) {
        self.bytes.clear();
        self.sizes.clear();
        take(|records| {
            for records in records.chunks_exact(self.children + 1) {
                let start = self.bytes.len();
                document(&mut self.bytes, &self.clock, records);
                let size = (self.bytes.len() - start).next_multiple_of(PADDING);
                self.bytes.resize(start + size, b' ');
                self.sizes.push(size);
            }
        });
        let (mut start, mut rest) = (0, self.sizes.as_slice());
        while let Some(&size) = rest.first() {
            let most = if size <= SEGMENT { SEGMENTS.min(PACKET / size) } else { 1 };
            let count = rest.iter().take(most).take_while(|&&next| next == size).count();
            set_segment(&self.socket, &mut self.segment, if count > 1 { size } else { 0 });
            // A lost packet is the receiver's matter: a floor has no error path.
            let _ = self.socket.send(&self.bytes[start..start + count * size]);
            (start, rest) = (start + count * size, &rest[count..]);
        }
    }
}

fn set_segment(socket: &UdpSocket, current: &mut usize, size: usize) {
    if *current == size {
        return;
    }
    let value = size as libc::c_int;
    // SAFETY: the descriptor is open, and the value is a live c_int of the length told.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "UDP_SEGMENT: {}", std::io::Error::last_os_error());
    *current = size;
}

/// The root is the first record in sync code, the last in async code.
fn document(out: &mut Vec<u8>, clock: &Clock, records: &[Record]) {
    let (root, children) = match records {
        [root, children @ ..] if root.parent == 0 => (root, children),
        [children @ .., root] => (root, children),
        [] => return,
    };
    out.extend_from_slice(HEADER);
    span(out, clock, root);
    out.extend_from_slice(b",\"trace_id\":\"");
    out.extend_from_slice(TRACE);
    out.extend_from_slice(b"\",\"subsegments\":[");
    for child in children {
        span(out, clock, child);
        out.extend_from_slice(b"},");
    }
    out.pop();
    out.extend_from_slice(b"]}");
}

#[inline(always)]
fn span(out: &mut Vec<u8>, clock: &Clock, record: &Record) {
    out.extend_from_slice(b"{\"name\":\"");
    out.extend_from_slice(record.name.as_bytes());
    out.extend_from_slice(b"\",\"id\":\"");
    out.extend_from_slice(&hexadecimal(record.id));
    out.extend_from_slice(b"\",\"start_time\":");
    out.extend_from_slice(&seconds(clock.nanoseconds(record.start)));
    out.extend_from_slice(b",\"end_time\":");
    out.extend_from_slice(&seconds(clock.nanoseconds(record.end)));
}

/// Ticks to nanoseconds since 1970 by one multiplication.
struct Clock {
    ticks: u64,
    nanoseconds: u64,
    /// Nanoseconds a tick, times 2^32.
    factor: u64,
}

impl Clock {
    fn calibrated() -> Clock {
        let now = || {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970");
            (ticks(), time.as_nanos() as u64)
        };
        let first = now();
        std::thread::sleep(Duration::from_millis(20));
        let second = now();
        let factor = (u128::from(second.1 - first.1) << 32) / u128::from(second.0 - first.0);
        Clock { ticks: first.0, nanoseconds: first.1, factor: factor as u64 }
    }

    #[inline(always)]
    fn nanoseconds(&self, ticks: u64) -> u64 {
        let since = u128::from(ticks.wrapping_sub(self.ticks)) * u128::from(self.factor);
        self.nanoseconds + (since >> 32) as u64
    }
}

static DECIMAL_PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut i) = ([[0; 2]; 100], 0);
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

static HEXADECIMAL_PAIRS: [[u8; 2]; 256] = {
    let (digits, mut pairs, mut i) = (b"0123456789abcdef", [[0; 2]; 256], 0);
    while i < 256 {
        pairs[i] = [digits[i >> 4], digits[i & 15]];
        i += 1;
    }
    pairs
};

#[inline(always)]
fn hexadecimal(value: u64) -> [u8; 16] {
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(value.to_be_bytes()) {
        pair.copy_from_slice(&HEXADECIMAL_PAIRS[usize::from(byte)]);
    }
    text
}

/// Nanoseconds to `1700000000.123456`.
#[inline(always)]
fn seconds(nanoseconds: u64) -> [u8; 17] {
    let microseconds = nanoseconds / 1_000;
    let (mut whole, mut fraction) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let mut text = [b'.'; 17];
    for pair in text[..10].chunks_exact_mut(2).rev() {
        pair.copy_from_slice(&DECIMAL_PAIRS[(whole % 100) as usize]);
        whole /= 100;
    }
    for pair in text[11..].chunks_exact_mut(2).rev() {
        pair.copy_from_slice(&DECIMAL_PAIRS[(fraction % 100) as usize]);
        fraction /= 100;
    }
    text
}
