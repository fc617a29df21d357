//! Datagrams to a Unix socket: a daemon or an agent on the same machine, reached without the network.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::datagrams::{PER_CALL, cause_of, send_each};
use super::{Batch, DropCause, Exporter};
use crate::warning::Warned;

/// How long a batch may wait for a reader that does not read.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// Sends each document as one datagram to a Unix socket, with the header of the daemon's UDP protocol before it: a line
/// `{"format":"json","version":1}`, then the document, which may end in spaces.
///
/// The socket is a datagram one (`SOCK_DGRAM`) that the reader has bound. It is opened with the first document, and anew where the reader
/// has bound it again. Unlike UDP a Unix socket loses nothing by itself: documents that find its reader gone count
/// as [`dropped_send_failed`](crate::Stats::dropped_send_failed), those that find its queue full for 100 ms as
/// [`dropped_socket_full`](crate::Stats::dropped_socket_full). A reader that hangs costs the exporter's thread these 100 ms
/// a batch, and the program nothing.
///
/// ```
/// use std::os::unix::net::UnixDatagram;
/// use xray_runtime::{AllSampler, Recorder, UnixExporter};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let path = std::env::temp_dir().join(format!("xray-{}.sock", std::process::id()));
/// let agent = UnixDatagram::bind(&path)?;
/// let recorder =
///     Recorder::builder().service("orders").sampler(AllSampler).exporter(UnixExporter::new(&path)).build()?;
/// recorder.begin_segment("nightly").end();
///
/// let mut datagram = [0; 65_536];
/// let size = agent.recv(&mut datagram)?;
/// let text = std::str::from_utf8(&datagram[..size])?;
/// assert!(text.starts_with("{\"format\":\"json\",\"version\":1}\n{\"name\":\"nightly\""));
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct UnixExporter {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    warned: Warned,
}

