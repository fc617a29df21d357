//! The `xray-daemon` program.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "each test binary uses its part")]
mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Client, golden, segment};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xray-daemon"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = program(args).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A running `tail`, ended with the test.
struct Tail {
    child: Child,
    addr: SocketAddr,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: BufReader<ChildStderr>,
}

impl Tail {
    fn start(args: &[&str]) -> Self {
        let mut child = program(&[&["tail", "-b", "127.0.0.1:0"], args].concat()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let addr =
            line.strip_prefix("xray-daemon: listening on UDP ").and_then(|line| line.split(';').next());
        let addr = addr.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, addr, stdout, stderr }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Exit code, and what was still written to both outputs.
    fn end(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        if let Some(stdout) = &mut self.stdout {
            stdout.read_to_string(&mut out).unwrap();
        }
        self.stderr.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_datagram_becomes_a_line() {
    let mut tail = Tail::start(&[]);
    Client::new(tail.addr).document(&golden("02_notifications.json")[0]);
    assert_eq!(
        tail.line(),
        "21:27:12.3Z 200 5.23ms GET /api/activities/notifications  127.0.0.1:8765█  …4628a8\n"
    );
}

#[test]
fn waterfall_format_and_errors_flags_work_in_go_spelling() {
    let mut tail = Tail::start(&["-waterfall", "--ascii=true"]);
    Client::new(tail.addr).document(&golden("02_notifications.json")[0]);
    assert!(tail.line().starts_with("Trace 1-6b04afb0-74d68203cd64c9d2754628a8 | 5.23ms | 3 spans"));
    assert!(tail.line().contains("GET /api/activities/noti"));
    assert!(tail.line().starts_with(" `- notifications-activities"));
    assert!(tail.line().starts_with("   `- mock_data"));
    assert!(tail.line().contains("metadata: namespace.key = {"));
    assert_eq!(tail.line(), "\n");

    let mut tail = Tail::start(&["-format=json", "-errors"]);
    let client = Client::new(tail.addr);
    client.document(&segment("good", "a"));
    client.document(&segment("bad", "a").replace("\"name\"", "\"fault\":true,\"name\""));
    let line = tail.line();
    assert!(line.starts_with("{\"time\":\"2020-01-24T19:12:12.000Z\",\"trace_id\":\"bad\""), "{line}");
    tail.signal(Signal::SIGTERM);
    assert_eq!(tail.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn an_interrupt_shows_what_is_pending_and_tells_what_was_lost() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut tail = Tail::start(&["--format", "logfmt"]);
        let client = Client::new(tail.addr);
        client.send(b"nonsense");
        let mut note = String::new();
        tail.stderr.read_line(&mut note).unwrap();
        assert!(note.starts_with("xray-daemon: rejected a datagram of 8 bytes: no header line"), "{note}");
        client.document(
            r#"{"trace_id":"t","id":"a","name":"api","start_time":1579893132.0,"in_progress":true}"#,
        );
        tail.signal(signal);
        let (code, out, err) = tail.end();
        assert_eq!(code, Some(0));
        assert!(out.contains("trace_id=t ") && out.contains("in_progress=true"), "{out}");
        assert_eq!(err, "xray-daemon: 2 datagrams received; 1 without a header line\n");
    }
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = other.local_addr().unwrap().to_string();
    let (code, out, err) = output(&["tail", "-b", &addr]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.starts_with(&format!("xray-daemon: UDP {addr} is taken")), "{err}");
    assert!(err.contains("`-b`"), "{err}");
    assert_eq!(err.lines().count(), 1);
}

#[test]
fn a_closed_pipe_ends_it_without_a_word() {
    let mut tail = Tail::start(&[]);
    drop(tail.stdout.take());
    Client::new(tail.addr).document(&segment("t", "a"));
    assert_eq!(tail.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn a_second_signal_ends_it_where_its_output_is_stuck() {
    let mut tail = Tail::start(&["--waterfall"]);
    let client = Client::new(tail.addr);
    let document = golden("02_notifications.json").remove(0);
    // 600 KB of drawings, of which a pipe that nobody reads takes 64.
    for trace in 0..1_000 {
        client.document(
            &document.replace("1-6b04afb0-74d68203cd64c9d2754628a8", &format!("1-6b04afb0-{trace:024}")),
        );
    }
    tail.signal(Signal::SIGINT);
    tail.signal(Signal::SIGTERM);
    assert_eq!(tail.child.wait().unwrap().code(), Some(130));
}

#[test]
fn version_and_help() {
    for flag in ["-v", "--version", "-version"] {
        let (code, out, err) = output(&[flag]);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert!(out.contains(concat!("\nxray-daemon ", env!("CARGO_PKG_VERSION"))), "{out}");
    }
    for args in [&["-h"][..], &["--help"], &["-help"], &["tail", "-h"], &["tail", "-help"]] {
        let (code, out, err) = output(args);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
        assert!(out.contains("Usage: xray-daemon"), "{args:?}: {out}");
    }
    assert!(output(&["tail", "-h"]).1.contains("--waterfall"));
}

#[test]
fn what_this_build_cannot_do_is_said_in_one_line() {
    let cases: &[(&[&str], i32, &str)] = &[
        (&["tail", "-nope"], 2, "flag provided but not defined: -nope"),
        (&["tail", "service(\"a\")"], 2, "takes no filter in this build"),
        (&["tail", "--waterfall", "--format", "json"], 2, "--waterfall is for people"),
        (&["tail", "-b"], 2, "flag needs an argument: -b"),
    ];
    for (args, code, text) in cases {
        let (got, out, err) = output(args);
        assert_eq!((got, out.as_str()), (Some(*code), ""), "{args:?}: {err}");
        assert!(err.starts_with("xray-daemon: ") && err.contains(text), "{args:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{args:?}: {err}");
    }
    if cfg!(not(feature = "relay")) {
        for args in [&[][..], &["-o", "-b", "0.0.0.0:2000"], &["-t", "0.0.0.0:2000", "xray -o"], &["tial"]] {
            let (code, out, err) = output(args);
            assert_eq!((code, out.as_str(), err.lines().count()), (Some(1), "", 1), "{args:?}: {err}");
            assert!(err.starts_with("xray-daemon: built without the feature `relay`"), "{args:?}: {err}");
        }
    }
    let (code, _, err) = output(&["tail", "--format", "yaml"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("human, json, logfmt"), "{err}");
    let (code, _, err) = output(&["tail", "-b", "nonsense"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("cannot listen on UDP \"nonsense\""), "{err}");
}
