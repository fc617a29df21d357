//! An HTTP/1.1 server that answers as badly as it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Which connection brought it, from 0.
    pub(super) connection: usize,
    /// `POST /api/1/item/ HTTP/1.1`.
    pub(super) line: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// Answers, and keeps the connection.
    Http { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// Says nothing, and keeps the connection.
    Silence,
    /// Resets the connection.
    Reset,
    /// Closes the connection in order.
    Close,
    /// Resets the connection within the body of an answer of 200.
    ResetMidBody,
    /// Answers with 200, a whole body and no length, and never closes.
    SlowClose,
    /// Answers with something that is no HTTP.
    Garbage,
}

impl Answer {
    pub(super) fn status(status: u16) -> Self {
        Self::json(
            status,
            if status == 200 { r#"{"err":0,"result":{}}"# } else { r#"{"err":1,"message":"no"}"# },
        )
    }

    pub(super) fn json(status: u16, body: &str) -> Self {
        Self::Http {
            status,
            headers: vec![("Content-Type", "application/json".to_owned())],
            body: body.to_owned(),
        }
    }

    pub(super) fn html(status: u16) -> Self {
        let body = format!("<html><body><h1>{status}</h1>Your proxy.</body></html>");
        Self::Http { status, headers: vec![("Content-Type", "text/html".to_owned())], body }
    }

    pub(super) fn with(self, name: &'static str, value: impl ToString) -> Self {
        match self {
            Self::Http { status, mut headers, body } => {
                headers.push((name, value.to_string()));
                Self::Http { status, headers, body }
            }
            other => other,
        }
    }
}

type Answers = dyn Fn(&Request) -> Answer + Send + Sync;

/// The server; it ends with the runtime that it was started in.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// A server that answers each request with what `answers` makes of it.
    pub(super) async fn new(answers: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answers) = (Arc::clone(&requests), Arc::new(answers) as Arc<Answers>);
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, connection, Arc::clone(&log), Arc::clone(&answers)));
            }
        });
        Self { address, requests }
    }

    /// A server that gives these answers in turn, the last one for ever.
    pub(super) async fn of(answers: &[Answer]) -> Self {
        let answers = Mutex::new(answers.to_vec());
        Self::new(move |_| {
            let mut answers = answers.lock().unwrap();
            if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
        })
        .await
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    log: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Answers>,
) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let request = request(&mut stream, &mut read, connection).await?;
        let answer = answers(&request);
        log.lock().unwrap().push(request);
        match answer {
            Answer::Http { status, headers, body } => {
                let mut text = format!("HTTP/1.1 {status} Reason\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    text += &format!("{name}: {value}\r\n");
                }
                stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.ok()?;
            }
            Answer::Silence => std::future::pending().await,
            Answer::Close => return None,
            Answer::Reset => return reset(&stream),
            Answer::ResetMidBody => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"err\":0").await.ok()?;
                return reset(&stream);
            }
            Answer::SlowClose => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"err\":0,\"result\":{}}")
                    .await
                    .ok()?;
                std::future::pending().await
            }
            Answer::Garbage => {
                stream.write_all(b"220 mail.example ESMTP\r\n").await.ok()?;
                return None;
            }
        }
    }
}

/// Dropping the stream then sends RST in the place of FIN.
#[allow(deprecated, reason = "the newer name is not in the oldest tokio that is taken")]
fn reset(stream: &TcpStream) -> Option<()> {
    stream.set_linger(Some(std::time::Duration::ZERO)).ok()
}

async fn request(stream: &mut TcpStream, read: &mut Vec<u8>, connection: usize) -> Option<Request> {
    let head = loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break read.drain(..end + 4).collect::<Vec<_>>();
        }
        more(stream, read).await?;
    };
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, length)| length.parse().unwrap());
    while read.len() < length {
        more(stream, read).await?;
    }
    Some(Request { connection, line, headers, body: read.drain(..length).collect() })
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    match stream.read_buf(read).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}
