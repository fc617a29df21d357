//! The daemon as a process: started, spoken to, told to end, and asked for its account.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use conformance::upstream::{ACCESS_KEY, Double, PATIENCE, REGION, SECRET_KEY};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::account::Account;

/// The binary, beside the folder of the tests' own. Cargo builds it with the workspace's tests, but not with those of this package
/// alone: it is built here where it is missing, or older than its sources.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = test.ancestors().nth(2).unwrap();
        let binary = folder.join("xray-daemon");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let changed = newest(&root.join("xray-daemon/src")).max(newest(&root.join("xray-console/src")));
        let built = binary.metadata().and_then(|file| file.modified()).ok();
        if built.is_none_or(|built| built < changed) {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["build", "--quiet", "-p", "xray-daemon", "--bin", "xray-daemon"]).current_dir(root);
            cargo.arg("--target-dir").arg(folder.parent().unwrap());
            if folder.ends_with("release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success(), "the daemon is built");
        }
        binary
    })
}

/// When a file below a folder was changed last.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let times = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => newest(&entry.path()),
        false => entry.metadata().unwrap().modified().unwrap(),
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What a process writes, line by line.
struct Lines {
    /// The lines so far, and whether there are no more.
    state: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
    stopped: AtomicBool,
}

impl Default for Lines {
    /// Of nothing: they have ended.
    fn default() -> Self {
        Self {
            state: Mutex::new((Vec::new(), true)),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
        }
    }
}

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Arc<Self> {
        let lines = Arc::new(Self { state: Mutex::new((Vec::new(), false)), ..Self::default() });
        let written = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                written.state.lock().unwrap().0.push(line);
                written.changed.notify_all();
                if written.stopped.load(Ordering::SeqCst) {
                    break;
                }
            }
            written.state.lock().unwrap().1 = true;
            written.changed.notify_all();
        });
        lines
    }

    /// Waits until something is found in the lines; `None` when they have ended or it takes too long.
    fn find<T>(&self, mut find: impl FnMut(&[String], bool) -> Option<T>) -> Option<T> {
        let end = Instant::now() + PATIENCE;
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = find(&state.0, state.1) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now()).filter(|_| !state.1)?;
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Reads one line more at most, and closes the pipe.
    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    fn all(&self) -> Vec<String> {
        self.state.lock().unwrap().0.clone()
    }
}

/// A daemon to be started.
pub struct Start(Command);

impl Start {
    /// Before this upstream, at free ports.
    pub fn before(double: &Double) -> Self {
        Self::bare().args([
            "-b",
            "127.0.0.1:0",
            "-t",
            "127.0.0.1:0",
            "-n",
            REGION,
            "--endpoint",
            &double.url(),
        ])
    }

    /// With no arguments, in an environment with nothing but credentials.
    pub fn bare() -> Self {
        let mut command = Command::new(binary());
        command.env_clear().env("HOME", "/nonexistent").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        // No configuration lies there.
        command.current_dir(env!("CARGO_TARGET_TMPDIR"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command)
    }

    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.0.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    /// Logs there, where nobody here reads it.
    pub fn log_to(mut self, output: impl Into<Stdio>) -> Self {
        self.0.stdout(output);
        self
    }

    /// Starts it, and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Daemon {
        let mut daemon = self.spawn();
        daemon.tcp = daemon.address_after("Starting proxy http server on ");
        let udp = daemon.address_after("Listening on UDP ");
        daemon.socket.connect(udp).unwrap();
        daemon
    }

    /// Starts what is expected to end by itself.
    #[track_caller]
    pub fn spawn(mut self) -> Daemon {
        let mut child = self.0.spawn().unwrap();
        let log = child.stdout.take().map(Lines::of).unwrap_or_default();
        let errors = Lines::of(child.stderr.take().unwrap());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        Daemon { child, log, errors, tcp: ([0; 4], 0).into(), socket, sent: 0 }
    }
}

/// A running daemon; it is killed when dropped.
pub struct Daemon {
    child: Child,
    log: Arc<Lines>,
    errors: Arc<Lines>,
    pub tcp: SocketAddr,
    socket: UdpSocket,
    sent: u64,
}

/// How a daemon ended.
pub struct Ended {
    pub status: ExitStatus,
    pub log: Vec<String>,
    pub errors: Vec<String>,
}

/// A segment document with an id of its own.
pub fn document(number: u64) -> String {
    format!(
        r#"{{"trace_id":"1-5e2b4150-{number:024x}","id":"{number:016x}","name":"faults","start_time":1579893132.0,"end_time":1579893132.5}}"#
    )
}