impl UnixExporter {
    /// Sends to the socket that is bound at this path. Nothing is opened before the first document.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), socket: None, warned: Warned::default() }
    }

    fn connect(&mut self) -> io::Result<&UnixDatagram> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(&self.path)?;
                socket.set_write_timeout(Some(SEND_TIMEOUT))?;
                socket
            }
        };
        Ok(self.socket.insert(socket))
    }

    /// Sends from `at` on as far as it goes; tells where it stopped, and why.
    fn send(&mut self, batch: &mut Batch, at: &mut usize) -> io::Result<()> {
        let socket = self.connect()?;
        while *at < batch.entries.len() {
            let count = (batch.entries.len() - *at).min(PER_CALL);
            match send_each(socket, batch, *at, count) {
                Ok(count) => {
                    for entry in &batch.entries[*at..*at + count] {
                        batch.packets += 1;
                        batch.packet_bytes += (entry.end - entry.start) as u64;
                    }
                    *at += count;
                }
                // The document's own fault: the others go on.
                Err((_, error)) if cause_of(&error) == DropCause::TooLarge => {
                    batch.fail(*at, DropCause::TooLarge);
                    *at += 1;
                }
                Err((_, error)) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Exporter for UnixExporter {
    fn export(&mut self, batch: &mut Batch) {
        let was_open = self.socket.is_some();
        let mut at = 0;
        let mut outcome = self.send(batch, &mut at);
        // The reader came back: the old socket leads nowhere, a new one does.
        if was_open && outcome.as_ref().is_err_and(|error| cause_of(error) == DropCause::SendFailed) {
            self.socket = None;
            outcome = self.send(batch, &mut at);
        }
        let Err(error) = outcome else { return };
        let cause = cause_of(&error);
        // What is left is not tried one by one: each would wait anew.
        for index in at..batch.len() {
            batch.fail(index, cause);
        }
        if cause != DropCause::SocketFull {
            self.socket = None;
        }
        if self.warned.is_due() {
            tracing::warn!(
                target: "xray_runtime",
                "segments do not reach the Unix socket {}: {error}. Does its reader run, and has it bound a datagram socket there? \
                 (one warning a minute; Recorder::stats() has the counts)",
                self.path.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(documents: &[&str]) -> Batch {
        let mut batch = Batch::default();
        for document in documents {
            let start = batch.open();
            batch.bytes.extend_from_slice(document.as_bytes());
            batch.close(start, 1);
        }
        batch
    }

    fn failed(batch: &Batch) -> Vec<Option<DropCause>> {
        batch.entries.iter().map(|entry| entry.failed).collect()
    }

    fn received(reader: &UnixDatagram) -> String {
        let mut datagram = vec![0; 70_000];
        let size = reader.recv(&mut datagram).unwrap();
        assert_eq!(size % 64, 0, "padded");
        String::from_utf8(datagram[..size].to_vec()).unwrap().trim_end().to_owned()
    }

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("xray-unix-{name}-{}.sock", std::process::id())))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn each_document_is_a_datagram_in_order() {
        let place = Place::new("order");
        let reader = UnixDatagram::bind(&place.0).unwrap();
        let mut exporter = UnixExporter::new(&place.0);
        let mut three = batch(&["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
        exporter.export(&mut three);
        assert_eq!(failed(&three), [None; 3]);
        assert_eq!((three.packets, three.packet_bytes), (3, 192));
        for expected in ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"] {
            assert_eq!(received(&reader), format!("{{\"format\":\"json\",\"version\":1}}\n{expected}"));
        }
    }

    #[test]
    fn a_reader_that_comes_late_or_again_is_found() {
        let place = Place::new("again");
        let mut exporter = UnixExporter::new(&place.0);
        let mut one = batch(&["{}"]);
        exporter.export(&mut one);
        assert_eq!(failed(&one), [Some(DropCause::SendFailed)]);
        for _ in 0..2 {
            let reader = UnixDatagram::bind(&place.0).unwrap();
            let mut two = batch(&["{\"a\":1}", "{\"b\":2}"]);
            exporter.export(&mut two);
            assert_eq!(failed(&two), [None; 2], "nothing is lost to the socket that was");
            assert!(received(&reader).ends_with("{\"a\":1}"));
            assert!(received(&reader).ends_with("{\"b\":2}"));
            drop(reader);
            std::fs::remove_file(&place.0).unwrap();
        }
    }

    #[test]
    fn a_reader_that_hangs_costs_one_wait_a_batch() {
        let place = Place::new("hangs");
        let reader = UnixDatagram::bind(&place.0).unwrap();
        let mut exporter = UnixExporter::new(&place.0);
        // More than the queue of a Unix socket takes (net.unix.max_dgram_qlen is 512 at most on common systems).
        let mut many = batch(&vec!["{}"; 5_000]);
        exporter.export(&mut many);
        let lost = failed(&many).iter().filter(|cause| **cause == Some(DropCause::SocketFull)).count();
        assert!(lost > 0 && lost < 5_000, "{lost}");
        assert_eq!(many.packets as usize, 5_000 - lost);
        // It reads again: the same socket serves.
        reader.set_nonblocking(true).unwrap();
        while reader.recv(&mut [0; 128]).is_ok() {}
        let mut one = batch(&["{}"]);
        exporter.export(&mut one);
        assert_eq!(failed(&one), [None]);
    }

    #[test]
    fn what_is_too_large_is_the_documents_own_fault() {
        let place = Place::new("large");
        let reader = UnixDatagram::bind(&place.0).unwrap();
        let mut exporter = UnixExporter::new(&place.0);
        // More than a socket's send buffer holds.
        let large = "x".repeat(16 << 20);
        let mut three = batch(&["{\"a\":1}", &large, "{\"c\":3}"]);
        exporter.export(&mut three);
        assert_eq!(failed(&three), [None, Some(DropCause::TooLarge), None]);
        assert!(received(&reader).ends_with("{\"a\":1}"));
        assert!(received(&reader).ends_with("{\"c\":3}"));
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_a_loss_and_no_more() {
        let mut exporter = UnixExporter::new("x".repeat(400));
        let mut one = batch(&["{}"]);
        exporter.export(&mut one);
        assert_eq!(failed(&one), [Some(DropCause::SendFailed)]);
    }
}
