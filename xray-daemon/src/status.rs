//! `xray-daemon status`: asks a running daemon how it is.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::cli::Status;

/// The longest that the daemon may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of an answer that are read.
const ANSWER: usize = 1 << 20;

/// Why there is no status.
#[derive(Debug, Error)]
pub(crate) enum StatusError {
    #[error("no daemon answers at {addr}: {why}; where it runs elsewhere, say so with `-t`")]
    Reach { addr: String, why: String },
    #[error("{addr} answered {status}, and not as a daemon does: something else listens there")]
    Strange { addr: String, status: u16 },
    #[error("cannot start: {0}")]
    Start(String),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Prints the status. Whether all is well.
pub(crate) fn run(options: &Status, out: &mut impl Write) -> Result<bool, StatusError> {
    let addr = to_ask(&options.bind_tcp);
    let (status, body) = ask(&addr)?;
    let told =
        serde_json::from_slice::<Value>(&body).ok().filter(|told| told.get("uptime_seconds").is_some());
    let Some(told) = told.filter(|_| status == 200) else {
        return Err(StatusError::Strange { addr, status });
    };
    if options.json {
        out.write_all(&body)?;
        out.write_all(b"\n")?;
    } else {
        out.write_all(text(&told).as_bytes())?;
    }
    Ok(told["status"] == "ok")
}

/// An address to listen on is not always one to ask.
fn to_ask(bind: &str) -> String {
    if bind.starts_with(':') {
        return format!("{}{bind}", Ipv4Addr::LOCALHOST);
    }
    match bind.parse::<SocketAddr>() {
        Ok(addr) if addr.ip().is_unspecified() => {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), addr.port()).to_string()
        }
        _ => bind.to_owned(),
    }
}

fn ask(addr: &str) -> Result<(u16, Vec<u8>), StatusError> {
    let start = |error: String| StatusError::Start(error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| start(error.to_string()))?;
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().tls_certs_only([]).build();
    let client = client.map_err(|error| start(error.to_string()))?;
    let answer = runtime.block_on(async {
        let mut response = client.get(format!("http://{addr}/health")).send().await?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while body.len() < ANSWER
            && let Some(chunk) = response.chunk().await?
        {
            body.extend_from_slice(&chunk);
        }
        Ok::<_, reqwest::Error>((status, body))
    });
    answer.map_err(|error| {
        let mut why: &dyn std::error::Error = &error;
        while let Some(source) = why.source() {
            why = source;
        }
        StatusError::Reach { addr: addr.to_owned(), why: why.to_string() }
    })
}

/// For people. What an older daemon does not tell is 0.
fn text(told: &Value) -> String {
    let number = |from: &Value, name: &str| from[name].as_u64().unwrap_or(0);
    let seconds = |from: &Value, name: &str| from[name].as_f64().unwrap_or(0.0);
    let mut rows: Vec<(String, String)> = Vec::new();
    let mode = if told["mode"] == "relay" { "relays" } else { "shows what comes" };
    rows.push((
        "daemon".into(),
        format!(
            "version {}, {mode}, UDP {}, running for {}",
            plain(&told["version"]),
            plain(&told["udp"]),
            duration(seconds(told, "uptime_seconds"))
        ),
    ));
    let rejected = causes(&told["rejected"]);
    let kernel = told["kernel_dropped"].as_u64().map_or("unknown".to_owned(), grouped);
    rows.push((
        "received".into(),
        format!(
            "{} datagrams, {}; rejected: {rejected}; dropped by the kernel: {kernel} (receive buffer {})",
            grouped(number(told, "received")),
            bytes(number(told, "received_bytes")),
            bytes(number(told, "receive_buffer_bytes"))
        ),
    ));
    for upstream in told["upstreams"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let calls = number(upstream, "batches");
        let mean = seconds(upstream, "latency_seconds") * 1e3 / (calls.max(1) as f64);
        let state = if upstream["failing"] == true { "FAILING; " } else { "" };
        rows.push((
            plain(&upstream["name"]),
            format!(
                "{state}{} sent in {} calls of {mean:.0} ms, {} unprocessed; dropped: {}",
                grouped(number(upstream, "sent")),
                grouped(calls),
                grouped(number(upstream, "unprocessed")),
                causes(&upstream["dropped"])
            ),
        ));
        rows.push((
            String::new(),
            format!(
                "{} pending, {} of {}, the oldest for {}; {} failed calls, {} sent again",
                grouped(number(upstream, "pending")),
                bytes(number(upstream, "queue_bytes")),
                bytes(number(upstream, "queue_limit_bytes")),
                duration(seconds(upstream, "oldest_seconds")),
                grouped(number(upstream, "failed_calls")),
                grouped(number(upstream, "retried"))
            ),
        ));
    }
    if let Some(sampling) = told.get("sampling") {
        rows.push((
            "sampling".into(),
            format!(
                "{} rules are answered here; {} calls for rules, {} for targets with {} reports; {} refused",
                grouped(number(sampling, "rules")),
                grouped(number(sampling, "rules_requests")),
                grouped(number(sampling, "targets_requests")),
                grouped(number(sampling, "reports")),
                grouped(number(sampling, "refused"))
            ),
        ));
    }
    if let Some(local) = told.get("local") {
        rows.push((
            "shown".into(),
            format!(
                "{} traces of {} documents, {} items; {} dropped",
                grouped(number(local, "traces_shown")),
                grouped(number(local, "documents")),
                grouped(number(local, "items_shown")),
                grouped(number(local, "dropped"))
            ),
        ));
    }
    rows.push((
        "requests".into(),
        format!(
            "{} over TCP, {} refused",
            grouped(number(told, "requests")),
            grouped(number(told, "requests_refused"))
        ),
    ));
    rows.iter().map(|(name, what)| format!("{name:<10} {what}\n")).collect()
}

