#![allow(clippy::unwrap_used)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::json;

use super::sigv4::{Signed, tests::authorization};
use super::*;

/// A client of X-Ray that signs.
struct Client {
    stream: BufReader<TcpStream>,
    key: Key,
}

struct Answered {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    fn of(double: &Double) -> Self {
        let stream = TcpStream::connect(double.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream), key: Key::new(ACCESS_KEY, SECRET_KEY) }
    }

    fn send(&mut self, path: &str, body: &str) -> io::Result<()> {
        let date = chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![header("Host", "x"), header("X-Amz-Date", &date)];
        let mut names = "host;x-amz-date".to_owned();
        if let Some(token) = &self.key.session_token {
            headers.push(header("X-Amz-Security-Token", token));
            names += ";x-amz-security-token";
        }
        let request = Signed { method: "POST", target: path, headers: &headers, body: body.as_bytes() };
        let value = authorization(&request, &names, &self.key, REGION, "xray");
        let mut text = format!("POST {path} HTTP/1.1\r\nAuthorization: {value}\r\n");
        for (name, value) in &headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.stream.get_mut().write_all(text.as_bytes())
    }

    fn answer(&mut self) -> io::Result<Answered> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body)?;
        let status = head[9..12].parse().unwrap();
        Ok(Answered { status, head, body: String::from_utf8(body).unwrap() })
    }

    fn call(&mut self, path: &str, body: &str) -> io::Result<Answered> {
        self.send(path, body)?;
        self.answer()
    }

    fn put(&mut self, ids: &[&str]) -> io::Result<Answered> {
        self.call(TRACE_SEGMENTS, &batch(ids))
    }
}

fn batch(ids: &[&str]) -> String {
    let documents: Vec<_> = ids.iter().map(|id| json!({ "id": id }).to_string()).collect();
    json!({ "TraceSegmentDocuments": documents }).to_string()
}

#[test]
fn what_comes_is_kept_and_answered_as_x_ray_does() {
    let double = Double::start().unwrap();
    let mut client = Client::of(&double);
    let answer = client.put(&["1", "2"]).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"UnprocessedTraceSegments":[]}"#));
    client.put(&["2"]).unwrap();
    client.call(TELEMETRY_RECORDS, r#"{"TelemetryRecords":[{"SegmentsReceivedCount":3}]}"#).unwrap();
    assert!(client.call(SAMPLING_RULES, "{}").unwrap().body.contains("Default"));
    assert!(client.call(SAMPLING_TARGETS, "{}").unwrap().body.contains("SamplingTargetDocuments"));

    let ids: Vec<_> = double.received(3).into_iter().map(|document| document.id.unwrap()).collect();
    assert_eq!(ids, ["1", "2", "2"]);
    let account = double.account();
    assert_eq!((account.duplicates(), account.batch_sizes()), (1, vec![2, 1]));
    assert_eq!(account.telemetry, [json!({"SegmentsReceivedCount": 3})]);
    assert_eq!((account.calls.len(), account.unsigned, account.refused), (5, 0, 0));
    assert!(account.calls.iter().all(|call| call.connection == 0 && call.header("host") == Some("x")));
}

#[test]
fn calls_that_are_not_signed_are_refused_and_counted() {
    let double = Double::start().unwrap();
    let mut client = Client::of(&double);
    client.key.secret_access_key.push('x');
    let answer = client.put(&["1"]).unwrap();
    assert_eq!(answer.status, 403);
    assert!(answer.head.contains("x-amzn-ErrorType: InvalidSignatureException\r\n"));
    client.key = Key::new("AKIDNEW", "new").with_token("token");
    assert!(client.put(&["1"]).unwrap().head.contains("UnrecognizedClientException"));
    double.know(client.key.clone());
    assert_eq!(client.put(&["1"]).unwrap().status, 200);
    double.expire("AKIDNEW");
    assert!(client.put(&["2"]).unwrap().head.contains("ExpiredTokenException"));
    write!(client.stream.get_mut(), "POST / HTTP/1.1\r\n\r\n").unwrap();
    assert!(client.answer().unwrap().head.contains("MissingAuthenticationTokenException"));
    let account = double.account();
    assert_eq!((account.unsigned, account.refused, account.kept.len()), (4, 3, 1));
}

