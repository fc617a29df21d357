//! Documents as datagrams through a connected socket, whatever its family: many in one system call where the kernel has one.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::socket::{MsgFlags, send};

use super::{Batch, DropCause};

/// Datagrams of one system call; the kernel takes no more segments (`UDP_MAX_SEGMENTS` was 64 before Linux 6.7).
pub(super) const PER_CALL: usize = 64;

/// What an error of a send means for its document.
pub(super) fn cause_of(error: &io::Error) -> DropCause {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => DropCause::SocketFull,
        _ if error.raw_os_error() == Some(nix::libc::ENOBUFS) => DropCause::SocketFull,
        _ if error.raw_os_error() == Some(nix::libc::EMSGSIZE) => DropCause::TooLarge,
        _ => DropCause::SendFailed,
    }
}

/// Tells how many went, or how many are lost to an error.
#[cfg(target_os = "linux")]
pub(super) fn send_each(
    socket: &impl AsRawFd,
    batch: &Batch,
    at: usize,
    count: usize,
) -> Result<usize, (usize, io::Error)> {
    use std::io::IoSlice;

    use nix::sys::socket::{MultiHeaders, sendmmsg};

    if count == 1 {
        return send_one(socket.as_raw_fd(), batch, at);
    }
    let slices: Vec<[IoSlice<'_>; 1]> = batch.entries[at..at + count]
        .iter()
        .map(|entry| [IoSlice::new(&batch.bytes[entry.start..entry.end])])
        .collect();
    let addresses: [Option<()>; PER_CALL] = [None; PER_CALL];
    let mut headers = MultiHeaders::<()>::preallocate(count, None);
    match sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &addresses[..count], [], MsgFlags::empty()) {
        // It stops at the first that fails; the next call says why.
        Ok(sent) => match sent.count() {
            0 => Err((1, io::ErrorKind::WriteZero.into())),
            count => Ok(count),
        },
        Err(errno) => Err((1, errno.into())),
    }
}

/// Tells how many went, or how many are lost to an error.
#[cfg(not(target_os = "linux"))]
pub(super) fn send_each(
    socket: &impl AsRawFd,
    batch: &Batch,
    at: usize,
    _: usize,
) -> Result<usize, (usize, io::Error)> {
    send_one(socket.as_raw_fd(), batch, at)
}

fn send_one(socket: RawFd, batch: &Batch, at: usize) -> Result<usize, (usize, io::Error)> {
    let entry = batch.entries[at];
    send(socket, &batch.bytes[entry.start..entry.end], MsgFlags::empty())
        .map(|_| 1)
        .map_err(|errno| (1, errno.into()))
}
