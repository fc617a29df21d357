//! The built program, in a folder of its own and with no variable of this machine that it reads.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("xray-program-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program in this folder.
    pub(crate) fn program(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xray-daemon"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("AWS_")
                || name.starts_with("XRAY_")
                || name.to_uppercase().ends_with("_PROXY")
            {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(&self.0).env("TZ", "UTC").env("HOME", &self.0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Exit code, standard output, standard error of the program that ends by itself.
    pub(crate) fn output(&self, args: &[&str]) -> (Option<i32>, String, String) {
        told(self.program(args).output().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn told(output: Output) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = output;
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Arguments with which the daemon runs by itself: a port that is free, and an upstream that is never asked.
pub(crate) const ALONE: &[&str] =
    &["-o", "-n", "us-east-1", "-endpoint", "http://127.0.0.1:9", "-b", "127.0.0.1:0", "-t", "127.0.0.1:0"];

/// A running daemon, ended with the test.
pub(crate) struct Daemon {
    child: Child,
    /// Unless it was given another one.
    stdout: Option<BufReader<ChildStdout>>,
}

impl Daemon {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout }
    }

    /// The lines of standard output up to the first with `text` in it.
    pub(crate) fn until(&mut self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
            assert!(read > 0, "it ended before {text:?} came: {lines:#?}");
            let found = line.contains(text);
            lines.push(line.trim_end().to_owned());
            if found {
                return lines;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits until it is so far that SIGTERM ends it in order.
    pub(crate) fn until_it_can_be_ended(&self) {
        let status = format!("/proc/{}/status", self.child.id());
        let mask = 1 << (Signal::SIGTERM as u64 - 1);
        until("the handler of SIGTERM", || {
            let status = fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & mask != 0
        });
    }

    /// Ends it as a service manager does; exit code, the rest of standard output, standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        self.signal(Signal::SIGTERM);
        let (mut out, mut err) = (String::new(), String::new());
        if let Some(stdout) = &mut self.stdout {
            stdout.read_to_string(&mut out).unwrap();
        }
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for what nobody tells: a file, or a state of the process.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what} does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Level and text of a line, whose time has the form that it must have.
pub(crate) fn level_and_text(line: &str) -> (&str, &str) {
    let (time, rest) = line.split_at_checked(20).unwrap_or_else(|| panic!("{line:?}"));
    let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00T00:00:00Z", "{line:?}");
    rest.strip_prefix(" [").and_then(|rest| rest.split_once("] ")).unwrap_or_else(|| panic!("{line:?}"))
}