impl Daemon {
    #[track_caller]
    fn address_after(&self, text: &str) -> SocketAddr {
        self.line(text).rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Waits for a line of the log with this text.
    #[track_caller]
    pub fn line(&self, text: &str) -> String {
        let found = self.log.find(|lines, _| lines.iter().find(|line| line.contains(text)).cloned());
        found.unwrap_or_else(|| panic!("no line {text:?}: {:#?} {:#?}", self.log.all(), self.errors.all()))
    }

    /// Where it receives.
    pub fn udp(&self) -> SocketAddr {
        self.socket.peer_addr().unwrap()
    }

    /// Nobody reads its log any more: the pipe has no other end.
    pub fn stop_reading(&self) {
        self.log.stop();
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a datagram as it is.
    pub fn send_bytes(&mut self, datagram: &[u8]) {
        assert_eq!(self.socket.send(datagram).unwrap(), datagram.len());
        self.sent += 1;
    }

    /// Sends a document.
    pub fn send(&mut self, document: impl AsRef<[u8]>) {
        self.send_bytes(&[b"{\"format\":\"json\",\"version\":1}\n", document.as_ref()].concat());
    }

    /// Sends so many documents more, each with the next number; 50 of them make a batch, which is sent at once.
    pub fn send_next(&mut self, count: u64) {
        for number in self.sent..self.sent + count {
            self.send(document(number));
        }
    }

    /// How many datagrams were sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The body of an answer of 200 to `GET`.
    #[track_caller]
    pub fn get(&self, path: &str) -> String {
        let (status, body) = self.call("GET", path, "");
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Status and body of an answer.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.tcp).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close", self.tcp);
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// What `/metrics` tells.
    #[track_caller]
    pub fn account(&self) -> Account {
        Account::of_metrics(&self.get("/metrics"))
    }

    /// Waits until all that was sent has come, and is sent or dropped.
    #[track_caller]
    pub fn settled(&self) -> Account {
        self.until("all is sent or dropped", |account| {
            account.arrived() == self.sent && account.is_closed() && account.pending == 0
        })
    }

    /// Waits until the account is such.
    #[track_caller]
    pub fn until(&self, what: &str, reached: impl Fn(&Account) -> bool) -> Account {
        let mut last = Account::default();
        let found = poll(|| {
            last = self.account();
            reached(&last).then_some(last)
        });
        found.unwrap_or_else(|| panic!("{what}: {last:?} of {} datagrams\n{:#?}", self.sent, self.log.all()))
    }

    /// A line of `/proc/PID/status`, in KiB.
    pub fn memory_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().cast_signed()), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn ended(mut self) -> Ended {
        let status = poll(|| self.has_ended());
        let status = status.unwrap_or_else(|| panic!("it does not end: {:#?}", self.log.all()));
        for lines in [&self.log, &self.errors] {
            let _ = lines.find(|_, ended| ended.then_some(()));
        }
        Ended { status, log: self.log.all(), errors: self.errors.all() }
    }

    /// Ends it as systemd does, and takes its last account: nothing is left, and every datagram is in one place.
    #[track_caller]
    pub fn end(self) -> (Account, Ended) {
        self.end_by(Signal::SIGTERM)
    }

    /// The same by another signal.
    #[track_caller]
    pub fn end_by(self, signal: Signal) -> (Account, Ended) {
        self.signal(signal);
        let sent = self.sent;
        let ended = self.ended();
        assert_eq!(ended.status.code(), Some(0), "{:#?} {:#?}", ended.log, ended.errors);
        let account = Account::of_last_line(&ended.log);
        assert_eq!(account.arrived(), sent, "{account:?} {:#?}", ended.log);
        assert!(account.is_closed(), "{account:?}");
        (account, ended)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again, within bounds: what is asked for tells nobody when it changes.
fn poll<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The same; it must come about.
#[track_caller]
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    poll(ask).unwrap_or_else(|| panic!("{what}: not within {PATIENCE:?}"))
}

/// Starts a daemon that tells nobody where it listens, at addresses that were free a moment ago.
#[track_caller]
pub fn start_quietly(start: impl Fn() -> Start) -> Daemon {
    until("it listens", || {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut daemon = start().args(["-b", &udp.to_string(), "-t", &tcp.to_string()]).spawn();
        daemon.tcp = tcp;
        daemon.socket.connect(udp).unwrap();
        // Where somebody was faster it ends, and others are tried.
        let listens = until("it listens or ends", || match daemon.has_ended() {
            Some(_) => Some(false),
            None => TcpStream::connect(tcp).ok().map(|_| true),
        });
        listens.then_some(daemon)
    })
}
