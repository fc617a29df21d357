//! The signals that mean something to the daemon.

use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::log;

/// For how long a signal that comes again is the same one: `timeout` and others tell a process and its group.
const ECHO: Duration = Duration::from_secs(1);

/// The signals that mean something.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    hangup: Signal,
    /// Ignored, as AWS's daemon does; it would else end the process.
    _user: Signal,
}

pub(super) enum Told {
    /// Its name, and the exit code.
    End(&'static str, ExitCode),
    Reload,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            _user: signal(SignalKind::user_defined1())?,
        })
    }

    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::End("SIGINT", ExitCode::SUCCESS),
            _ = self.terminate.recv() => Told::End("SIGTERM", ExitCode::SUCCESS),
            // Go's runtime ends with 2 there, and a dump of its stacks.
            _ = self.quit.recv() => Told::End("SIGQUIT", ExitCode::from(2)),
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    /// Waits until it is told once more to end, after a first signal. SIGHUP does not say that: where the terminal goes away it
    /// follows SIGTERM.
    pub(super) async fn another(&mut self, first: &str) {
        let began = Instant::now();
        loop {
            match self.next().await {
                Told::End(name, _) if name != first || began.elapsed() >= ECHO => return,
                Told::End(..) => {}
                Told::Reload => log::reopen(),
            }
        }
    }
}
