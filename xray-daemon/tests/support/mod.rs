//! Shared by the tests of this folder.

pub(crate) mod http;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Long enough for a busy machine; nothing waits for it unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Sends datagrams to a daemon.
pub(crate) struct Client {
    socket: UdpSocket,
}

impl Client {
    pub(crate) fn new(daemon: SocketAddr) -> Self {
        let local = if daemon.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" };
        let socket = UdpSocket::bind(local).expect("a socket");
        socket.connect(daemon).expect("connected");
        Self { socket }
    }

    pub(crate) fn send(&self, datagram: &[u8]) {
        assert_eq!(self.socket.send(datagram).expect("sent"), datagram.len());
    }

    pub(crate) fn document(&self, document: &str) {
        self.send(format!("{{\"format\":\"json\",\"version\":1}}\n{document}").as_bytes());
    }
}

fn json(name: &str) -> serde_json::Value {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    serde_json::from_slice(&std::fs::read(file).expect("test data")).expect("JSON")
}

fn texts(documents: &serde_json::Value) -> Vec<String> {
    documents.as_array().expect("documents").iter().map(ToString::to_string).collect()
}

/// The documents of a real request.
pub(crate) fn golden(name: &str) -> Vec<String> {
    texts(&json(name)["documents"])
}

/// Id and documents of fourteen traces.
pub(crate) fn vector_traces() -> Vec<(String, Vec<String>)> {
    let traces = json("traces.json");
    let traces = traces["traces"].as_array().expect("traces");
    traces
        .iter()
        .map(|trace| (trace["id"].as_str().expect("id").to_owned(), texts(&trace["documents"])))
        .collect()
}

/// A closed segment.
pub(crate) fn segment(trace: &str, id: &str) -> String {
    format!(
        r#"{{"trace_id":"{trace}","id":"{id}","name":"api","start_time":1579893132.0,"end_time":1579893132.5}}"#
    )
}
