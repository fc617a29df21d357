//! A double of the API by which Lambda gives a runtime its invocations, and the daemon beside it. Functions are processes: this
//! executable, started again.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

/// How long an event may take that should come in milliseconds: other tests have the machine too.
pub const SOON: Duration = Duration::from_secs(20);

/// Says which function a process is.
const ROLE: &str = "FUNCTION_ROLE";

pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Runs the tests whose names hold an argument, or all: the harness of a target whose executable is the functions too.
pub fn run(tests: &[(&str, fn())]) {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut passed = 0;
    for (name, test) in tests {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str())) {
            test();
            println!("test {name} ... ok");
            passed += 1;
        }
    }
    println!("{passed} passed, 0 failed");
}

/// What a function gave for an invocation.
#[derive(Debug, Clone)]
pub struct Answer {
    pub id: String,
    /// Posted as an error.
    pub is_error: bool,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }
}

#[derive(Debug, Default)]
struct Log {
    invoked: usize,
    waiting: VecDeque<(String, Option<String>, Value)>,
    answers: VecDeque<Answer>,
    /// Calls for a next invocation.
    asked: usize,
    documents: Vec<Value>,
}

struct Shared {
    log: Mutex<Log>,
    changed: Condvar,
    invoked: tokio::sync::Notify,
    /// How answers are taken.
    status: AtomicU16,
    daemon: UdpSocket,
}

pub struct Double {
    shared: Arc<Shared>,
    pub address: SocketAddr,
    /// Where the daemon would tell its sampling rules. Nobody may ask.
    rules: TcpListener,
    _runtime: tokio::runtime::Runtime,
}

impl Double {
    pub fn new() -> Self {
        let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
        daemon.set_nonblocking(true).unwrap();
        let rules = TcpListener::bind("127.0.0.1:0").unwrap();
        rules.set_nonblocking(true).unwrap();
        let shared = Arc::new(Shared {
            log: Mutex::default(),
            changed: Condvar::new(),
            invoked: tokio::sync::Notify::new(),
            status: AtomicU16::new(202),
            daemon,
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answer))
            .with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { shared, address, rules, _runtime: runtime }
    }

    /// A function in a process of its own, as Lambda starts it.
    pub fn function(&self, role: &str, more: &[(&str, &str)]) -> Function {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let daemon = self.shared.daemon.local_addr().unwrap();
        let daemon = format!("udp:{daemon} tcp:{}", self.rules.local_addr().unwrap());
        command.env_clear().env(ROLE, role).env("LAMBDA_TASK_ROOT", "/var/task");
        command
            .env("AWS_LAMBDA_RUNTIME_API", self.address.to_string())
            .env("AWS_XRAY_DAEMON_ADDRESS", daemon);
        command.env("AWS_LAMBDA_FUNCTION_NAME", "orders").env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
        command.env("AWS_LAMBDA_FUNCTION_VERSION", "1").env("RUST_BACKTRACE", "0");
        // Of some invocation long ago.
        command.env(
            "_X_AMZN_TRACE_ID",
            "Root=1-00000000-0000000000000000000000ff;Parent=00000000000000ff;Sampled=1",
        );
        for (name, value) in more {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        Function(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    /// How answers are taken from now on.
    pub fn answer_with(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    pub fn invoke(&self, header: Option<&str>, payload: Value) {
        let mut log = self.shared.log.lock().unwrap();
        log.invoked += 1;
        let id = format!("request-{}", log.invoked);
        log.waiting.push_back((id, header.map(str::to_owned), payload));
        self.shared.invoked.notify_one();
    }

    /// Waits until `look` finds what it looks for.
    #[track_caller]
    fn until<T>(&self, what: &str, mut look: impl FnMut(&mut Log) -> Option<T>) -> T {
        let end = Instant::now() + SOON;
        let mut log = self.shared.log.lock().unwrap();
        loop {
            drain(&self.shared.daemon, &mut log);
            if let Some(found) = look(&mut log) {
                return found;
            }
            assert!(Instant::now() < end, "{what} did not come; there is {log:?}");
            // Datagrams notify nobody.
            log = self.shared.changed.wait_timeout(log, Duration::from_millis(10)).unwrap().0;
        }
    }

    /// The answer to the invocation before.
    #[track_caller]
    pub fn answer(&self) -> Answer {
        self.until("an answer", |log| log.answers.pop_front())
    }

    /// Waits until the function has asked for an invocation so many times, and gives what was delivered **before** it asked.
    #[track_caller]
    pub fn delivered(&self, asked: usize) -> Vec<Value> {
        let end = Instant::now() + SOON;
        let mut log = self.shared.log.lock().unwrap();
        while log.asked < asked {
            assert!(Instant::now() < end, "{asked} invocations were not asked for; there is {log:?}");
            log = self.shared.changed.wait_timeout(log, SOON).unwrap().0;
        }
        std::mem::take(&mut log.documents)
    }

    /// Waits for a document of this name, and takes all that came with it.
    #[track_caller]
    pub fn document(&self, name: &str) -> Vec<Value> {
        self.until(name, |log| {
            let there = log.documents.iter().any(|document| document["name"] == name);
            there.then(|| std::mem::take(&mut log.documents))
        })
    }

    /// Nobody has asked for sampling rules.
    #[track_caller]
    pub fn nobody_asked_for_rules(&self) {
        assert_eq!(self.rules.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

/// The process of a function; it ends with the test.
pub struct Function(pub Child);

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Takes over what the daemon was sent.
fn drain(daemon: &UdpSocket, log: &mut Log) {
    let mut buffer = vec![0; 65_535];
    while let Ok(size) = daemon.recv(&mut buffer) {
        let text = std::str::from_utf8(&buffer[..size]).unwrap();
        let (_, document) = text.split_once('\n').unwrap();
        log.documents.push(serde_json::from_str(document).unwrap());
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    {
        let mut log = shared.log.lock().unwrap();
        // What is not there now may come only after the program was thawed.
        drain(&shared.daemon, &mut log);
        log.asked += 1;
        shared.changed.notify_all();
    }
    let (id, header, payload) = loop {
        let waiting = shared.log.lock().unwrap().waiting.pop_front();
        match waiting {
            Some(invocation) => break invocation,
            None => shared.invoked.notified().await,
        }
    };
    let more = !shared.log.lock().unwrap().waiting.is_empty();
    if more {
        shared.invoked.notify_one();
    }
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(60);
    let mut headers = HeaderMap::new();
    headers.insert("lambda-runtime-aws-request-id", id.parse().unwrap());
    headers.insert("lambda-runtime-deadline-ms", deadline.as_millis().to_string().parse().unwrap());
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:orders";
    headers.insert("lambda-runtime-invoked-function-arn", arn.parse().unwrap());
    if let Some(header) = header {
        headers.insert("lambda-runtime-trace-id", header.parse().unwrap());
    }
    (headers, payload.to_string()).into_response()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path((id, kind)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let body = String::from_utf8_lossy(&body).into_owned();
    shared.log.lock().unwrap().answers.push_back(Answer { id, is_error: kind == "error", body });
    shared.changed.notify_all();
    StatusCode::from_u16(shared.status.load(Ordering::SeqCst)).unwrap()
}
