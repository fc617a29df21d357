//! The log of the program in the place of the AWS daemon.
#![cfg(feature = "relay")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "support/program.rs"]
mod program;

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use program::{ALONE, Daemon, Folder, level_and_text, until};

fn start(folder: &Folder, args: &[&str]) -> Daemon {
    Daemon::start(folder.program(&[ALONE, args].concat()))
}

#[test]
fn it_is_on_standard_output_in_the_form_of_the_aws_daemon() {
    let folder = Folder::new();
    let mut daemon = start(&folder, &[]);
    let lines = daemon.until("Listening on UDP");
    let (level, text) = level_and_text(&lines[0]);
    assert_eq!((level, text), ("Info", concat!("Initializing AWS X-Ray daemon ", env!("CARGO_PKG_VERSION"))));
    let (code, out, err) = daemon.end();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    // To the last line, which is written before the process ends.
    assert!(out.contains("[Info] Got shutdown signal: SIGTERM"), "{out}");
    for line in lines.iter().map(String::as_str).chain(out.lines()) {
        level_and_text(line);
    }
}

#[test]
fn its_times_are_those_of_the_machine() {
    let folder = Folder::new();
    let mut command = folder.program(ALONE);
    // Without a file of zones: always three hours east.
    command.env("TZ", "XST-3");
    let mut daemon = Daemon::start(command);
    let lines = daemon.until("Listening on UDP");
    assert!(lines.iter().all(|line| line[19..].starts_with("+03:00 [")), "{lines:#?}");
    daemon.end();
}

#[test]
fn a_level_holds_back_what_is_below_it() {
    let folder = Folder::new();
    folder.write("cfg.yaml", "Version: 2\nLogging: {LogLevel: error, LogPath: of-file.log}\n");
    let daemon = start(&folder, &["-f", "of-flag.log"]);
    daemon.until_it_can_be_ended();
    let (code, out, _) = daemon.end();
    assert_eq!((code, out.as_str(), folder.read("of-flag.log").as_str()), (Some(0), "", ""));
    assert!(!folder.path("of-file.log").exists());
}

#[test]
fn a_file_is_moved_once_it_is_full_and_made_readable() {
    let folder = Folder::new();
    folder.write("xray.log.1", "the one before\n");
    let full = std::fs::File::create(folder.path("xray.log")).unwrap();
    full.set_len(50 * 1024 * 1024).unwrap();
    let daemon = start(&folder, &["-f", "xray.log"]);
    let old = folder.path("xray.log.1");
    daemon.until_it_can_be_ended();
    let (code, out, _) = daemon.end();
    assert_eq!((code, out.as_str()), (Some(0), ""));
    assert_eq!(std::fs::metadata(&old).unwrap().len(), 50 * 1024 * 1024);
    let log = folder.read("xray.log");
    assert!(
        log.lines().next().unwrap().ends_with(concat!("AWS X-Ray daemon ", env!("CARGO_PKG_VERSION"))),
        "{log}"
    );
    assert!(log.lines().count() > 3 && !folder.path("xray.log.2").exists(), "{log}");
    let mode = std::fs::metadata(folder.path("xray.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777 & !0o022, 0o644);
}

#[test]
fn without_rotation_it_is_not() {
    let folder = Folder::new();
    folder.write("cfg.yaml", "Version: 2\nLogging:\n  LogRotation: false\n  LogPath: xray.log\n");
    std::fs::File::create(folder.path("xray.log")).unwrap().set_len(50 * 1024 * 1024).unwrap();
    let daemon = start(&folder, &["-c", "cfg.yaml"]);
    daemon.until_it_can_be_ended();
    assert_eq!(daemon.end().0, Some(0));
    assert!(std::fs::metadata(folder.path("xray.log")).unwrap().len() > 50 * 1024 * 1024);
    assert!(!folder.path("xray.log.1").exists());
}

#[test]
fn a_hangup_opens_it_anew_under_its_name() {
    let folder = Folder::new();
    let daemon = start(&folder, &["-f", "xray.log"]);
    let is_there = || folder.path("xray.log").exists();
    until("the start", || is_there() && folder.read("xray.log").contains("Listening on UDP"));
    std::fs::rename(folder.path("xray.log"), folder.path("moved.log")).unwrap();
    daemon.signal(Signal::SIGHUP);
    until("the new file", is_there);
    assert_eq!(daemon.end().0, Some(0));
    assert!(folder.read("moved.log").contains("Listening on UDP"));
    let log = folder.read("xray.log");
    assert!(log.contains("[Info] Got shutdown signal: SIGTERM") && !log.contains("Listening"), "{log}");
}

#[test]
fn a_full_disk_does_not_stop_the_daemon() {
    let folder = Folder::new();
    let daemon = start(&folder, &["-f", "/dev/full"]);
    daemon.until_it_can_be_ended();
    assert_eq!(daemon.end(), (Some(0), String::new(), String::new()));

    let mut command = folder.program(ALONE);
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let daemon = Daemon::start(command);
    daemon.until_it_can_be_ended();
    assert_eq!(daemon.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn who_stops_reading_standard_output_does_not_stop_the_daemon() {
    let folder = Folder::new();
    let mut command = folder.program(ALONE);
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdout(writer);
    let daemon = Daemon::start(command);
    drop(reader);
    daemon.until_it_can_be_ended();
    assert_eq!(daemon.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn a_file_that_cannot_be_written_is_refused_at_the_start() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("folder.log")).unwrap();
    let (code, out, err) = folder.output(&[ALONE, &["-f", "folder.log"]].concat());
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("cannot write the log file folder.log: ") && err.contains("-f"), "{err}");
}
