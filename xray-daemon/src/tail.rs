//! `xray-daemon tail`: prints each finished trace and each item until it is interrupted or nobody reads it any more.

use std::io::{self, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nix::sys::signal::{SigSet, Signal};
use thiserror::Error;
use xray_console::sampling::{RulesOnDisk, RulesOnDiskError};

use crate::builder::StartError;
use crate::cli::Tail;
use crate::local::LocalDaemon;
use crate::printer::{Print, Printer, view_for};
use crate::stats::Stats;

/// How often the file of sampling rules is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Why it ended, other than as it should.
#[derive(Debug, Error)]
pub(crate) enum TailError {
    #[error(
        "UDP {addr} is taken: a daemon or another `tail` runs there. End it, or listen elsewhere with `-b` and send there, \
         for example `xray-daemon tail -b 127.0.0.1:2001` and AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:2001 for the program"
    )]
    Taken { addr: String },
    #[error(
        "TCP {addr} is taken: a daemon or another `tail` runs there. End it, or listen elsewhere with `-t` and send there, \
         for example `xray-daemon tail -t 127.0.0.1:2001` and ROLLBAR_ENDPOINT=http://127.0.0.1:2001/api/1/ for the program"
    )]
    TcpTaken { addr: String },
    #[error(transparent)]
    Start(StartError),
    #[error(transparent)]
    Rules(#[from] RulesOnDiskError),
    #[error("cannot write what came: {0}")]
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
    let out = Output { printer: Arc::new(Mutex::new(Printer::new(stdout, print, view))), events };
    let (traces, items, deploys) = (out.clone(), out.clone(), out);
    let only_errors = options.errors;
    let mut daemon = LocalDaemon::builder()
        .udp(&options.bind)
        .tcp(options.tcp())
        .rollbar(options.mode())
        .faults(options.faults)
        .notice(note)
        .sink(move |finished| {
            if only_errors && !finished.trace.has_problem() {
                Ok(())
            } else {
                traces.put(|to| to.show(finished))
            }
        })
        .item_sink(move |item| {
            if only_errors && !item.is_problem() { Ok(()) } else { items.put(|to| to.show_item(item)) }
        })
        .deploy_sink(move |deploy| {
            if only_errors && !matches!(&*deploy.status, "failed" | "timed_out") {
                Ok(())
            } else {
                deploys.put(|to| to.show_deploy(deploy))
            }
        });
    let mut rules =
        options.sampling_rules.as_ref().map(|path| RulesOnDisk::open(path, SystemTime::now())).transpose()?;
    if let Some(rules) = &rules {
        rules.warnings().iter().for_each(|warning| note(warning));
        daemon = daemon.sampling_rules(rules.rules());
    }
    for name in &options.allow_host {
        daemon = daemon.allow_host(name);
    }
    let daemon = daemon.start().map_err(|error| match error {
        StartError::AddrInUse { addr } => TailError::Taken { addr },
        StartError::TcpAddrInUse { addr } => TailError::TcpTaken { addr },
        error => TailError::Start(error),
    })?;
    note(&listening(&daemon));

    let event = loop {
        match ended.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => rules.iter_mut().for_each(look),
            event => break event,
        }
    };
    match event {
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

/// Takes over the file of sampling rules where it has changed.
fn look(rules: &mut RulesOnDisk) {
    match rules.look(SystemTime::now()) {
        Some(Ok(reloaded)) => {
            note(&format!("took over the sampling rules of {}", rules.path().display()));
            reloaded.warnings.iter().for_each(|warning| note(warning));
        }
        Some(Err(error)) => note(&format!("{error}; the sampling rules stay as they were")),
        None => {}
    }
}

fn listening(daemon: &LocalDaemon) -> String {
    let tcp = daemon.tcp_addr().map(|tcp| format!(" TCP {tcp};")).unwrap_or_default();
    format!("listening on UDP {};{tcp} Ctrl-C ends it", daemon.udp_addr())
}

/// Standard output, for all sinks, which are called on one thread.
#[derive(Clone)]
struct Output {
    printer: Arc<Mutex<Printer<io::Stdout>>>,
    events: Sender<Event>,
}

impl Output {
    fn put(&self, show: impl FnOnce(&mut Printer<io::Stdout>) -> io::Result<()>) -> io::Result<()> {
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = show(&mut printer) else { return Ok(()) };
        // None listens any more when the program is ending already.
        let _ = self.events.send(Event::OutputFailed(error.kind().into()));
        // A closed pipe is how its reader ends this program: not a loss to report.
        if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
    }
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
    let of_datagrams = told(&[
        ("without a header line", stats.rejected.missing_header),
        ("without a document", stats.rejected.missing_document),
        ("with an invalid header", stats.rejected.invalid_header),
        ("with an invalid document", stats.rejected.invalid_document),
        ("dropped, queue full", stats.dropped.queue_full),
        ("dropped, no room for the trace", stats.dropped.evicted),
        ("dropped, trace too large", stats.dropped.trace_full),
    ])
    .map(|causes| format!("{} datagrams received; {causes}", stats.received));
    let of_requests = told(&[
        ("of a foreign page refused", stats.requests_refused),
        ("of Rollbar's API refused", stats.rollbar.refused),
        ("items not shown, queue full", stats.dropped.item_queue_full),
    ])
    .map(|causes| format!("{} requests received; {causes}", stats.requests));
    let of_output = told(&[("traces or items not written", stats.dropped.sink_failed)]);
    let all: Vec<String> = [of_datagrams, of_requests, of_output].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn told(causes: &[(&str, u64)]) -> Option<String> {
    let told: Vec<String> = causes
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(cause, count)| format!("{count} {cause}"))
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}
