//! A daemon inside the program: it receives on UDP and shows each trace when it is finished.
//!
//! The receiving thread checks the framing and queues the documents; the showing thread assembles them and calls the
//! sink. The queue between them is bounded by count and by bytes, so that a slow terminal costs documents (which are
//! counted), never memory.

use std::any::Any;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Queue, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use thiserror::Error;
use xray_console::{Assembler, Document, FinishedTrace, Format, Limits, View};

use crate::datagram::{Reject, parse_datagram};
use crate::printer::{Print, Printer, view_for};
use crate::receiver::{Receiver, Stop};
use crate::stats::{Counters, Stats, count};

/// Where every X-Ray SDK sends to unless it is told otherwise.
pub const DEFAULT_UDP: &str = "127.0.0.1:2000";

/// The most documents that wait to be shown.
const QUEUE_DOCUMENTS: usize = 16_384;

/// The most bytes of documents that wait to be shown: 32 MiB.
const QUEUE_BYTES: usize = 32 << 20;

type Sink = Box<dyn FnMut(&FinishedTrace) -> io::Result<()> + Send>;
type Notice = Box<dyn Fn(&str) + Send + Sync>;

/// Why a daemon could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another program listens on this address: a daemon, most likely, to which documents can be sent as well.
    #[error("UDP {addr} is taken by another program")]
    AddrInUse {
        /// The address, as it was asked for.
        addr: String,
    },
    /// This is no `host:port` of this machine.
    #[error("cannot listen on UDP {addr:?}: {source}")]
    Bind {
        /// The address, as it was asked for.
        addr: String,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no thread or no file descriptor.
    #[error("cannot start the daemon's threads: {0}")]
    System(#[source] io::Error),
}

/// Settings of a [`LocalDaemon`], from [`LocalDaemon::builder`].
#[must_use = "a builder does nothing before `start`"]
pub struct Builder {
    udp: String,
    limits: Limits,
    sink: Sink,
    notice: Notice,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("udp", &self.udp)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// The address to listen on, `host:port`, IPv4 or `[IPv6]`; port 0 takes a free one. [`DEFAULT_UDP`] if not given.
    pub fn udp(mut self, addr: impl Into<String>) -> Self {
        self.udp = addr.into();
        self
    }

    /// Limits and delays of the assembly of traces.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Calls `sink` with each finished trace, and again where more of one has come. It is called on the daemon's own
    /// thread; while it blocks, documents queue up. What it fails on (an error, a panic) is counted.
    ///
    /// There is one sink: this, [`print_lines`](Self::print_lines) and [`print_waterfalls`](Self::print_waterfalls)
    /// replace each other. Without any, traces are only counted.
    pub fn sink(mut self, sink: impl FnMut(&FinishedTrace) -> io::Result<()> + Send + 'static) -> Self {
        self.sink = Box::new(sink);
        self
    }

    /// Prints each finished trace as a line. Colours where `writer` is `std::io::stdout()` or `stderr()` and that is a
    /// terminal.
    pub fn print_lines<W: Write + Send + 'static>(self, writer: W, format: Format) -> Self {
        let view = view_for(&writer as &dyn Any);
        self.print(writer, Print::Lines(format), view)
    }

    /// Prints each finished trace as a waterfall, an empty line after it. Colours, and the width of the terminal, where
    /// `writer` is `std::io::stdout()` or `stderr()` and that is a terminal; else 100 columns.
    pub fn print_waterfalls<W: Write + Send + 'static>(self, writer: W) -> Self {
        let view = view_for(&writer as &dyn Any);
        self.print(writer, Print::Waterfalls, view)
    }

    fn print<W: Write + Send + 'static>(self, writer: W, print: Print, view: View) -> Self {
        let mut printer = Printer::new(writer, print, view);
        self.sink(move |finished| printer.show(finished))
    }

    /// Calls `notice` with the first rejection or loss of each cause, instead of a warning through `tracing`.
    pub(crate) fn notice(mut self, notice: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.notice = Box::new(notice);
        self
    }

    /// Binds the address and starts the two threads.
    ///
    /// # Errors
    /// [`StartError::AddrInUse`] where another program listens there; [`StartError::Bind`] where the address is none of
    /// this machine; [`StartError::System`] where it gives no threads.
    pub fn start(self) -> Result<LocalDaemon, StartError> {
        let Self { udp, limits, sink, notice } = self;
        let socket = bind(&udp)?;
        let udp_addr = socket.local_addr().map_err(StartError::System)?;
        let (receiver, stop) = Receiver::new(socket).map_err(StartError::System)?;
        let shared = Arc::new(Shared { counters: Counters::default(), queued: AtomicUsize::new(0), notice });
        let (sender, queue) = sync_channel(QUEUE_DOCUMENTS);

        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let for_receiver = shared.clone();
        // A failure from here on drops `stop` and the queue's ends, at which a thread that was started ends.
        let receiving = thread("xray-receive")
            .spawn(move || receiver.run(|datagram| for_receiver.accept(datagram, &sender)))
            .map_err(StartError::System)?;
        let show = Show { shared: shared.clone(), assembler: Assembler::new(limits), sink };
        let showing = thread("xray-show").spawn(move || show.run(&queue)).map_err(StartError::System)?;
        Ok(LocalDaemon { udp_addr, shared, stop: Some(stop), threads: vec![receiving, showing] })
    }
}

