//! Sends segments at a pace, out of memory that was filled before: what is measured costs this process its system calls alone.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::process_cpu;

use crate::segment::{DATAGRAM, datagram};

/// What is due is sent once in this time.
const TICK: Duration = Duration::from_millis(1);
/// Datagrams of one system call.
const PER_CALL: usize = 64;

/// Sends segments 0 to `segments` to `address`, `rate` a second. Returns a JSON object of what that took.
pub(crate) fn send(address: &str, segments: usize, rate: f64) -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    let memory = prepared(segments);
    let mut calls = Calls { socket: socket.as_raw_fd(), errors: 0 };

    let (start, cpu) = (Instant::now(), process_cpu());
    let (mut sent, mut ticks, mut longest, mut largest, mut last) = (0, 0, Duration::ZERO, 0, start);
    while sent < segments {
        let now = Instant::now();
        longest = longest.max(now - last);
        last = now;
        let due = if rate > 0.0 { ((now - start + TICK).as_secs_f64() * rate) as usize } else { segments };
        let due = due.min(segments);
        if due > sent {
            calls.send(&memory[sent * DATAGRAM..due * DATAGRAM]);
            largest = largest.max(due - sent);
            sent = due;
        }
        ticks += 1;
        if sent < segments {
            // A late tick sends what those before it owed, and is not the start of a new pace.
            sleep((start + TICK * ticks).saturating_duration_since(Instant::now()));
        }
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), (process_cpu() - cpu).as_secs_f64());

    let (rate, errors, finished) = (segments as f64 / seconds, calls.errors, since_1970());
    let longest = longest.as_secs_f64() * 1_000.0;
    Ok(format!(
        r#"{{"segments":{segments},"datagram":{DATAGRAM},"seconds":{seconds:.6},"rate":{rate:.1},"cpu_s":{cpu:.6},"errors":{errors},"longest_tick_ms":{longest:.3},"largest_burst":{largest},"finished":{finished:.6}}}"#
    ))
}

pub(crate) fn since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn prepared(segments: usize) -> Vec<u8> {
    let now = since_1970();
    let mut memory = Vec::with_capacity(segments * DATAGRAM);
    for number in 0..segments {
        memory.extend_from_slice(datagram(number as u64, now).as_bytes());
        assert_eq!(memory.len(), (number + 1) * DATAGRAM, "a segment of another size");
    }
    memory
}

struct Calls {
    socket: RawFd,
    /// Datagrams that the kernel refused.
    errors: u64,
}

impl Calls {
    /// Sends whole datagrams, each once.
    fn send(&mut self, mut datagrams: &[u8]) {
        while !datagrams.is_empty() {
            let taken = self.call(datagrams);
            datagrams = &datagrams[taken * DATAGRAM..];
        }
    }

    /// One system call; tells how many datagrams are done with.
    fn call(&mut self, datagrams: &[u8]) -> usize {
        let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; PER_CALL];
        // SAFETY: null pointers and zeroes are a message without address, parts and control data.
        let mut messages: [libc::mmsghdr; PER_CALL] = unsafe { std::mem::zeroed() };
        let mut count = 0;
        for ((datagram, part), message) in datagrams.chunks_exact(DATAGRAM).zip(&mut parts).zip(&mut messages)
        {
            *part = libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: DATAGRAM };
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            count += 1;
        }
        // SAFETY: the socket is open; the first `count` messages point at live parts, and these at live memory that the
        // kernel only reads.
        let taken = unsafe { libc::sendmmsg(self.socket, messages.as_mut_ptr(), count, 0) };
        if taken > 0 {
            return taken as usize;
        }
        if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
            return 0;
        }
        // The first one was refused: it is lost, as it would be to a program that sends it.
        self.errors += 1;
        1
    }
}
