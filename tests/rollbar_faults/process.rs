//! Processes that end in a hurry: aborts, exits, kills, full disks. The test starts itself, as one of these.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub
)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use rollbar_runtime::{
    Level, Proxy, Rollbar, RollbarBuilder, RollbarGuard, report_error, report_message, rollbar_report,
};
use xray_console::rollbar::Fault;

#[path = "../rollbar_delivery/support.rs"]
#[allow(dead_code)]
mod support;

use support::{LONG, Local, TOKEN};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--as") {
        let folder = arguments.get(at + 3).map(PathBuf::from);
        child(&arguments[at + 1], &arguments[at + 2], folder);
        return;
    }
    let tests: [(&str, fn()); 14] = [
        ("two panics at once are two items", two_panics_at_once),
        ("an abort without a service is kept on disk", abort_without_service),
        ("an abort is not held up", abort_is_not_held_up),
        ("a panic of main is sent", panic_of_main),
        ("a panic where none may unwind", panic_in_extern),
        ("a hook that panics", hook_panics),
        ("exit is not held up", exit),
        ("a thread that outlives main", outlives),
        ("ten thousand panics are ten thousand items", ten_thousand_panics),
        ("a full disk", full_disk),
        ("folders that are none", no_folders),
        ("a kill loses nothing that is on disk", kill),
        ("two processes on one folder", two_processes),
        ("clients in each other's place", install_again),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
}

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rollbar-faults-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn names(&self, ending: &str) -> Vec<String> {
        let names = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.ends_with(ending))
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(role: &str, url: &str, folder: Option<&Path>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--as", role, url]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.args(folder);
    command.spawn().unwrap()
}

/// Runs a child to its end: how it ended, what it said, and how long it took.
fn run(role: &str, url: &str, folder: Option<&Path>) -> (ExitStatus, String, Duration) {
    let begun = Instant::now();
    let mut child = start(role, url, folder);
    let mut stderr = child.stderr.take().unwrap();
    let told = std::thread::spawn(move || {
        let mut told = Vec::new();
        stderr.read_to_end(&mut told).unwrap();
        String::from_utf8_lossy(&told).into_owned()
    });
    let status = child.wait().unwrap();
    (status, told.join().unwrap(), begun.elapsed())
}

/// An address at which nobody listens.
fn dead() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn messages(local: &Local) -> Vec<String> {
    let mut messages: Vec<_> =
        local.double().occurrences(1_000).iter().map(|occurrence| occurrence.message.clone()).collect();
    messages.sort();
    messages
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !reached() {
        assert!(Instant::now() < end, "{what} was not reached");
        std::thread::yield_now();
    }
}

struct PanicsOut;

impl Drop for PanicsOut {
    fn drop(&mut self) {
        panic!("the second");
    }
}

#[rollbar_report(capture(n))]
fn panics_twice(n: u32) {
    let _dropped = PanicsOut;
    panic!("the first of {n}");
}

#[rollbar_report]
fn panics(n: u32) {
    panic!("number {n}");
}

/// Catches what is thrown further in, and goes on.
#[rollbar_report]
fn catches(from: u32) {
    for n in from..from + 2_500 {
        assert!(std::panic::catch_unwind(|| panics(n)).is_err());
        assert!(std::panic::catch_unwind(|| panic!("bare {n}")).is_err());
    }
}

extern "C" fn may_not_unwind() {
    panic!("through C");
}

fn builder(url: &str, folder: Option<PathBuf>) -> RollbarBuilder {
    let builder = Rollbar::builder()
        .access_token(TOKEN)
        .environment("test")
        .endpoint(url)
        .proxy(Proxy::Off)
        .shutdown_timeout(Duration::from_millis(300));
    match folder {
        Some(folder) => builder.spool(folder),
        None => builder,
    }
}

