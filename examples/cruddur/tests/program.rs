//! The program as its user starts it: arguments, environment, what it prints, how it ends.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Child, Command, Output, Stdio};

/// The program, with nothing of the caller's environment that could change it.
fn cruddur(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cruddur"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text == "PORT" || text.starts_with("AWS_XRAY_") || text.starts_with("ROLLBAR_") {
            command.env_remove(name);
        }
    }
    // Nobody may have port 2000 of this machine in a test: what is reported goes to the discard port.
    command.env("ROLLBAR_ENDPOINT", "http://127.0.0.1:9");
    command.args(arguments);
    command
}

/// A pair of neighbouring ports that were free a moment ago.
fn free_ports() -> u16 {
    for _ in 0..100 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok() {
            return port;
        }
    }
    panic!("no two neighbouring ports are free");
}

fn code_and_error(output: &Output) -> (Option<i32>, String) {
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn help_names_every_setting() {
    let output = cruddur(&["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for word in [
        "--demo",
        "--load CLIENTS SECONDS",
        "PORT",
        "AWS_XRAY_URL",
        "AWS_XRAY_DAEMON_ADDRESS",
        "ROLLBAR_ACCESS_TOKEN",
        "ROLLBAR_ENDPOINT",
        "ROLLBAR_ENVIRONMENT",
        "ROLLBAR_CODE_VERSION",
        "ROLLBAR_ENABLED",
    ] {
        assert!(help.contains(word), "{word} is missing in {help}");
    }
}

#[test]
fn wrong_arguments_get_one_line_and_exit_2() {
    let output = cruddur(&["--lod", "50", "30"]).output().unwrap();
    assert_eq!(
        code_and_error(&output),
        (Some(2), "cruddur: there is no argument `--lod`: see --help\n".into())
    );
    let output = cruddur(&["--load", "50"]).output().unwrap();
    let (code, error) = code_and_error(&output);
    assert_eq!((code, error.lines().count()), (Some(2), 1), "{error}");
}

#[test]
fn a_wrong_port_gets_one_line_and_exit_1() {
    let output = cruddur(&[]).env("PORT", "70000").output().unwrap();
    let expected = "cruddur: PORT is `70000`: it must be a number from 1 to 65534\n";
    assert_eq!(code_and_error(&output), (Some(1), expected.into()));
}

#[test]
fn wrong_settings_of_rollbar_get_one_line_and_exit_1() {
    for (name, value, told) in [
        (
            "ROLLBAR_ENDPOINT",
            "localhost:2000",
            "cruddur: ROLLBAR_ENDPOINT is wrong: the endpoint `localhost:2000` ",
        ),
        ("ROLLBAR_ENABLED", "maybe", "cruddur: cannot report: ROLLBAR_ENABLED=\"maybe\" means nothing: "),
    ] {
        let daemon = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let output = cruddur(&[])
            .env("PORT", free_ports().to_string())
            .env("AWS_XRAY_DAEMON_ADDRESS", daemon.local_addr().unwrap().to_string())
            .env(name, value)
            .output()
            .unwrap();
        let (code, error) = code_and_error(&output);
        assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
        assert!(error.starts_with(told), "{error}");
    }
}

#[test]
fn a_taken_port_gets_one_line_and_exit_1() {
    let daemon = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free_ports();
    // The second service's port is the one that is taken.
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1)).unwrap();
    let output = cruddur(&[])
        .env("PORT", port.to_string())
        .env("AWS_XRAY_DAEMON_ADDRESS", daemon.local_addr().unwrap().to_string())
        .output()
        .unwrap();
    let (code, error) = code_and_error(&output);
    assert_eq!(code, Some(1));
    assert!(error.starts_with(&format!("cruddur: port {} is taken: ", port + 1)), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn load_tells_what_became_of_everything() {
    let daemon = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let output = cruddur(&["--load", "2", "1"])
        .env("PORT", free_ports().to_string())
        .env("AWS_XRAY_DAEMON_ADDRESS", daemon.local_addr().unwrap().to_string())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let line =
        |start: &str| said.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{said}"));
    assert!(line("requests").ends_with(" answered as meant, 0 otherwise, 0 not"), "{said}");
    let words: Vec<&str> = line("recorded").split_whitespace().collect();
    let ["recorded", recorded, "segments", "and", "subsegments", "=", sent, "sent", "+", dropped, "dropped"] =
        words[..]
    else {
        panic!("{said}")
    };
    let count = |word: &str| word.parse::<u64>().unwrap();
    assert!(count(recorded) > 0);
    assert_eq!(count(recorded), count(sent) + count(dropped));
    assert!(line("  dropped").contains("queue full 0"), "{said}");
    assert!(line("received").contains("another process"), "{said}");
    let words: Vec<&str> = line("reported").split_whitespace().collect();
    let [
        "reported",
        reported,
        "=",
        "0",
        "sent",
        "+",
        "0",
        "that",
        "one",
        "of",
        "these",
        "stands",
        "for",
        "+",
        lost,
        "dropped",
    ] = words[..]
    else {
        panic!("{said}")
    };
    assert!(count(reported) > 0);
    assert_eq!(reported, lost, "nobody listens at the discard port");
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_says_what_to_try_and_ends_on_a_signal() {
    let daemon = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free_ports();
    let child = cruddur(&[])
        .env("PORT", port.to_string())
        .env("AWS_XRAY_DAEMON_ADDRESS", daemon.local_addr().unwrap().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut output = BufReader::new(running.0.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("/api/busy") {
        assert_ne!(output.read_line(&mut said).unwrap(), 0, "it ended after {said}");
    }
    assert!(said.contains("Reports go to http://127.0.0.1:9, as ROLLBAR_"), "{said}");
    assert!(
        said.contains(&format!("curl -s 'http://127.0.0.1:{port}/api/activities/notifications'")),
        "{said}"
    );
    let interrupt = Command::new("kill").args(["-INT", &running.0.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    output.read_to_string(&mut said).unwrap();
    assert!(
        said.ends_with(
            "Segments and subsegments: 0 recorded, 0 sent (documents: 0), 0 dropped\n\
             Reports: 0 made, 0 sent, 0 dropped\n"
        ),
        "{said}"
    );
    assert!(running.0.wait().unwrap().success(), "{said}");
}
