//! As much of HTTP/1.1 as a server needs that must be able to break it anywhere.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::behaviour::{Answer, Pace};

/// The most bytes of a head.
const HEAD: usize = 64 << 10;

/// The most bytes of a body.
const BODY: usize = 16 << 20;

/// A request's head.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
}

impl Head {
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut lines = text.split("\r\n");
        let mut first = lines.next()?.splitn(3, ' ');
        let (method, target, version) = (first.next()?, first.next()?, first.next()?);
        if version != "HTTP/1.1" {
            return None;
        }
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().to_owned()))
        };
        let headers = lines.map(header).collect::<Option<_>>()?;
        Some(Self { method: method.to_owned(), target: target.to_owned(), headers })
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(super) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The bytes of the body. Every client of AWS says so before: a signature is over the whole body.
    pub(super) fn length(&self) -> io::Result<usize> {
        if self.header("transfer-encoding").is_some() {
            return Err(io::Error::other("a body in chunks"));
        }
        let length = self.header("content-length").map_or(Ok(0), str::parse).map_err(io::Error::other)?;
        if length > BODY { Err(io::Error::other("a body of more than 16 MiB")) } else { Ok(length) }
    }
}

/// A connection, and what was read of it but not used.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// The next request's head; `None` when the client has gone.
    pub(super) async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = Head::parse(&self.read[..end]).ok_or(io::ErrorKind::InvalidData)?;
                self.read.drain(..end + 4);
                return Ok(Some(head));
            }
            if self.read.len() > HEAD {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// A body of so many bytes.
    pub(super) async fn body(&mut self, length: usize, pace: Option<Pace>) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; pace.map_or(64 << 10, |pace| pace.bytes)];
        loop {
            // At least once: a small body may have come with its head.
            if let Some(pace) = pace {
                sleep(pace.pause).await;
            }
            if self.read.len() >= length {
                break;
            }
            let count = self.stream.read(&mut piece).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.read.extend_from_slice(&piece[..count]);
        }
        let rest = self.read.split_off(length);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    pub(super) async fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        self.stream.write_all(&bytes(answer)).await
    }

    /// Half of an answer, such that its head has come and its body not.
    pub(super) async fn half(&mut self, answer: &Answer) -> io::Result<()> {
        let bytes = bytes(answer);
        let half = bytes.len() - answer.body.len() / 2 - 1;
        self.stream.write_all(&bytes[..half]).await
    }

    /// Ends it with a reset (RST).
    pub(super) fn reset(self) {
        use nix::libc::linger;
        use nix::sys::socket::{setsockopt, sockopt::Linger};

        let at_once = linger { l_onoff: 1, l_linger: 0 };
        // Where it is refused the connection ends all the same, if less rudely.
        let _ = setsockopt(&self.stream, Linger, &at_once);
    }
}

fn bytes(answer: &Answer) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} As Asked\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "Content-Type: application/json\r\n";
    head += &format!("Content-Length: {}\r\n\r\n{}", answer.body.len(), answer.body);
    head.into_bytes()
}