fn child(role: &str, url: &str, folder: Option<PathBuf>) {
    let builder = builder(url, folder);
    let _guard: RollbarGuard = match role {
        "twice, sent" | "twice, kept" | "twice, lost" => {
            let guard = match role {
                // As long as a busy machine needs.
                "twice, sent" => builder.shutdown_timeout(LONG),
                "twice, kept" => builder.shutdown_timeout(Duration::from_secs(5)),
                _ => builder,
            };
            let guard = guard.install().unwrap();
            panics_twice(7);
            guard
        }
        "extern" => {
            let guard = builder.shutdown_timeout(LONG).install().unwrap();
            may_not_unwind();
            guard
        }
        "main" => {
            let _guard = builder.shutdown_timeout(LONG).install().unwrap();
            panic!("of main");
        }
        "hook" => {
            std::panic::set_hook(Box::new(|_| panic!("a hook's own")));
            let guard = builder.install().unwrap();
            panic!("{}", guard.is_enabled());
        }
        "exit" => {
            let _guard = builder.install().unwrap();
            for n in 0..1_000 {
                report_message(format!("number {n}"), Level::Error);
            }
            std::process::exit(7);
        }
        "outlives" => {
            let guard = builder.install().unwrap();
            std::thread::spawn(|| {
                loop {
                    report_message("by a thread", Level::Error);
                    let _ = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(())));
                    report_error(&std::fmt::Error);
                }
            });
            guard
        }
        "full" => {
            // Of a file that grows over the limit, the kernel says so by a signal that ends the process, unless it is ignored.
            // SAFETY: no handler is set.
            unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.unwrap();
            setrlimit(Resource::RLIMIT_FSIZE, 2_000, 2_000).unwrap();
            let rollbar = builder.retries(0).build().unwrap();
            rollbar.enter(|| {
                report_message("small", Level::Error);
                report_message("l".repeat(10_000), Level::Error);
                report_message("small too", Level::Error);
            });
            assert_eq!(rollbar.flush(LONG).pending, 0);
            let stats = rollbar.stats();
            assert_eq!((stats.dropped_spooled, stats.dropped_unreachable), (2, 1), "{stats:#?}");
            std::process::exit(0);
        }
        "panics" => {
            std::panic::set_hook(Box::new(|_| ()));
            let (rollbar, captured) = Rollbar::builder().source_lines(false).in_memory();
            rollbar.enter(|| {
                catches(0);
                for n in 2_500..5_000 {
                    assert!(std::panic::catch_unwind(|| panics(n)).is_err());
                    assert!(std::panic::catch_unwind(|| panic!("bare {n}")).is_err());
                }
            });
            let stats = rollbar.stats();
            assert_eq!((stats.reported, stats.sent), (10_000, 10_000), "{stats:#?}");
            let messages: BTreeSet<_> =
                captured.items().iter().map(|item| item.message().unwrap().to_owned()).collect();
            assert_eq!(messages.len(), 10_000);
            std::process::exit(0);
        }
        "killed" => {
            let rollbar = builder.retries(0).install().unwrap();
            for n in 0..20 {
                report_message(format!("number {n}"), Level::Error);
                assert_eq!(rollbar.flush(LONG).pending, 0);
            }
            println!("all are kept");
            loop {
                report_message("on its way", Level::Error);
            }
        }
        "sends" => {
            let rollbar = builder.install().unwrap();
            println!("begun");
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
            rollbar
        }
        other => panic!("no such child: {other}"),
    };
}

fn two_panics_at_once() {
    let local = Local::new();
    let (status, told, _) = run("twice, sent", &local.url(), None);
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{told}");
    let messages = messages(&local);
    assert!(messages.contains(&"the first of 7".to_owned()), "{messages:?}");
    assert!(messages.contains(&"the second".to_owned()), "{messages:?}");
    assert_eq!(local.double().stats().duplicates, 0);
    // The program's own words are all there.
    assert!(told.contains("the first of 7") && told.contains("the second"), "{told}");
}

fn panic_in_extern() {
    let local = Local::new();
    let (status, told, _) = run("extern", &local.url(), None);
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{told}");
    assert!(messages(&local).contains(&"through C".to_owned()), "{:?}", messages(&local));
}

fn abort_without_service() {
    let folder = Folder::new("abort");
    let (status, told, took) = run("twice, kept", &dead(), Some(&folder.0));
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{told}");
    assert!(took < LONG, "{took:?}");
    assert!(folder.names(".json").len() >= 2, "{:?}", folder.names(""));
    let local = Local::new();
    let rollbar = builder(&local.url(), Some(folder.0.clone())).build().unwrap();
    until("the replay", || {
        messages(&local).contains(&"the first of 7".to_owned())
            && messages(&local).contains(&"the second".to_owned())
    });
    until("an empty folder", || folder.names(".json").is_empty());
    drop(rollbar);
}

fn abort_is_not_held_up() {
    let local = Local::always(Fault { slow_read_ms: 600_000, ..Fault::default() });
    let (status, told, took) = run("twice, lost", &local.url(), None);
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{told}");
    assert!(took < LONG, "{took:?}");
}

fn panic_of_main() {
    let local = Local::new();
    let (status, told, _) = run("main", &local.url(), None);
    assert_eq!(status.code(), Some(101), "{told}");
    assert_eq!(messages(&local), ["of main"]);
}

fn hook_panics() {
    // `std` ends the process, with us as without us; it does so at once.
    let local = Local::new();
    let (status, told, took) = run("hook", &local.url(), None);
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{told}");
    assert!(took < LONG, "{took:?}");
}

fn exit() {
    for url in [dead(), Local::new().url()] {
        let (status, told, took) = run("exit", &url, None);
        assert_eq!(status.code(), Some(7), "{told}");
        assert!(took < LONG, "{took:?}");
    }
}

