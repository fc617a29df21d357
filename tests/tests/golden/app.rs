//! Our app, asked what the original was asked.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use cruddur::settings::{Daemon, Ports, Rollbar, Settings};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::twin::{Exchange, Packet, Request, arrived, header};

/// Long enough for a busy machine; every wait ends with the event, not with the time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the app has the original's routes, but for those of `/api/activities`.
const TWINS: &str = "/api/twins";

/// Where the service was that the original app called.
const GOLDEN_DOWNSTREAM: &str = "127.0.0.1:8766";

/// Starts the app, sends it the request, stops it, and takes all that it sent to its daemon. Several twins share a
/// trace id, so that each gets an app of its own.
pub(crate) fn answer(runtime: &Runtime, request: &Request) -> Exchange {
    // X-Ray's own variables win over the settings, and a test cannot unset them.
    let set = std::env::vars_os().find(|(name, _)| name.to_string_lossy().starts_with("AWS_XRAY_"));
    assert_eq!(set, None, "unset this variable to run the tests");

    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let settings = Settings {
        ports: Ports::Free,
        dynamic_naming: Some("*127.0.0.1*".to_owned()),
        daemon: Daemon::At(daemon.local_addr().unwrap().to_string()),
        rollbar: Rollbar::Off,
    };
    let app = runtime.block_on(cruddur::start(settings, |daemon| daemon)).unwrap();
    let downstream = app.recommendations().to_string();
    let response = send(app.backend(), request);

    let statistics = runtime.block_on(app.stop());
    assert!(statistics.all_accounted_for(), "{statistics}");
    let packets = receive(&daemon, statistics.total(|stats| stats.documents_sent));
    let as_in_the_original = |text: &str| text.replace(TWINS, "").replace(&downstream, GOLDEN_DOWNSTREAM);
    Exchange {
        status: response.status,
        trace_header: header(&response.headers, "x-amzn-trace-id").map(str::to_owned),
        arrived: arrived(&response.body),
        packets: packets
            .iter()
            .map(|packet| {
                let mut packet = parse(&as_in_the_original(packet));
                if !request.path.starts_with("/sqlite") {
                    without_sql(&mut packet.document);
                }
                packet
            })
            .collect(),
    }
}

/// Leaves out the queries below an entity: the original had no database where ours has.
fn without_sql(entity: &mut Value) {
    let Some(subsegments) = entity.get_mut("subsegments").and_then(Value::as_array_mut) else { return };
    subsegments.retain(|subsegment| subsegment.get("sql").is_none());
    subsegments.iter_mut().for_each(without_sql);
    if subsegments.is_empty() {
        entity.as_object_mut().unwrap().remove("subsegments");
    }
}

fn parse(packet: &str) -> Packet {
    let (header, document) = packet.split_once('\n').unwrap();
    Packet {
        header: serde_json::from_str(header).unwrap(),
        document: serde_json::from_str(document).unwrap(),
    }
}

/// All datagrams that wait in the socket, of which `sent` are known to come.
fn receive(daemon: &UdpSocket, sent: u64) -> Vec<String> {
    daemon.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = vec![0; 65_536];
    let mut packets = Vec::new();
    loop {
        if packets.len() as u64 == sent {
            daemon.set_nonblocking(true).unwrap();
        }
        match daemon.recv(&mut buffer) {
            Ok(length) => packets.push(String::from_utf8(buffer[..length].to_vec()).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock && packets.len() as u64 >= sent => {
                return packets;
            }
            Err(error) => panic!("{} of {sent} documents came: {error}", packets.len()),
        }
    }
}

#[derive(Debug)]
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// One HTTP/1.1 exchange, with the headers as they are given: a client of the trade would add to them.
fn send(address: SocketAddr, request: &Request) -> Response {
    let path = if request.path.starts_with("/api/") || request.path == "/nope" {
        request.path.clone()
    } else {
        format!("{TWINS}{}", request.path)
    };
    let mut head = format!("{} {path} HTTP/1.1\r\nConnection: close\r\n", request.method);
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");

    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();

    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(header(&headers, "content-length"), Some(body.len().to_string().as_str()), "{head}");
    Response { status, headers, body: body.to_owned() }
}
