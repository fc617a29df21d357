//! `xray-daemon rollbar`, and the items in `xray-daemon tail`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "each test binary uses its part")]
mod support;

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use support::PATIENCE;
use support::http::{call, message};
use xray_daemon::LocalDaemon;
use xray_daemon::rollbar::{Fault, Mode, Occurrence, Scope, Settings, Tokens};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xray-daemon"));
    for name in ["ROLLBAR_ACCESS_TOKEN", "ROLLBAR_ENDPOINT", "ROLLBAR_ENVIRONMENT"] {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Exit code and both outputs of a program that reads `input`.
fn output(mut command: Command, input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = command.spawn().unwrap();
    // One that does not read its input may have ended.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    output(program(args), b"")
}

struct Local {
    daemon: LocalDaemon,
    url: String,
    items: Receiver<Occurrence>,
}

fn local(settings: Settings) -> Local {
    let (sender, items) = channel();
    let daemon = LocalDaemon::builder()
        .udp("127.0.0.1:0")
        .tcp("127.0.0.1:0")
        .rollbar_settings(settings)
        .item_sink(move |item| sender.send(item.clone()).map_err(io::Error::other))
        .start()
        .unwrap();
    let url = format!("http://{}/api/1/", daemon.tcp_addr().unwrap());
    Local { daemon, url, items }
}

fn strict() -> Settings {
    let mut settings = Settings::default();
    settings.mode = Mode::Strict;
    settings
}

fn listed(tokens: &[(&str, &[Scope])]) -> Settings {
    let tokens = tokens.iter().map(|(token, scopes)| ((*token).to_owned(), scopes.to_vec()));
    let mut settings = strict();
    settings.tokens = Tokens::Listed(tokens.collect::<BTreeMap<_, _>>());
    settings
}

/// A running `tail`, ended with the test.
struct Tail {
    child: Child,
    tcp: SocketAddr,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

impl Tail {
    fn start(args: &[&str]) -> Self {
        let mut child = program(&[&["tail", "-b", "127.0.0.1:0"], args].concat()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let tcp = line.split("; ").find_map(|part| part.strip_prefix("TCP "));
        let tcp = tcp.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, tcp, stdout, stderr }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn flask() -> String {
    std::fs::read_to_string("tests/data/flask_exception.json").unwrap()
}

#[test]
fn tail_prints_items_in_every_format() {
    let mut tail = Tail::start(&[]);
    call(tail.tcp, "POST", "/api/1/item/", &message("Hello World!", "warning"));
    let line = tail.line();
    assert!(line.ends_with("Z item warning  Hello World!  #1 new\n"), "{line}");
    call(tail.tcp, "POST", "/api/1/item/", &flask());
    let line = tail.line();
    assert!(
        line.contains("Z item error    ") && line.contains("  at ") && line.contains("  #2 new"),
        "{line}"
    );
    call(
        tail.tcp,
        "POST",
        "/api/1/deploy/",
        r#"{"environment":"production","revision":"a1b2","status":"started"}"#,
    );
    assert_eq!(tail.line(), "deploy #1 started a1b2 production\n");

    let mut tail = Tail::start(&["--format", "json", "--rollbar", "strict"]);
    let traced = r#"{"data":{"environment":"test","level":"error","body":{"message":{"body":"x"}},
        "custom":{"trace_id":"1-5e2b4150-0000000000000000004628a8"}}}"#;
    call(tail.tcp, "POST", "/api/1/item/", traced);
    let line: serde_json::Value = serde_json::from_str(&tail.line()).unwrap();
    assert_eq!((&line["level"], &line["message"], &line["item"]), (&"error".into(), &"x".into(), &1.into()));
    assert_eq!(line["trace_id"], "1-5e2b4150-0000000000000000004628a8");

    let mut tail = Tail::start(&["--format", "logfmt"]);
    call(tail.tcp, "POST", "/api/1/item/", &message("Hello World!", "info"));
    let line = tail.line();
    assert!(line.contains(" level=info message=\"Hello World!\" "), "{line}");

    let mut tail = Tail::start(&["--waterfall"]);
    call(tail.tcp, "POST", "/api/1/item/", &flask());
    assert!(tail.line().starts_with("#1 new · error · production"));
}

#[test]
fn errors_shows_items_of_error_and_critical() {
    let mut tail = Tail::start(&["--errors"]);
    for level in ["debug", "info", "warning", "error", "critical"] {
        call(tail.tcp, "POST", "/api/1/item/", &message(&format!("a {level}"), level));
    }
    assert!(tail.line().contains(" a error "));
    assert!(tail.line().contains(" a critical "));
}

#[test]
fn tail_tells_once_why_something_was_refused() {
    let mut tail = Tail::start(&["--rollbar=strict"]);
    for _ in 0..2 {
        call(tail.tcp, "POST", "/api/1/item/", r#"{"data":{"body":{"message":{"body":"x"}}}}"#);
    }
    let mut note = String::new();
    tail.stderr.read_line(&mut note).unwrap();
    assert!(
        note.contains("answered 422") && note.contains("data.environment must not be undefined"),
        "{note}"
    );
    let pid = nix::unistd::Pid::from_raw(tail.child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let mut rest = String::new();
    tail.stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "xray-daemon: 2 requests received; 2 of Rollbar's API refused\n");
}

#[test]
fn a_taken_tcp_port_is_named_with_the_way_out() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = other.local_addr().unwrap().to_string();
    let (code, out, err) = run(&["tail", "-b", "127.0.0.1:0", "-t", &addr]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.starts_with(&format!("xray-daemon: TCP {addr} is taken")) && err.contains("`-t`"), "{err}");
    assert_eq!(err.lines().count(), 1);
}

#[test]
fn messages_are_sent_and_their_uuids_printed() {
    let Local { daemon, url, items } = local(strict());
    let (code, out, err) = run(&["rollbar", "send", "-u", &url, "--level=warning", "Hello", "World!"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let item = items.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (&*item.message, &*item.level, &*item.environment),
        ("Hello World!", "warning", "development")
    );
    assert_eq!(out, format!("{}\n", item.uuid));

    let mut lines = program(&["rollbar", "send", "-level", "error", "-e", "production"]);
    lines.env("ROLLBAR_ENDPOINT", format!("{url}item/")).env("ROLLBAR_ACCESS_TOKEN", TOKEN);
    let input = b"critical the disk is full\r\n\n  \njust a text\nbad \xff bytes\nlast, without an end";
    let (code, out, err) = output(lines, input);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let sent: Vec<Occurrence> = (0..4).map(|_| items.recv_timeout(PATIENCE).unwrap()).collect();
    let told: Vec<(&str, &str)> = sent.iter().map(|item| (&*item.level, &*item.message)).collect();
    assert_eq!(
        told,
        [
            ("critical", "the disk is full"),
            ("error", "just a text"),
            ("error", "bad \u{fffd} bytes"),
            ("error", "last, without an end")
        ]
    );
    assert_eq!(out.lines().collect::<Vec<_>>(), sent.iter().map(|item| &*item.uuid).collect::<Vec<_>>());
    assert!(sent.iter().all(|item| item.environment == "production"));

    let (code, out, err) = run(&["rollbar", "send", "-u", &url, "--file", "tests/data/flask_exception.json"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, "d16d0eda-e633-46a0-a634-5867f12de1a5\n");
    assert_eq!(daemon.shutdown().rollbar.occurrences, 6);
}

#[test]
fn one_bad_line_does_not_keep_the_others() {
    let Local { daemon, url, items } = local(strict());
    let long = "x".repeat(600_000);
    let input = format!("first\n{long}\nlast\n");
    let (code, out, err) = output(program(&["rollbar", "send", "-u", &url]), input.as_bytes());
    assert_eq!((code, out.lines().count()), (Some(1), 2));
    assert!(err.starts_with("xray-daemon: line 2 was not sent: ") && err.contains("413"), "{err}");
    assert_eq!(items.recv_timeout(PATIENCE).unwrap().message, "first");
    assert_eq!(items.recv_timeout(PATIENCE).unwrap().message, "last");
    drop(daemon);
}

#[test]
fn a_refused_token_is_told_masked_and_ends_it() {
    let Local { daemon, url, .. } = local(listed(&[("other", &[Scope::PostServerItem])]));
    let (code, out, err) = output(program(&["rollbar", "send", "-u", &url, "-t", TOKEN]), b"a\nb\nc\n");
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("403") && err.contains("access token not found"), "{err}");
    assert!(!err.contains(TOKEN) && err.lines().count() == 1, "{err}");
    assert_eq!(daemon.shutdown().requests, 1);
}

#[test]
fn deploys_are_told_and_changed() {
    let Local { daemon, url, .. } = local(listed(&[(TOKEN, &[Scope::PostServerItem, Scope::Write])]));
    let common = ["rollbar", "deploy", "-u", &url, "-t", TOKEN];
    let new =
        ["-e", "production", "-r", "a1b2c3", "--status", "started", "--comment", "it's on", "--user", "ana"];
    assert_eq!(run(&[&common[..], &new].concat()), (Some(0), "1\n".to_owned(), String::new()));
    let change = ["--id", "1", "--status", "timed_out"];
    assert_eq!(run(&[&common[..], &change].concat()), (Some(0), "1\n".to_owned(), String::new()));
    let deploy = &daemon.rollbar().deploys(9)[0];
    assert_eq!(
        (&*deploy.environment, &*deploy.revision, &*deploy.status),
        ("production", "a1b2c3", "timed_out")
    );
    assert_eq!(
        (deploy.comment.as_deref(), deploy.rollbar_username.as_deref()),
        (Some("it's on"), Some("ana"))
    );
    let (code, _, err) = run(&[&common[..], &["--id", "77", "--status", "failed"]].concat());
    assert!(code == Some(1) && err.contains("404"), "{err}");
}

#[test]
fn validate_tells_what_to_write_instead() {
    let file = "tests/data/flask_exception.json";
    assert_eq!(run(&["rollbar", "validate", file]), (Some(0), "valid\n".to_owned(), String::new()));
    let stdin = |args: &[&str], input: &str| {
        let (code, out, err) = output(program(&[&["rollbar", "validate"], args].concat()), input.as_bytes());
        assert_eq!(err, "", "{input}");
        (code, out)
    };
    let (code, out) =
        stdin(&["-"], r#"{"data":{"level":"fatal","person":{},"body":{"message":{"body":"x"}}}}"#);
    assert_eq!(code, Some(1));
    assert_eq!(out.lines().next(), Some("invalid: 3 of Rollbar's rules broken"));
    for rule in [
        "[missing:environment]",
        "data.level should be one of critical, error,",
        "data.person.id must not be",
    ] {
        assert!(out.contains(rule), "{rule}: {out}");
    }
    let inferred = r#"{"data":{"environment":"test","uuid":7,"body":{"message":{"body":"x"}}}}"#;
    let (code, out) = stdin(&["-"], inferred);
    assert!(code == Some(1) && out.contains("  data.uuid should be string. (inferred)"), "{out}");
    let (code, out) = stdin(&["--lenient", "-"], inferred);
    assert!(code == Some(0) && out.starts_with("valid\n  warning: data.uuid"), "{out}");
    for (input, part) in [
        ("{", "no JSON"),
        ("[]", "payload should be object"),
        (&message(&"x".repeat(600_000), "info"), "bytes"),
    ] {
        let (code, out) = stdin(&["-"], input);
        assert!(code == Some(1) && out.contains(part), "{out}");
    }
    let (code, out, err) = run(&["rollbar", "validate", "no/such/file"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("cannot read \"no/such/file\""), "{err}");
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{free}");
    let Local { daemon, url, .. } = local(strict());
    daemon.rollbar().inject(Fault { html: Some("<h1>no".to_owned()), status: Some(502), ..Fault::default() });
    let proxy = ["rollbar", "send", "-u", &url, "hello"];
    let cases: &[(&[&str], i32, &str)] = &[
        (&["rollbar"], 2, "`send`, `deploy` or `validate`"),
        (&["rollbar", "sned"], 2, "not \"sned\""),
        (&["rollbar", "send", "-nope"], 2, "flag provided but not defined: -nope"),
        (
            &["rollbar", "send", "-u", "http://a.example", "x"],
            2,
            "no access token for http://a.example/api/1/",
        ),
        (&["rollbar", "send", "-u", "nonsense", "x"], 2, "\"nonsense\" is no http(s) address"),
        (&["rollbar", "send", "--file", "x.json", "x"], 2, "either --file or a MESSAGE"),
        (&["rollbar", "send", "--file", "no/such/file"], 2, "cannot read"),
        (&["rollbar", "send", "-u", &nobody, "x"], 1, "start a daemon with `xray-daemon tail`"),
        (&["rollbar", "deploy", "-r", "a1"], 2, "needs an environment"),
        (&["rollbar", "deploy", "-e", "a", "word"], 2, "takes flags only"),
        (&["rollbar", "deploy", "--id", "1"], 2, "what is to be changed"),
        (&["rollbar", "deploy", "--id", "1", "-r", "a"], 2, "only --status and --comment"),
        (&["rollbar", "validate"], 2, "one FILE"),
        (&["rollbar", "validate", "a", "--lenient"], 2, "one FILE"),
        (&proxy, 1, "answered 502, and not as Rollbar's API does"),
    ];
    for (args, code, text) in cases {
        let (got, out, err) = run(args);
        assert_eq!((got, out.as_str()), (Some(*code), ""), "{args:?}: {err}");
        assert!(err.starts_with("xray-daemon: ") && err.contains(text), "{args:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{args:?}: {err}");
    }
    for args in [&["rollbar", "-h"][..], &["rollbar", "send", "-h"], &["rollbar", "validate", "--help"]] {
        let (code, out, err) = run(args);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
        assert!(out.contains("Usage: xray-daemon rollbar"), "{args:?}: {out}");
    }
}
