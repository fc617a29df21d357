//! How a daemon inside a program is set up and started.

use std::any::Any;
use std::io::{self, Write};
use std::net::{TcpListener, ToSocketAddrs, UdpSocket};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use thiserror::Error;
use xray_console::rollbar::{Deploy, Double, Mode, Occurrence, Settings};
use xray_console::sampling::SamplingRules;
use xray_console::{Assembler, FinishedTrace, Format, Limits, View};

use crate::local::{LocalDaemon, LocalObserved};
use crate::printer::{Print, Printer, view_for};
use crate::receiver::Receiver;
use crate::show::{DeploySink, ItemSink, Notice, QUEUE_LENGTH, Shared, Show, ToQueue, ToShow, TraceSink};
use crate::tcp::{self, Gate, Origins, Rollbar, Server};

/// Where every X-Ray SDK sends to unless it is told otherwise.
pub const DEFAULT_UDP: &str = "127.0.0.1:2000";

/// Where the daemon answers HTTP unless it is told otherwise.
pub const DEFAULT_TCP: &str = "127.0.0.1:2000";

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
    /// Another program listens on this address: a daemon, most likely, to which items can be sent as well.
    #[error("TCP {addr} is taken by another program")]
    TcpAddrInUse {
        /// The address, as it was asked for.
        addr: String,
    },
    /// This is no `host:port` of this machine.
    #[error("cannot listen on TCP {addr:?}: {source}")]
    TcpBind {
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
    tcp: Option<String>,
    allowed_hosts: Vec<String>,
    rollbar: Settings,
    faults: bool,
    sampling_rules: Option<Arc<SamplingRules>>,
    limits: Limits,
    trace_sink: TraceSink,
    item_sink: ItemSink,
    deploy_sink: DeploySink,
    notice: Notice,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("udp", &self.udp)
            .field("tcp", &self.tcp)
            .field("allowed_hosts", &self.allowed_hosts)
            .field("rollbar", &self.rollbar)
            .field("faults", &self.faults)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            udp: DEFAULT_UDP.to_owned(),
            tcp: None,
            allowed_hosts: Vec::new(),
            rollbar: Settings::default(),
            faults: false,
            sampling_rules: None,
            limits: Limits::default(),
            trace_sink: Box::new(|_| Ok(())),
            item_sink: Box::new(|_| Ok(())),
            deploy_sink: Box::new(|_| Ok(())),
            notice: Arc::new(|text: &str| tracing::warn!("{text}")),
        }
    }

    /// The UDP address to listen on, `host:port`, IPv4 or `[IPv6]`; port 0 takes a free one. [`DEFAULT_UDP`] if not
    /// given.
    pub fn udp(mut self, addr: impl Into<String>) -> Self {
        self.udp = addr.into();
        self
    }

    /// The TCP address to answer HTTP on, such as [`DEFAULT_TCP`]: Rollbar's API at `/api/1/`, X-Ray's sampling rules and targets,
    /// `/health` and `/metrics`. Without this call there is no TCP server.
    ///
    /// There is no TLS and no authentication: keep it on loopback, or inside a network that you trust.
    pub fn tcp(mut self, addr: impl Into<String>) -> Self {
        self.tcp = Some(addr.into());
        self
    }

    /// One more name under which pages may ask over TCP, beside IP addresses, localhost and the name in
    /// [`tcp`](Self::tcp). Requests of browsers under another name are refused, which is what stops DNS rebinding.
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.allowed_hosts.push(name.into());
        self
    }

    /// Which broken rules make the double of Rollbar's API refuse an item; [`Mode::Lenient`] if not given.
    pub fn rollbar(mut self, mode: Mode) -> Self {
        self.rollbar.mode = mode;
        self
    }

    /// All settings of the double of Rollbar's API: mode, known tokens, limits.
    pub fn rollbar_settings(mut self, settings: Settings) -> Self {
        self.rollbar = settings;
        self
    }

    /// Whether programs of this machine may inject faults into the double of Rollbar's API, with `POST` of a
    /// [`Fault`](xray_console::rollbar::Fault) as JSON, or an array of them, to `/debug/rollbar/faults`; `DELETE` there
    /// forgets them. A program that has the daemon inside can always use [`LocalDaemon::rollbar`].
    pub fn faults(mut self, allowed: bool) -> Self {
        self.faults = allowed;
        self
    }

    /// The rules that samplers are told over TCP; without this call, to sample every request. SDKs ask for them where they
    /// send segments to.
    pub fn sampling_rules(mut self, rules: impl Into<Arc<SamplingRules>>) -> Self {
        self.sampling_rules = Some(rules.into());
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
    /// There is one sink for traces: this, [`print_lines`](Self::print_lines) and
    /// [`print_waterfalls`](Self::print_waterfalls) replace each other. Without any, traces are only counted.
    pub fn sink(mut self, sink: impl FnMut(&FinishedTrace) -> io::Result<()> + Send + 'static) -> Self {
        self.trace_sink = Box::new(sink);
        self
    }

    /// Calls `sink` with each item that Rollbar's API accepted, on the same thread as the traces' sink and in turn with
    /// it. What it fails on is counted.
    ///
    /// There is one sink for items: this and the two `print_` methods replace each other.
    pub fn item_sink(mut self, sink: impl FnMut(&Occurrence) -> io::Result<()> + Send + 'static) -> Self {
        self.item_sink = Box::new(sink);
        self
    }

    /// Calls `sink` with each deploy that Rollbar's API was told, and again when its state changes; as
    /// [`item_sink`](Self::item_sink) else.
    pub fn deploy_sink(mut self, sink: impl FnMut(&Deploy) -> io::Result<()> + Send + 'static) -> Self {
        self.deploy_sink = Box::new(sink);
        self
    }

    /// Prints each finished trace and each item as a line. Colours where `writer` is `std::io::stdout()` or `stderr()`
    /// and that is a terminal.
    pub fn print_lines<W: Write + Send + 'static>(self, writer: W, format: Format) -> Self {
        let view = view_for(&writer as &dyn Any);
        self.print(writer, Print::Lines(format), view)
    }

    /// Prints each finished trace as a waterfall and each item on a few lines, an empty line after it. Colours, and the width
    /// of the terminal, where `writer` is `std::io::stdout()` or `stderr()` and that is a terminal; else 100 columns.
    pub fn print_waterfalls<W: Write + Send + 'static>(self, writer: W) -> Self {
        let view = view_for(&writer as &dyn Any);
        self.print(writer, Print::Waterfalls, view)
    }

    fn print<W: Write + Send + 'static>(self, writer: W, print: Print, view: View) -> Self {
        // Never waited for: all sinks are called on one thread.
        let traces = Arc::new(Mutex::new(Printer::new(writer, print, view)));
        let (items, deploys) = (traces.clone(), traces.clone());
        self.sink(move |finished| traces.lock().unwrap_or_else(PoisonError::into_inner).show(finished))
            .item_sink(move |item| items.lock().unwrap_or_else(PoisonError::into_inner).show_item(item))
            .deploy_sink(move |deploy| {
                deploys.lock().unwrap_or_else(PoisonError::into_inner).show_deploy(deploy)
            })
    }

    /// Calls `notice` with the first rejection or loss of each cause, instead of a warning through `tracing`.
    pub(crate) fn notice(mut self, notice: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.notice = Arc::new(notice);
        self
    }

    /// Binds the addresses and starts the threads.
    ///
    /// # Errors
    /// [`StartError::AddrInUse`] and [`StartError::TcpAddrInUse`] where another program listens there;
    /// [`StartError::Bind`] and [`StartError::TcpBind`] where the address is none of this machine;
    /// [`StartError::System`] where it gives no threads. Nothing is left running then.
    pub fn start(self) -> Result<LocalDaemon, StartError> {
        let Self {
            udp,
            tcp,
            allowed_hosts,
            rollbar,
            faults,
            sampling_rules,
            limits,
            trace_sink,
            item_sink,
            deploy_sink,
            notice,
        } = self;
        let socket = bind_udp(&udp)?;
        let listener = tcp.as_deref().map(bind_tcp).transpose()?;
        let (receiver, stop) = Receiver::new(socket).map_err(StartError::System)?;
        let observer = receiver.observer().map_err(StartError::System)?;
        let udp_addr = observer.addr();
        let shared = Arc::new(Shared::new(notice));
        let (queue, queued) = sync_channel(QUEUE_LENGTH);

        // A failure from here on drops `stop`, the server and the queue's ends, at which a thread that was started ends.
        let double = Arc::new(Double::new(rollbar.clone()));
        let server = match (tcp, listener) {
            (Some(addr), Some(listener)) => {
                let watch = Arc::new(ToShow { shared: shared.clone(), queue: queue.clone() });
                let rollbar = Arc::new(Rollbar::new(double.clone(), &rollbar, watch));
                let gate = Gate {
                    origins: Origins::new(&addr, allowed_hosts.iter().map(String::as_str)),
                    counts: shared.counters.requests.clone(),
                    notice: shared.notice.clone(),
                    answers: "Rollbar's API (items go to /api/1/item/), X-Ray's /GetSamplingRules and /SamplingTargets",
                };
                let rules =
                    sampling_rules.unwrap_or_else(|| Arc::new(SamplingRules::everything(SystemTime::now())));
                let observed = Arc::new(LocalObserved {
                    rules: rules.clone(),
                    shared: shared.clone(),
                    started: Instant::now(),
                    socket: observer,
                });
                let routes = tcp::observe::routes(observed)
                    .merge(tcp::rollbar::routes(rollbar, faults))
                    .merge(tcp::sampling::routes(rules));
                let router = tcp::routes::router(routes, gate);
                Some(Server::start(listener, router).map_err(StartError::System)?)
            }
            _ => None,
        };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let mut intake = ToQueue { shared: shared.clone(), queue };
        let receiving = thread("xray-receive")
            .spawn(move || {
                let _ = receiver.run(&mut intake);
            })
            .map_err(StartError::System)?;
        let show = Show {
            shared: shared.clone(),
            assembler: Assembler::new(limits),
            trace_sink,
            item_sink,
            deploy_sink,
        };
        let showing = thread("xray-show").spawn(move || show.run(&queued)).map_err(StartError::System)?;
        Ok(LocalDaemon::new(udp_addr, server, double, shared, stop, vec![receiving, showing]))
    }
}

pub(crate) fn bind_udp(addr: &str) -> Result<UdpSocket, StartError> {
    let socket =
        addr.to_socket_addrs().and_then(|addrs| UdpSocket::bind(addrs.collect::<Vec<_>>().as_slice()));
    socket.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddrInUse { addr: addr.to_owned() },
        _ => StartError::Bind { addr: addr.to_owned(), source },
    })
}

pub(crate) fn bind_tcp(addr: &str) -> Result<TcpListener, StartError> {
    let listener =
        addr.to_socket_addrs().and_then(|addrs| TcpListener::bind(addrs.collect::<Vec<_>>().as_slice()));
    listener.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::TcpAddrInUse { addr: addr.to_owned() },
        _ => StartError::TcpBind { addr: addr.to_owned(), source },
    })
}