/// A text of the daemon's, without what a terminal would obey.
fn plain(value: &Value) -> String {
    value.as_str().unwrap_or("unknown").chars().filter(|c| !c.is_control()).take(100).collect()
}

/// The sum, and of what it is made.
fn causes(counts: &Value) -> String {
    let counts: Vec<(String, u64)> = counts
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(cause, count)| {
            Some((cause.replace('_', " "), count.as_u64().filter(|count| *count > 0)?))
        })
        .collect();
    let parts: Vec<String> =
        counts.iter().map(|(cause, count)| format!("{cause} {}", grouped(*count))).collect();
    let sum = grouped(counts.iter().map(|(_, count)| count).sum());
    if parts.is_empty() { sum } else { format!("{sum} ({})", parts.join(", ")) }
}

/// 1234567 as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

fn duration(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole / 60 % 60),
        _ => format!("{} d {} h", whole / 86_400, whole / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_relay_is_told_in_a_few_lines() {
        let told = json!({
            "status": "failing", "version": "0.1.0", "mode": "relay", "uptime_seconds": 3_700.0, "udp": "127.0.0.1:2000",
            "received": 1_234_567, "received_bytes": 2_000_000, "rejected": {"missing_header": 2, "invalid_header": 0},
            "kernel_dropped": 0, "receive_buffer_bytes": 4_194_304, "requests": 7, "requests_refused": 0,
            "upstreams": [{
                "name": "aws-xray", "sent": 50, "batches": 2, "latency_seconds": 0.05, "unprocessed": 1, "failing": true,
                "dropped": {"memory": 1_000, "refused": 5}, "pending": 12, "queue_bytes": 500, "queue_limit_bytes": 1_048_576,
                "oldest_seconds": 2.5, "failed_calls": 3, "retried": 150,
            }],
            "sampling": {"rules": 2, "rules_requests": 1, "targets_requests": 9, "reports": 18, "refused": 0},
        });
        let expected = "\
daemon     version 0.1.0, relays, UDP 127.0.0.1:2000, running for 1 h 1 min
received   1,234,567 datagrams, 1.9 MiB; rejected: 2 (missing header 2); dropped by the kernel: 0 (receive buffer 4.0 MiB)
aws-xray   FAILING; 50 sent in 2 calls of 25 ms, 1 unprocessed; dropped: 1,005 (memory 1,000, refused 5)
           12 pending, 500 B of 1.0 MiB, the oldest for 2.5 s; 3 failed calls, 150 sent again
sampling   2 rules are answered here; 1 calls for rules, 9 for targets with 18 reports; 0 refused
requests   7 over TCP, 0 refused
";
        assert_eq!(text(&told), expected);
    }

    #[test]
    fn what_is_not_told_is_zero_and_nothing_controls_the_terminal() {
        let told = json!({"version": "\u{1b}[31m", "uptime_seconds": 1});
        assert!(
            text(&told)
                .starts_with("daemon     version [31m, shows what comes, UDP unknown, running for 1.0 s\n")
        );
    }

    #[test]
    fn an_address_to_listen_on_everywhere_is_asked_here() {
        assert_eq!(to_ask("0.0.0.0:2000"), "127.0.0.1:2000");
        assert_eq!(to_ask("[::]:9"), "127.0.0.1:9");
        assert_eq!(to_ask(":2000"), "127.0.0.1:2000");
        assert_eq!(to_ask("10.0.0.1:2000"), "10.0.0.1:2000");
        assert_eq!(to_ask("xray-daemon:2000"), "xray-daemon:2000");
    }
}
