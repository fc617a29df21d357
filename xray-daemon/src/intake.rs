//! The receiver's way into the relays: framing is checked, documents are put together to batches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::batch::OpenBatch;
use crate::datagram::Reject;
use crate::receiver::Intake;
use crate::relay::RelayQueue;
use crate::stats::DatagramCounts;
use crate::throttle::Throttle;

/// The longest that a document waits for others to travel with, as with AWS's daemon.
const COMPANY: Duration = Duration::from_secs(1);

/// Puts what comes into batches, and these into the queue of each upstream.
pub(crate) struct Batching {
    counts: Arc<DatagramCounts>,
    open: OpenBatch,
    due: Option<Instant>,
    relays: Vec<RelayQueue>,
}

impl Batching {
    pub(crate) fn new(counts: Arc<DatagramCounts>, relays: Vec<RelayQueue>) -> Self {
        Self { counts, open: OpenBatch::new(), due: None, relays }
    }

    fn close(&mut self) {
        self.due = None;
        if let Some(batch) = self.open.close() {
            for relay in &self.relays {
                relay.push(batch.clone());
            }
        }
    }
}

impl Intake for Batching {
    fn datagram(&mut self, datagram: &[u8], at: Instant) {
        match self.counts.take(datagram) {
            Ok(document) => {
                self.open.push(document, at.into());
                if self.open.is_full() {
                    self.close();
                } else if self.due.is_none() {
                    self.due = Some(at + COMPANY);
                }
            }
            Err((reject, _)) => tell(reject, datagram),
        }
    }

    fn due(&mut self, now: Instant) -> Option<Instant> {
        if self.due.is_some_and(|due| due <= now) {
            self.close();
        }
        self.due
    }

    fn end(&mut self) {
        self.close();
    }
}

/// The bytes of a datagram that are told.
const TOLD: usize = 100;

fn tell(reject: Reject, datagram: &[u8]) {
    static MISSING: Throttle = Throttle::new();
    static INVALID: Throttle = Throttle::new();
    let (what, throttle) = match reject {
        Reject::MissingHeader | Reject::MissingDocument => ("Missing header or segment", &MISSING),
        Reject::InvalidHeader => ("Invalid header", &INVALID),
    };
    let Some(more) = throttle.pass() else { return };
    let length = datagram.len();
    let start = String::from_utf8_lossy(datagram.get(..TOLD).unwrap_or(datagram));
    tracing::warn!(target: "xray_daemon", "{what}: {start:?}, {length} bytes: {reject}{more}");
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::{BoxFuture, FutureExt};

    use super::*;
    use crate::batch::{BATCH_DOCUMENTS, Batch};
    use crate::relay::{Relay, RelaySettings};
    use crate::upstream::{Failure, Receipt, Upstream};

    #[derive(Default)]
    struct Sizes(Mutex<Vec<usize>>);

    impl Upstream for Arc<Sizes> {
        fn name(&self) -> &str {
            "sizes"
        }

        fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Receipt, Failure>> {
            self.0.lock().unwrap().push(batch.len());
            std::future::ready(Ok(Receipt::default())).boxed()
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn batches_are_closed_when_full_and_after_a_second() {
        let sizes = Arc::new(Sizes::default());
        let relay = Relay::start(Arc::new(sizes.clone()), RelaySettings::default());
        let counts = Arc::new(DatagramCounts::default());
        let mut intake = Batching::new(counts.clone(), vec![relay.queue()]);
        let start = Instant::now();
        assert_eq!(intake.due(start), None);
        for number in 0..2 * BATCH_DOCUMENTS + 20 {
            let at = start + Duration::from_millis(number as u64);
            intake.datagram(b"{\"format\":\"json\",\"version\":1}\n{}", at);
        }
        intake.datagram(b"junk", start);
        let due = start + Duration::from_millis(2 * BATCH_DOCUMENTS as u64) + COMPANY;
        assert_eq!(intake.due(due - Duration::from_millis(1)), Some(due));
        assert_eq!(intake.due(due), None);
        intake.datagram(b"{\"format\":\"json\",\"version\":1}\n{}", due);
        intake.end();
        assert_eq!(relay.shutdown(Duration::from_secs(1)).await.sent, 121);
        assert_eq!(*sizes.0.lock().unwrap(), [50, 50, 20, 1]);
        assert_eq!(counts.rejected().total(), 1);
    }
}
