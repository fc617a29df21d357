//! A metadata endpoint on loopback that answers what a test tells it to, well or not.

#![allow(dead_code, reason = "each test target uses a part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What the endpoint does about a request.
pub(crate) enum Answer {
    /// A whole response with this status and body.
    Text(u16, String),
    /// These bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// Closes without a word.
    Close,
    /// Says nothing and stays.
    Hang,
    /// These bytes over and over, for as long as they are taken.
    Endless(Vec<u8>),
}

impl Answer {
    pub(crate) fn ok(body: impl ToString) -> Self {
        Self::Text(200, body.to_string())
    }
}

pub(crate) struct MetadataEndpoint {
    pub(crate) address: SocketAddr,
    requests: Receiver<String>,
}

impl MetadataEndpoint {
    /// Answers each request, given its head, by `answer`, one after the other.
    pub(crate) fn start(answer: impl FnMut(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        std::thread::spawn(move || serve(&listener, answer, &sender));
        Self { address, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

fn serve(listener: &TcpListener, mut answer: impl FnMut(&str) -> Answer, requests: &Sender<String>) {
    let mut held = Vec::new();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let Some(head) = head(&stream) else { continue };
        let answer = answer(&head);
        let _ = requests.send(head);
        // Who hung up does not want it.
        let _ = match answer {
            Answer::Text(status, body) => stream.write_all(response(status, &body).as_bytes()),
            Answer::Raw(bytes) => stream.write_all(&bytes),
            Answer::Close => Ok(()),
            Answer::Hang => {
                held.push(stream);
                Ok(())
            }
            Answer::Endless(bytes) => loop {
                if let Err(error) = stream.write_all(&bytes) {
                    break Err(error);
                }
            },
        };
    }
}

fn response(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// Up to the empty line; the body, if any, is of no interest.
pub(crate) fn head(stream: impl Read) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// As [`Answer::ok`], onto a stream of any kind.
pub(crate) fn answer_ok(mut stream: impl Write, body: &str) {
    stream.write_all(response(200, body).as_bytes()).unwrap();
    stream.flush().unwrap();
}

/// An address that nobody listens at.
pub(crate) fn nobody() -> String {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!("http://{address}")
}
