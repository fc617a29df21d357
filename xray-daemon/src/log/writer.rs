//! The lines that wait to be written, and the thread that writes them.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::Local;
use nix::sys::signal::{SigSet, SigmaskHow};
use tracing::Level;

use super::file::{LogFile, Torn};
use super::line;

/// How many bytes of lines may wait.
const ROOM: usize = 1024 * 1024;

/// What is kept of the buffers' memory when they are empty.
const KEPT: usize = 64 * 1024;

/// How often it is tried to tell in the log what the log lost.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Where lines are written.
pub(super) enum Output {
    File(LogFile),
    Stream(Box<dyn Write + Send>, Torn),
}

impl Output {
    /// Standard output, without the buffer in front of it that would keep what could not be written.
    pub(super) fn stdout() -> io::Result<Self> {
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self::stream(std::fs::File::from(stdout)))
    }

    pub(super) fn stream(stream: impl Write + Send + 'static) -> Self {
        Self::Stream(Box::new(stream), Torn(false))
    }

    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_line(line),
            Self::Stream(stream, torn) => torn.write(stream, line).1,
        }
    }
}

/// Takes lines from any thread. Clones share one thread that writes.
#[derive(Clone)]
pub(super) struct Log(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    /// There is something to do.
    work: Condvar,
    /// Something was done.
    done: Condvar,
    lost: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// How many lines were ever put here, and how many of them are dealt with.
    put: u64,
    dealt_with: u64,
    reopen: bool,
}

impl Log {
    /// Starts the thread that writes.
    pub(super) fn start(output: Output) -> io::Result<Self> {
        Self::start_telling(output, TELL_EVERY)
    }

    fn start_telling(output: Output, every: Duration) -> io::Result<Self> {
        let log = Self(Arc::new(Shared {
            waiting: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
            lost: AtomicU64::new(0),
        }));
        let mut writer = Writer { shared: log.0.clone(), output, every, told: 0, tried: None, why: None };
        // A thread inherits the mask: this one must not be where a signal ends the process.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let started = std::thread::Builder::new().name("xray-log".to_owned()).spawn(move || writer.run());
        before.thread_set_mask()?;
        started.map(|_| log)
    }

    /// Has a line written, which has its end; or counts it, where too many wait.
    pub(super) fn put(&self, line: &[u8]) {
        let mut waiting = self.0.lock();
        if waiting.lines.len() + line.len() > ROOM {
            self.0.lost.fetch_add(1, Relaxed);
            return;
        }
        waiting.lines.extend_from_slice(line);
        waiting.put += 1;
        drop(waiting);
        self.0.work.notify_one();
    }

    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Relaxed)
    }

    pub(super) fn reopen(&self) {
        self.0.lock().reopen = true;
        self.0.work.notify_one();
    }

    /// Waits until what was put before is dealt with; whether it is.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let waiting = self.0.lock();
        let target = waiting.put;
        let (waiting, _) = self
            .0
            .done
            .wait_timeout_while(waiting, patience, |waiting| waiting.dealt_with < target)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.dealt_with >= target
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// On its own thread.
struct Writer {
    shared: Arc<Shared>,
    output: Output,
    every: Duration,
    /// How many of the lost lines are told in the log.
    told: u64,
    /// When that was tried last.
    tried: Option<Instant>,
    /// Why the last line was lost that could not be written.
    why: Option<io::Error>,
}

impl Writer {
    fn run(&mut self) {
        let mut lines = Vec::new();
        loop {
            let (reopen, put) = self.wait(&mut lines);
            if reopen && let Output::File(file) = &mut self.output {
                file.reopen();
            }
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                if let Err(error) = self.output.write_line(line) {
                    self.shared.lost.fetch_add(1, Relaxed);
                    self.why = Some(error);
                }
            }
            if let Output::File(file) = &mut self.output
                && let Some(note) = file.take_note()
            {
                // About the log itself: not one of the lines that are counted.
                let _ = file.write_line(&warning(&note));
            }
            self.tell();
            lines.clear();
            lines.shrink_to(KEPT);
            self.shared.lock().dealt_with = put;
            self.shared.done.notify_all();
        }
    }

    /// Waits for lines, for a wish to reopen, or until losses can be told; takes what there is into `lines`.
    fn wait(&self, lines: &mut Vec<u8>) -> (bool, u64) {
        let mut waiting = self.shared.lock();
        while waiting.lines.is_empty() && !waiting.reopen {
            let due = self.tried.map_or(Duration::ZERO, |tried| self.every.saturating_sub(tried.elapsed()));
            waiting = if self.shared.lost.load(Relaxed) == self.told {
                self.shared.work.wait(waiting).unwrap_or_else(PoisonError::into_inner)
            } else if due.is_zero() {
                break;
            } else {
                self.shared.work.wait_timeout(waiting, due).unwrap_or_else(PoisonError::into_inner).0
            };
        }
        std::mem::swap(&mut waiting.lines, lines);
        (std::mem::take(&mut waiting.reopen), waiting.put)
    }

    /// Tells in the log what it lost, at most once in a while.
    fn tell(&mut self) {
        let lost = self.shared.lost.load(Relaxed);
        if lost == self.told || self.tried.is_some_and(|tried| tried.elapsed() < self.every) {
            return;
        }
        self.tried = Some(Instant::now());
        let why = match &self.why {
            Some(error) => format!("the last error was: {error}"),
            None => "they came faster than they could be written".to_owned(),
        };
        let text = format!("{} lines of this log were not written; {why}", lost - self.told);
        if self.output.write_line(&warning(&text)).is_ok() {
            self.told = lost;
            self.why = None;
        }
    }
}

fn warning(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    line::begin(&mut bytes, Local::now(), Level::WARN);
    line::end(&mut bytes, format_args!("{text}"));
    bytes
}

#[cfg(test)]
#[path = "writer_tests.rs"]
pub(super) mod tests;
