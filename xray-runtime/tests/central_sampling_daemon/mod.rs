//! A daemon over TCP that answers what a test tells it to, in a thread of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than anything takes: who waits that long waits in vain.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What arrived.
#[derive(Debug)]
pub(crate) struct Call {
    #[allow(dead_code, reason = "not each test binary looks at it")]
    pub(crate) head: String,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// What the daemon does about it.
#[allow(dead_code, reason = "not each test binary has each fault")]
pub(crate) enum Answer {
    Json(Value),
    Raw(Vec<u8>),
    /// Closes without a word.
    Close,
    /// Says nothing and stays.
    Hang,
}

/// A double of the daemon.
pub(crate) struct Daemon {
    pub(crate) address: SocketAddr,
    calls: Receiver<Call>,
}

impl Daemon {
    /// Answers each call by `answer`, one after the other.
    pub(crate) fn start(answer: impl FnMut(&Call) -> Answer + Send + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    pub(crate) fn on(listener: TcpListener, answer: impl FnMut(&Call) -> Answer + Send + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let (sender, calls) = channel();
        std::thread::spawn(move || serve(&listener, answer, &sender));
        Self { address, calls }
    }

    /// The next call, whatever it is.
    pub(crate) fn call(&self) -> Call {
        self.calls.recv_timeout(SOON).expect("a call in time")
    }

    /// What came so far is of no interest.
    #[allow(dead_code, reason = "not each test binary asks")]
    pub(crate) fn forget(&self) {
        while self.calls.try_recv().is_ok() {}
    }

    /// The next call of this operation; others are passed over.
    pub(crate) fn next(&self, operation: &str) -> Call {
        loop {
            let call = self.call();
            if call.path == format!("/{operation}") {
                return call;
            }
        }
    }
}

fn serve(listener: &TcpListener, mut answer: impl FnMut(&Call) -> Answer, calls: &Sender<Call>) {
    let mut held = Vec::new();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let Some(call) = read(&stream) else { continue };
        let answer = answer(&call);
        // The test may be over.
        if calls.send(call).is_err() {
            return;
        }
        let bytes = match answer {
            Answer::Json(body) => response("200 OK", body.to_string().as_bytes()),
            Answer::Raw(bytes) => bytes,
            Answer::Close => continue,
            Answer::Hang => {
                held.push(stream);
                continue;
            }
        };
        // Who hung up does not want it.
        let _ = stream.write_all(&bytes);
    }
}

fn read(stream: &TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    Some(Call { path, body: serde_json::from_slice(&body).unwrap(), head })
}

/// A whole response; the connection closes after it.
pub(crate) fn response(status: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The record of a rule with a reservoir of 1 for paths.
pub(crate) fn record(name: &str, path: &str, rate: f64) -> Value {
    json!({ "CreatedAt": 1.5e9, "ModifiedAt": 1.5e9, "SamplingRule": {
        "RuleName": name, "RuleARN": format!("arn:aws:xray:us-east-1:1:sampling-rule/{name}"), "Priority": 10, "FixedRate": rate,
        "ReservoirSize": 1, "URLPath": path, "Host": "*", "HTTPMethod": "*", "ServiceName": "*", "ServiceType": "*",
        "ResourceARN": "*", "Version": 1, "Attributes": {},
    } })
}

/// The answer with these records, the last page.
pub(crate) fn rules(records: Vec<Value>) -> Answer {
    Answer::Json(json!({ "SamplingRuleRecords": records, "NextToken": null }))
}

/// The answer with these target documents; nothing was modified since long.
pub(crate) fn targets(documents: Vec<Value>) -> Answer {
    Answer::Json(json!({
        "SamplingTargetDocuments": documents, "LastRuleModification": 1.5e9, "UnprocessedStatistics": [],
    }))
}
