//! `xray-daemon tail`: prints each finished trace until it is interrupted or nobody reads it any more.

use std::io::{self, Write};
use std::sync::mpsc::{Sender, channel};

use nix::sys::signal::{SigSet, Signal};
use thiserror::Error;

use crate::cli::Tail;
use crate::local::{LocalDaemon, StartError};
use crate::printer::{Print, Printer, view_for};
use crate::stats::Stats;

/// Why it ended, other than as it should.
#[derive(Debug, Error)]
pub(crate) enum TailError {
    #[error(
        "UDP {addr} is taken: a daemon or another `tail` runs there. End it, or listen elsewhere with `-b` and send there, \
         for example `xray-daemon tail -b 127.0.0.1:2001` and AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:2001 for the program"
    )]
    Taken { addr: String },
    #[error(transparent)]
    Start(StartError),
    #[error("cannot write the traces: {0}")]
    Write(io::Error),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

enum Event {
    Interrupted,
    OutputFailed(io::Error),
}

pub(crate) fn run(options: &Tail) -> Result<(), TailError> {
    let (events, ended) = channel();
    // Before any thread is started, because each inherits the mask of its parent.
    watch_signals(events.clone()).map_err(TailError::Signals)?;

    let stdout = io::stdout();
    let view = view_for(&stdout).ascii(options.ascii);
    let print = if options.waterfall { Print::Waterfalls } else { Print::Lines(options.format()) };
    let mut printer = Printer::new(stdout, print, view);
    let only_errors = options.errors;
    let daemon = LocalDaemon::builder()
        .udp(&options.bind)
        .notice(note)
        .sink(move |finished| {
            if only_errors && !finished.trace.has_problem() {
                return Ok(());
            }
            let Err(error) = printer.show(finished) else { return Ok(()) };
            // None listens any more when the program is ending already.
            let _ = events.send(Event::OutputFailed(error.kind().into()));
            // A closed pipe is how its reader ends this program: not a loss to report.
            if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
        })
        .start();
    let daemon = daemon.map_err(|error| match error {
        StartError::AddrInUse { addr } => TailError::Taken { addr },
        error => TailError::Start(error),
    })?;
    note(&format!("listening on UDP {}; Ctrl-C ends it", daemon.udp_addr()));

    match ended.recv() {
        Ok(Event::OutputFailed(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(TailError::Write(error));
        }
        // Nobody reads any more, as when `head` has what it wants: no error.
        Ok(Event::OutputFailed(_)) => {}
        Ok(Event::Interrupted) | Err(_) => {
            if let Some(lost) = losses(&daemon.shutdown()) {
                note(&lost);
            }
        }
    }
    Ok(())
}

/// Standard error, so that the traces can be piped on.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "xray-daemon: {text}");
}

/// Blocks the signals that end a program, and waits for them on a thread of its own. The second one ends it at once.
fn watch_signals(events: Sender<Event>) -> io::Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    let wait = move || {
        if signals.wait().is_ok() && events.send(Event::Interrupted).is_ok() && signals.wait().is_ok() {
            std::process::exit(130);
        }
    };
    std::thread::Builder::new().name("xray-signals".to_owned()).spawn(wait)?;
    Ok(())
}

/// What was rejected and lost, where anything was.
fn losses(stats: &Stats) -> Option<String> {
    let causes = [
        ("without a header line", stats.rejected.missing_header),
        ("without a document", stats.rejected.missing_document),
        ("with an invalid header", stats.rejected.invalid_header),
        ("with an invalid document", stats.rejected.invalid_document),
        ("dropped, queue full", stats.dropped.queue_full),
        ("dropped, no room for the trace", stats.dropped.evicted),
        ("dropped, trace too large", stats.dropped.trace_full),
        ("traces not written", stats.dropped.sink_failed),
    ];
    let told: Vec<String> = causes
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(cause, count)| format!("{count} {cause}"))
        .collect();
    (!told.is_empty()).then(|| format!("{} datagrams received; {}", stats.received, told.join("; ")))
}