fn bind(addr: &str) -> Result<UdpSocket, StartError> {
    let socket =
        addr.to_socket_addrs().and_then(|addrs| UdpSocket::bind(addrs.collect::<Vec<_>>().as_slice()));
    socket.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddrInUse { addr: addr.to_owned() },
        _ => StartError::Bind { addr: addr.to_owned(), source },
    })
}

/// A daemon inside this program: it listens on UDP as the AWS daemon does, and shows each trace when it is finished.
/// Dropping it, or [`shutdown`](Self::shutdown), shows what is pending and ends it.
///
/// ```no_run
/// use xray_daemon::{LocalDaemon, StartError};
///
/// let daemon = match LocalDaemon::builder().udp("127.0.0.1:2000").print_waterfalls(std::io::stdout()).start() {
///     Ok(daemon) => Some(daemon),
///     Err(StartError::AddrInUse { .. }) => None, // another daemon shows them
///     Err(error) => return Err(error),
/// };
/// # Ok::<(), StartError>(())
/// ```
#[derive(Debug)]
#[must_use = "the daemon ends when this is dropped"]
pub struct LocalDaemon {
    udp_addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl LocalDaemon {
    /// Settings: [`DEFAULT_UDP`], the default [`Limits`], no sink.
    pub fn builder() -> Builder {
        Builder {
            udp: DEFAULT_UDP.to_owned(),
            limits: Limits::default(),
            sink: Box::new(|_| Ok(())),
            notice: Box::new(|text| tracing::warn!("{text}")),
        }
    }

    /// The address it listens on, with the port that was chosen where 0 was asked for.
    pub fn udp_addr(&self) -> SocketAddr {
        self.udp_addr
    }

    /// What was received, shown and lost so far.
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }

    /// Reads what has arrived, shows what is pending, finished or not, ends the threads, and tells the final figures.
    pub fn shutdown(mut self) -> Stats {
        self.end();
        self.stats()
    }

    fn end(&mut self) {
        self.stop = None;
        for thread in self.threads.drain(..) {
            // A sink may hold the daemon and drop it on the daemon's own thread, which cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for LocalDaemon {
    fn drop(&mut self) {
        self.end();
    }
}

/// A document on its way from the one thread to the other.
struct Queued {
    body: Box<[u8]>,
    at: Instant,
}

struct Shared {
    counters: Counters,
    /// Bytes of the documents in the queue.
    queued: AtomicUsize,
    notice: Notice,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("stats", &self.counters.stats()).finish_non_exhaustive()
    }
}

impl Shared {
    fn accept(&self, datagram: &[u8], queue: &SyncSender<Queued>) {
        count(&self.counters.received);
        let body = match parse_datagram(datagram) {
            Ok(datagram) => datagram.body,
            Err(reject) => {
                let counter = match reject {
                    Reject::MissingHeader => &self.counters.missing_header,
                    Reject::MissingDocument => &self.counters.missing_document,
                    Reject::InvalidHeader => &self.counters.invalid_header,
                };
                if count(counter) {
                    (self.notice)(&format!("rejected a datagram of {} bytes: {reject}", datagram.len()));
                }
                return;
            }
        };
        let queued = self.queued.fetch_add(body.len(), Ordering::Relaxed);
        let item = Queued { body: body.into(), at: Instant::now() };
        if queued + body.len() > QUEUE_BYTES || queue.try_send(item).is_err() {
            self.queued.fetch_sub(body.len(), Ordering::Relaxed);
            if count(&self.counters.queue_full) {
                (self.notice)("documents come faster than they can be shown; some are dropped, and counted");
            }
        }
    }
}

/// The showing thread.
struct Show {
    shared: Arc<Shared>,
    assembler: Assembler,
    sink: Sink,
}

impl Show {
    fn run(mut self, queue: &Queue<Queued>) {
        loop {
            // While documents wait, it is as late as when the last one came: what is in the queue may still belong to
            // a trace that would else seem quiet.
            match queue.try_recv() {
                Ok(queued) => {
                    let now = self.add(queued);
                    self.show_finished(now);
                    continue;
                }
                Err(TryRecvError::Empty) => self.show_finished(Instant::now()),
                Err(TryRecvError::Disconnected) => break,
            }
            let next = match self.assembler.next_due() {
                Some(due) => queue.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(queued) => {
                    let now = self.add(queued);
                    self.show_finished(now);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        for finished in self.assembler.drain() {
            self.show(&finished);
        }
        self.shared.counters.publish(self.assembler.stats());
    }

    fn add(&mut self, queued: Queued) -> Instant {
        let counters = &self.shared.counters;
        self.shared.queued.fetch_sub(queued.body.len(), Ordering::Relaxed);
        match Document::parse(&queued.body) {
            Ok(document) => self.assembler.add(document, queued.at),
            Err(error) => {
                if count(&counters.invalid_document) {
                    (self.shared.notice)(&format!("rejected a document: {error}"));
                }
            }
        }
        counters.publish(self.assembler.stats());
        queued.at
    }

    fn show_finished(&mut self, now: Instant) {
        while let Some(finished) = self.assembler.next_finished(now) {
            self.shared.counters.publish(self.assembler.stats());
            self.show(&finished);
        }
    }

    fn show(&mut self, finished: &FinishedTrace) {
        let shown = catch_unwind(AssertUnwindSafe(|| (self.sink)(finished)));
        let failure = match shown {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it panicked".to_owned(),
        };
        if count(&self.shared.counters.sink_failed) {
            (self.shared.notice)(&format!("a trace could not be shown: {failure}"));
        }
    }
}
