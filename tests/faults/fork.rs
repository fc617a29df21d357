//! A process that forks: the exporter's thread stays with the parent. Alone in its process and without threads of a test harness.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::net::UdpSocket;
use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use xray_runtime::{AllSampler, Platform, Plugin, PluginError, Recorder, in_subsegment};

const SOON: Duration = Duration::from_secs(10);

fn record(recorder: &Recorder, name: &'static str) {
    recorder.enter(|| xray_runtime::in_segment(name, || in_subsegment("child", || ())));
}

/// The document of the next datagram.
fn receive(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_535];
    let size = socket.recv(&mut buffer).expect("a datagram in time");
    String::from_utf8(buffer[..size].to_vec()).unwrap()
}

/// A thread that works while its process forks may hold its lock for ever in the child, as any thread's lock: a program forks while it
/// is at rest. No event tells that; it gathers for 5 ms.
fn let_it_fall_asleep() {
    std::thread::sleep(Duration::from_millis(100));
}

fn main() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(SOON)).unwrap();
    let address = daemon.local_addr().unwrap().to_string();
    let recorder =
        Recorder::builder().service("s").sampler(AllSampler).daemon_address(address).build().unwrap();
    // The parent's thread runs, and sleeps again.
    record(&recorder, "before");
    recorder.flush(SOON);
    assert!(receive(&daemon).contains(r#""name":"before""#));
    let_it_fall_asleep();

    // SAFETY: the child calls only what is under test, which takes locks that no thread of the parent holds while it sleeps, and
    // leaves by `_exit`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            // Without a flush first: the child must see by itself that its thread is gone.
            for _ in 0..3 {
                record(&recorder, "child process");
            }
            let flushed = recorder.flush(SOON);
            let code = if flushed.pending == 0 && flushed.dropped == 0 { 0 } else { 1 };
            // SAFETY: ends this process at once; nothing of the parent's is unwound twice.
            unsafe { nix::libc::_exit(code) }
        }
        ForkResult::Parent { child } => {
            for _ in 0..3 {
                assert!(receive(&daemon).contains(r#""name":"child process""#));
            }
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
            record(&recorder, "parent goes on");
            recorder.flush(SOON);
            assert!(receive(&daemon).contains(r#""name":"parent goes on""#));
            let stats = recorder.stats();
            assert_eq!((stats.sent, stats.dropped(), stats.pending), (4, 0, 0), "{stats:?}");
        }
    }
    let_it_fall_asleep();

    // SAFETY: as above.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            record(&recorder, "without flush");
            // Until the parent has it, and says so by ending us.
            loop {
                std::thread::park();
            }
        }
        ForkResult::Parent { child } => {
            assert!(receive(&daemon).contains(r#""name":"without flush""#));
            nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).unwrap();
            waitpid(child, None).unwrap();
        }
    }
    plugins_are_asked_by_the_child(&daemon);
    println!("test fork ... ok");
}

/// Never answers in the process that it was made in.
#[derive(Debug)]
struct Elsewhere(u32);

impl Plugin for Elsewhere {
    fn name(&self) -> &str {
        "elsewhere"
    }

    fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
        while std::process::id() == self.0 {
            std::thread::park();
        }
        platform.put("asked", "again");
        Ok(())
    }
}

fn plugins_are_asked_by_the_child(daemon: &UdpSocket) {
    let address = daemon.local_addr().unwrap().to_string();
    let builder = Recorder::builder().service("s").sampler(AllSampler).daemon_address(address);
    let recorder = builder.plugin(Elsewhere(std::process::id())).build().unwrap();
    record(&recorder, "parent");
    recorder.flush(SOON);
    assert!(!receive(daemon).contains("elsewhere"));
    let_it_fall_asleep();

    // SAFETY: as above.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let known = recorder.wait_for_plugins(SOON);
            record(&recorder, "child process");
            recorder.flush(SOON);
            // SAFETY: as above.
            unsafe { nix::libc::_exit(if known { 0 } else { 1 }) }
        }
        ForkResult::Parent { child } => {
            assert!(receive(daemon).contains(r#""elsewhere":{"asked":"again"}"#));
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
        }
    }
}
