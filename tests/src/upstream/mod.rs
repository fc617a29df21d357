//! A double of the X-Ray API, to hold the daemon against: it verifies every signature, keeps what it is given, and breaks as it
//! is told to.
//!
//! ```
//! use conformance::upstream::{Behaviour, Double, TRACE_SEGMENTS};
//!
//! let double = Double::start()?;
//! // The next two calls fail, then all is well.
//! double.next(TRACE_SEGMENTS, 2, Behaviour::answer(500, "{}"));
//! // .. start a daemon with `--endpoint` and this URL, send it documents ..
//! assert!(double.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(double.account().duplicates(), 0);
//! # Ok::<(), std::io::Error>(())
//! ```

mod account;
mod behaviour;
mod http;
mod server;
pub mod sigv4;
mod state;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

pub use account::{Account, Call, Document};
pub use behaviour::Behaviour;
use server::Command;
use sigv4::Key;
use state::Shared;

/// The path of `PutTraceSegments`.
pub const TRACE_SEGMENTS: &str = "/TraceSegments";

/// The path of `PutTelemetryRecords`.
pub const TELEMETRY_RECORDS: &str = "/TelemetryRecords";

/// The path of `GetSamplingRules`.
pub const SAMPLING_RULES: &str = "/GetSamplingRules";

/// The path of `GetSamplingTargets`.
pub const SAMPLING_TARGETS: &str = "/SamplingTargets";

/// In place of a path: any that nothing was said for.
pub const ANY: &str = "*";

/// The region that requests must be signed for.
pub const REGION: &str = "us-east-1";

/// The access key that is known from the start.
pub const ACCESS_KEY: &str = "AKIDEXAMPLE";

/// Its secret.
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Longer than anything takes that is awaited, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What `GetSamplingRules` answers: the default rule, with a rate of 1.
const DEFAULT_RULES: &str = r#"{"NextToken":null,"SamplingRuleRecords":[{"CreatedAt":0.0,"ModifiedAt":1.6e9,"SamplingRule":{"Attributes":{},"FixedRate":1.0,"HTTPMethod":"*","Host":"*","Priority":10000,"ReservoirSize":1,"ResourceARN":"*","RuleARN":"arn:aws:xray:us-east-1:123456789012:sampling-rule/Default","RuleName":"Default","ServiceName":"*","ServiceType":"*","URLPath":"*","Version":1}}]}"#;

/// A double, on a thread of its own until it is dropped. It listens at a free port of 127.0.0.1.
#[derive(Debug)]
pub struct Double {
    addr: SocketAddr,
    shared: Arc<Shared>,
    commands: Option<UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Double {
    /// Starts one that knows [`ACCESS_KEY`] and [`SECRET_KEY`] in [`REGION`].
    ///
    /// # Errors
    /// When the system gives no port or no thread.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new(REGION, Key::new(ACCESS_KEY, SECRET_KEY)));
        let (commands, receiver) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let for_thread = shared.clone();
        let serve = move || {
            // Without its sockets there is no double, as the test will see.
            let _ = runtime.block_on(server::run(listener, for_thread, receiver));
        };
        let thread = std::thread::Builder::new().name("xray-double".to_owned()).spawn(serve)?;
        Ok(Self { addr, shared, commands: Some(commands), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The same as an endpoint: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Treats the next calls of a path (or [`ANY`]), as many as `times`, like this; after what was said before.
    pub fn next(&self, path: &str, times: usize, behaviour: Behaviour) {
        self.shared.program(path, Some(times), behaviour);
    }

    /// Treats all calls of a path (or [`ANY`]) like this from now on, in place of what was said before.
    pub fn always(&self, path: &str, behaviour: Behaviour) {
        self.shared.forget(Some(path));
        self.shared.program(path, None, behaviour);
    }

    /// Forgets all that was said: does as X-Ray does.
    pub fn heal(&self) {
        self.shared.forget(None);
    }

    /// Resets the next connections when they are accepted, before anything is read.
    pub fn reset_connections(&self, count: usize) {
        self.shared.reset_connections(count);
    }

    /// Answers 413 to batches of more documents.
    pub fn limit_documents(&self, most: Option<usize>) {
        self.shared.limit(most);
    }

    /// Knows further credentials from now on.
    pub fn know(&self, key: Key) {
        self.shared.know(key);
    }

    /// Answers 403 with `ExpiredTokenException` to what is signed with this access key from now on.
    pub fn expire(&self, access_key_id: &str) {
        self.shared.expire(access_key_id);
    }

    /// Nobody listens from now on, and connections end. The port stays ours.
    ///
    /// # Errors
    /// When the system takes the port away.
    pub fn down(&self) -> io::Result<()> {
        self.command(Command::Down)
    }

    /// Listens again.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn up(&self) -> io::Result<()> {
        self.command(Command::Up)
    }

    fn command(&self, command: impl FnOnce(mpsc::Sender<io::Result<()>>) -> Command) -> io::Result<()> {
        let gone = || io::Error::other("the double's thread has ended");
        let (done, is_done) = mpsc::channel();
        let commands = self.commands.as_ref().ok_or_else(gone)?;
        commands.send(command(done)).map_err(|_| gone())?;
        is_done.recv().map_err(|_| gone())?
    }

    /// All that came so far.
    pub fn account(&self) -> Account {
        self.shared.account()
    }

    /// Looks at what came so far, without a copy of it.
    pub fn read<T>(&self, read: impl FnOnce(&Account) -> T) -> T {
        self.shared.read(read)
    }

    /// Waits until something is found in what came.
    ///
    /// # Panics
    /// When it is not within [`PATIENCE`].
    #[track_caller]
    pub fn until<T>(&self, what: &str, find: impl FnMut(&Account) -> Option<T>) -> T {
        match self.shared.wait(find) {
            Some(found) => found,
            None => panic!("{what}: not within {PATIENCE:?}; {}", self.read(summary)),
        }
    }

    /// Waits until at least so many documents were kept; all of them.
    ///
    /// # Panics
    /// When they are not within [`PATIENCE`].
    #[track_caller]
    pub fn received(&self, documents: usize) -> Vec<Document> {
        let find = |account: &Account| (account.kept.len() >= documents).then(|| account.kept.clone());
        self.until(&format!("{documents} documents"), find)
    }

    /// Waits until at least so many calls of a path came; all of them.
    ///
    /// # Panics
    /// When they do not within [`PATIENCE`].
    #[track_caller]
    pub fn requests(&self, path: &str, calls: usize) -> Vec<Call> {
        let find = |account: &Account| {
            let found: Vec<Call> = account.calls_to(path).cloned().collect();
            (found.len() >= calls).then_some(found)
        };
        self.until(&format!("{calls} calls of {path}"), find)
    }
}

fn summary(account: &Account) -> String {
    let calls: Vec<_> = account.calls.iter().map(|call| (call.path(), call.documents, call.status)).collect();
    let shown = &calls[calls.len().saturating_sub(20)..];
    format!("{} documents kept, {} calls, the last of them {shown:?}", account.kept.len(), calls.len())
}

impl Drop for Double {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