fn outlives() {
    for _ in 0..3 {
        let local = Local::new();
        let (status, told, took) = run("outlives", &local.url(), None);
        assert_eq!(status.code(), Some(0), "{told}");
        assert!(took < LONG, "{took:?}");
    }
}

fn ten_thousand_panics() {
    let (status, told, _) = run("panics", &dead(), None);
    // Its hook is silent.
    assert_eq!(status.code(), Some(0), "{told}");
}

fn full_disk() {
    let folder = Folder::new("full");
    let (status, told, _) = run("full", &dead(), Some(&folder.0));
    assert_eq!(status.code(), Some(0), "{told}");
    assert_eq!(folder.names(".json").len(), 2);
    assert_eq!(folder.names("").len(), 2, "nothing is left half-written");
}

/// Without a folder items are lost, and that is all.
fn no_folders() {
    let folder = Folder::new("none");
    std::fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("file");
    std::fs::write(&file, "a file").unwrap();
    let gone = folder.0.join("gone");
    for path in [
        file.clone(),
        file.join("below"),
        PathBuf::from("/dev/full"),
        PathBuf::from("/proc/rollbar"),
        PathBuf::new(),
        gone.clone(),
    ] {
        let rollbar = builder(&dead(), Some(path.clone())).retries(0).panics(false).build().unwrap();
        rollbar.enter(|| report_message("first", Level::Error));
        assert_eq!(rollbar.flush(LONG).pending, 0);
        // It may also go while it is in use.
        let _ = std::fs::remove_dir_all(&gone);
        rollbar.enter(|| report_message("second", Level::Error));
        assert_eq!(rollbar.flush(LONG).pending, 0);
        let stats = rollbar.stats();
        assert_eq!(stats.dropped(), 2, "{path:?}: {stats:#?}");
        assert!(stats.dropped_unreachable >= 1, "{path:?}: {stats:#?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a file");
}

fn kill() {
    let folder = Folder::new("kill");
    let mut child = start("killed", &dead(), Some(&folder.0));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(line, "all are kept\n");
    let local = Local::new();
    let rollbar = builder(&local.url(), Some(folder.0.clone())).panics(false).build().unwrap();
    until("an empty folder", || folder.names(".json").is_empty() && folder.names(".claim").is_empty());
    let messages = messages(&local);
    for n in 0..20 {
        assert!(messages.contains(&format!("number {n}")), "{n} of {messages:?}");
    }
    assert_eq!(local.double().stats().duplicates, 0);
    drop(rollbar);
}

fn two_processes() {
    let folder = Folder::new("two");
    let local = Local::new();
    {
        let rollbar = builder(&dead(), Some(folder.0.clone())).retries(0).panics(false).build().unwrap();
        rollbar.enter(|| {
            for n in 0..200 {
                report_message(format!("number {n}"), Level::Error);
            }
        });
        assert_eq!(rollbar.flush(LONG).pending, 0);
        assert_eq!(rollbar.stats().dropped_spooled, 200);
    }
    let mut children: Vec<Child> = (0..4)
        .map(|_| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--as", "sends", &local.url()]).arg(&folder.0);
            command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    until("an empty folder", || folder.names(".json").is_empty() && folder.names(".claim").is_empty());
    for child in &mut children {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    let stats = local.double().stats();
    assert_eq!((stats.occurrences, stats.duplicates), (200, 0), "{stats:?}");
}

/// Each report goes to one of the clients that are installed one after the other.
fn install_again() {
    let local = Local::new();
    let (over, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let first = local.builder().install().unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (over, taken) = (Arc::clone(&over), Arc::clone(&taken));
            std::thread::spawn(move || {
                let mut n = 0;
                while !over.load(Ordering::Relaxed) {
                    n += 1;
                    if report_message(format!("{thread}: {n}"), Level::Error).is_some() {
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                    if n % 64 == 0 {
                        std::thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut clients = vec![first.rollbar().clone()];
    let mut guards = vec![first];
    for _ in 0..30 {
        let guard = local.builder().install().unwrap();
        clients.push(guard.rollbar().clone());
        guards.push(guard);
        let before = taken.load(Ordering::Relaxed);
        until("a report", || taken.load(Ordering::Relaxed) > before + 20);
    }
    over.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let (mut reported, mut sent) = (0, 0);
    for client in &clients {
        let _ = client.flush(LONG);
    }
    drop(guards);
    for client in &clients {
        let stats = client.stats();
        assert_eq!(
            stats.reported,
            stats.sent + stats.coalesced + stats.dropped() + stats.pending,
            "{stats:#?}"
        );
        assert_eq!(stats.pending, 0, "{stats:#?}");
        reported += stats.reported;
        sent += stats.sent;
    }
    assert!(reported >= taken.load(Ordering::Relaxed), "{reported}");
    assert_eq!(local.double().stats().occurrences, sent);
    assert_eq!(report_message("nobody", Level::Error), None);
}
