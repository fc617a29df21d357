//! A relay under a virtual clock, before an upstream that does as a script says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::time::{Instant, sleep};
use xray_daemon::batch::Batch;
use xray_daemon::relay::{Relay, RelaySettings, RelayStats};
use xray_daemon::upstream::{Cause, Failure, Receipt, Unprocessed, Upstream, Verdict};

/// What a call comes to.
#[derive(Debug, Clone)]
pub enum Reply {
    Take,
    /// The first documents, as many as this, are refused.
    Unprocessed(usize),
    Fail(Cause, Verdict),
    /// Never ends.
    Hang,
    /// The same, later.
    After(Duration, Box<Reply>),
}

impl Reply {
    pub fn retry(cause: Cause) -> Self {
        Self::Fail(cause, Verdict::Retry { after: None })
    }
}

/// A call that the upstream got.
#[derive(Debug, Clone)]
pub struct Call {
    pub at: Duration,
    pub documents: Vec<String>,
}

type Script = Box<dyn Fn(Duration, &Call) -> Reply + Send + Sync>;

/// The upstream.
pub struct Scripted {
    began: Instant,
    script: Script,
    calls: Mutex<Vec<Call>>,
    /// The numbers of the documents that were taken, in that order.
    taken: Mutex<Vec<usize>>,
}

impl Scripted {
    async fn reply(&self, call: Call, reply: Reply) -> Result<Receipt, Failure> {
        let refused = match reply {
            Reply::Take => 0,
            Reply::Unprocessed(count) => count,
            Reply::Fail(cause, verdict) => {
                return Err(Failure { cause, verdict, message: "as the test wants it".to_owned() });
            }
            Reply::Hang => std::future::pending().await,
            Reply::After(delay, reply) => {
                sleep(delay).await;
                return Box::pin(self.reply(call, *reply)).await;
            }
        };
        let refused = refused.min(call.documents.len());
        let taken = call.documents.iter().skip(refused).map(|number| number.parse::<usize>().unwrap());
        self.taken.lock().unwrap().extend(taken);
        Ok(Receipt { unprocessed: vec![Unprocessed::default(); refused] })
    }
}

impl Upstream for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Receipt, Failure>> {
        let documents =
            batch.documents().map(|document| String::from_utf8_lossy(document).into_owned()).collect();
        let call = Call { at: self.began.elapsed(), documents };
        self.calls.lock().unwrap().push(call.clone());
        let reply = (self.script)(call.at, &call);
        self.reply(call, reply).boxed()
    }
}

/// A relay, and what its upstream got.
pub struct Rig {
    pub relay: Relay,
    upstream: Arc<Scripted>,
    pushed: usize,
}

impl Rig {
    pub fn new(
        settings: RelaySettings,
        script: impl Fn(Duration, &Call) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (calls, taken) = (Mutex::default(), Mutex::default());
        let upstream = Arc::new(Scripted { began: Instant::now(), script: Box::new(script), calls, taken });
        Self { relay: Relay::start(upstream.clone(), settings), upstream, pushed: 0 }
    }

    /// A batch of so many documents of so many bytes, each with its number.
    pub fn push(&mut self, documents: usize, bytes: usize) {
        let batch: Batch = (self.pushed..self.pushed + documents)
            .map(|number| format!("{number:0bytes$}").into_bytes())
            .collect();
        self.pushed += documents;
        self.relay.queue().push(batch);
    }

    pub fn calls(&self) -> Vec<Call> {
        self.upstream.calls.lock().unwrap().clone()
    }

    /// The account so far: every document is in one place, and what counts as sent was taken.
    pub fn stats(&self) -> RelayStats {
        let stats = self.relay.stats();
        let RelayStats { received, sent, unprocessed, dropped, pending, .. } = stats;
        assert_eq!(received, self.pushed as u64, "{stats:?}");
        assert_eq!(received, sent + unprocessed + dropped.total() + pending, "{stats:?}");
        assert_eq!(self.upstream.taken.lock().unwrap().len() as u64, sent, "{stats:?}");
        stats
    }

    /// Ends the relay: its last account, with nothing left, and the numbers of the documents that were taken, each once.
    pub async fn end(self, grace: Duration) -> (RelayStats, Vec<usize>) {
        let stats = self.relay.shutdown(grace).await;
        assert_eq!((stats.pending, stats.queue_batches, stats.queue_bytes), (0, 0, 0), "{stats:?}");
        let taken = std::mem::take(&mut *self.upstream.taken.lock().unwrap());
        let different: BTreeSet<_> = taken.iter().collect();
        assert_eq!((different.len() as u64, taken.len() as u64), (stats.sent, stats.sent), "{stats:?}");
        assert_eq!(stats.received, stats.sent + stats.unprocessed + stats.dropped.total(), "{stats:?}");
        (stats, taken)
    }
}
