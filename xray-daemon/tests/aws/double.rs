//! A server that answers as told, and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use crate::PATIENCE;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// As it stood in the first line: absolute where the client takes this for a proxy.
    pub(crate) target: String,
    /// Names in lower case, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| &**value);
        let first = found.next();
        assert_eq!(found.next(), None, "{name} twice: {self:?}");
        first
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The names in `SignedHeaders`.
    pub(crate) fn signed(&self) -> Vec<&str> {
        let authorization = self.header("authorization").expect("a signature");
        let after = authorization.split("SignedHeaders=").nth(1).expect("signed headers");
        after.split(',').next().unwrap().split(';').collect()
    }

    /// The key in `Credential`.
    pub(crate) fn key(&self) -> &str {
        let authorization = self.header("authorization").expect("a signature");
        authorization.split("Credential=").nth(1).unwrap().split('/').next().unwrap()
    }
}

/// What a request gets.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Status, headers, body.
    Http(u16, Vec<(String, String)>, Vec<u8>),
    /// These bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// The connection is reset.
    Reset,
    /// Nothing, ever.
    Silence,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::Http(status, vec![("Content-Type".into(), "application/json".into())], body.as_bytes().to_vec())
    }

    pub(crate) fn taken() -> Self {
        Self::json(200, r#"{"UnprocessedTraceSegments":[]}"#)
    }

    /// An error as X-Ray sends it.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "Message": message }).to_string();
        Self::json(status, &body).with("x-amzn-ErrorType", code)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Http(_, headers, _) = &mut self {
            headers.push((name.into(), value.into()));
        }
        self
    }
}

type Answers = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// The server; its threads end with the process.
pub(crate) struct Double {
    addr: SocketAddr,
    received: Mutex<Receiver<Request>>,
    connections: Arc<AtomicUsize>,
    scheme: &'static str,
}

/// What a connection is read from and written to.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Double {
    /// One that answers each request with what this makes of it.
    pub(crate) fn new(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve("http", answer, |stream| Box::new(stream))
    }

    /// The same for each.
    pub(crate) fn always(answer: Answer) -> Self {
        Self::new(move |_| answer.clone())
    }

    /// With a certificate for `localhost` that nobody signed.
    pub(crate) fn with_tls(answer: Answer) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let double = Self::serve(
            "https",
            move |_| answer.clone(),
            move |stream| {
                let session = rustls::ServerConnection::new(config.clone()).unwrap();
                Box::new(rustls::StreamOwned::new(session, stream))
            },
        );
        (double, made.cert.pem())
    }

    fn serve(
        scheme: &'static str,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
        open: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, received) = channel();
        let (answer, open): (Answers, _) = (Arc::new(answer), Arc::new(open));
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let (sender, answer, open) = (sender.clone(), answer.clone(), open.clone());
                std::thread::spawn(move || {
                    let stream = open(socket.try_clone().unwrap());
                    connection(stream, &socket, &sender, &answer);
                });
            }
        });
        Self { addr, received: Mutex::new(received), connections, scheme }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections came.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        // The name in its certificate.
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}", self.scheme, self.addr.port())
    }

    /// The next request that came.
    pub(crate) fn next(&self) -> Request {
        self.received.lock().unwrap().recv_timeout(PATIENCE).expect("a request")
    }

    /// Whether no request came that was not taken yet.
    pub(crate) fn is_quiet(&self) -> bool {
        self.received.lock().unwrap().try_recv().is_err()
    }
}

/// Serves a connection to its end.
fn connection(stream: Box<dyn Stream>, socket: &TcpStream, sender: &Sender<Request>, answer: &Answers) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        // First: what a test asks for is there once it has the answer.
        let _ = sender.send(request.clone());
        let out = stream.get_mut();
        match answer(&request) {
            Answer::Silence => loop {
                std::thread::park();
            },
            Answer::Reset => {
                nix::sys::socket::setsockopt(
                    socket,
                    nix::sys::socket::sockopt::Linger,
                    &nix::libc::linger { l_onoff: 1, l_linger: 0 },
                )
                .unwrap();
                return;
            }
            Answer::Raw(bytes) => {
                let _ = out.write_all(&bytes).and_then(|()| out.flush());
                let _ = socket.shutdown(std::net::Shutdown::Both);
                return;
            }
            Answer::Http(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                let bytes = [head.into_bytes(), body].concat();
                if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
                    return;
                }
            }
        }
    }
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        let length = stream.read_line(&mut line).ok()?;
        (length > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut first = first.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').expect("a header");
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    assert_eq!(request.header("transfer-encoding"), None, "bodies are sent with their length");
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).ok()?;
    Some(request)
}