#[test]
fn faults_come_in_their_order_and_as_often_as_asked() {
    let double = Double::start().unwrap();
    let mut client = Client::of(&double);
    double.next(TRACE_SEGMENTS, 1, Behaviour::answer(429, "{}").header("Retry-After", "1"));
    double.next(TRACE_SEGMENTS, 2, Behaviour::error(500, "InternalFailure"));
    double.next(TRACE_SEGMENTS, 1, Behaviour::usual().unprocessed(1));
    double.always(ANY, Behaviour::answer(404, ""));
    let answer = client.put(&["1"]).unwrap();
    assert!(answer.status == 429 && answer.head.contains("Retry-After: 1\r\n"));
    assert_eq!(client.put(&["1"]).unwrap().status, 500);
    assert_eq!(client.put(&["1"]).unwrap().status, 500);
    let answer = client.put(&["1", "2", "3"]).unwrap();
    assert!(
        answer.status == 200 && answer.body.contains(r#""Id":"1""#) && !answer.body.contains(r#""Id":"2""#)
    );
    assert_eq!(client.put(&["1"]).unwrap().status, 404);
    double.heal();
    double.limit_documents(Some(1));
    assert_eq!(client.put(&["4", "5"]).unwrap().status, 413);
    assert_eq!(client.put(&["4"]).unwrap().status, 200);
    let account = double.account();
    assert_eq!((account.kept.len(), account.unprocessed.len(), account.refused), (3, 1, 6));
}

#[test]
fn connections_end_in_every_way() {
    let double = Double::start().unwrap();
    let ends = [
        (Behaviour::reset(), io::ErrorKind::ConnectionReset),
        (Behaviour::reset_unread(), io::ErrorKind::ConnectionReset),
        (Behaviour::reset_in_answer(), io::ErrorKind::ConnectionReset),
        (Behaviour::close(), io::ErrorKind::UnexpectedEof),
    ];
    for (behaviour, expected) in ends {
        let mut client = Client::of(&double);
        double.next(TRACE_SEGMENTS, 1, behaviour.clone());
        assert_eq!(client.put(&["1"]).err().map(|error| error.kind()), Some(expected), "{behaviour:?}");
    }
    // Three may have been kept: what was read.
    assert_eq!(double.account().duplicates(), 2);

    double.reset_connections(1);
    assert!(Client::of(&double).put(&["1"]).is_err());
    assert_eq!(Client::of(&double).put(&["1"]).unwrap().status, 200);

    double.next(TRACE_SEGMENTS, 1, Behaviour::hang());
    let mut client = Client::of(&double);
    client.send(TRACE_SEGMENTS, &batch(&["2"])).unwrap();
    double.until("it is kept", |account| (account.calls.last()?.status.is_none()).then_some(()));
    client.stream.get_mut().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    assert_eq!(client.answer().err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
}

#[test]
fn delays_and_slow_reads_take_their_time() {
    let double = Double::start().unwrap();
    let mut client = Client::of(&double);
    let pause = Duration::from_millis(10);
    double.next(TRACE_SEGMENTS, 1, Behaviour::usual().after(pause));
    double.next(TRACE_SEGMENTS, 1, Behaviour::usual().reading(16, pause));
    for _ in 0..2 {
        let begun = Instant::now();
        assert_eq!(client.put(&["1"]).unwrap().status, 200);
        assert!(begun.elapsed() >= pause);
    }
}

#[test]
fn it_goes_down_and_comes_up_at_the_same_port() {
    let double = Double::start().unwrap();
    let mut client = Client::of(&double);
    client.put(&["1"]).unwrap();
    double.down().unwrap();
    assert!(client.put(&["2"]).is_err());
    let refused = TcpStream::connect(double.addr()).err().map(|error| error.kind());
    assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
    double.up().unwrap();
    double.up().unwrap();
    Client::of(&double).put(&["3"]).unwrap();
    assert_eq!(double.received(2).len(), 2);
}
