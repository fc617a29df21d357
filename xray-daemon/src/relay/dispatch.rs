//! The task that calls the upstream.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::pace::Pace;
use crate::batch::Batch;
use crate::throttle::Throttle;
use crate::upstream::{Failure, Receipt, Unprocessed, Upstream, Verdict};

/// Far enough: a time that never comes.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pub(super) struct Dispatcher {
    shared: Arc<Shared>,
    upstream: Arc<dyn Upstream>,
    most: usize,
    /// Until when the last batches may be sent, once the daemon ends.
    deadline: watch::Receiver<Option<Instant>>,
    /// Whether the end was seen.
    ending: bool,
    pace: Pace,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
}

/// A call that came to its end.
struct Done {
    batch: Batch,
    epoch: u64,
    began: Instant,
    /// None where the upstream panicked.
    result: Option<Result<Receipt, Failure>>,
}

impl Dispatcher {
    pub(super) fn new(
        shared: Arc<Shared>,
        upstream: Arc<dyn Upstream>,
        most: usize,
        deadline: watch::Receiver<Option<Instant>>,
    ) -> Self {
        let (pace, under_way) = (Pace::default(), FuturesUnordered::new());
        Self { shared, upstream, most: most.max(1), deadline, ending: false, pace, under_way }
    }

    pub(super) async fn run(mut self) {
        loop {
            let now = Instant::now();
            // Looked at here and not where it wakes: the last batch may do that first.
            let deadline = *self.deadline.borrow_and_update();
            if deadline.is_some() && !std::mem::replace(&mut self.ending, true) {
                self.pace.hurry();
            }
            while self.under_way.len() < self.most
                && self.pace.may_begin(now)
                && let Some(batch) = self.shared.queue.pop()
            {
                self.call(batch);
            }
            let idle = self.under_way.is_empty() && self.shared.queue.is_empty();
            if deadline.is_some_and(|deadline| idle || deadline <= now) {
                break;
            }
            let pause = self.pace.pause(now);
            tokio::select! {
                Some(done) = self.under_way.next() => self.done(done),
                () = self.shared.queue.changed() => {}
                () = sleep_until(pause.unwrap_or(now + NEVER)), if pause.is_some() => {}
                () = sleep_until(deadline.unwrap_or(now + NEVER)), if deadline.is_some() => {}
                told = self.deadline.changed() => {
                    if told.is_err() {
                        break;
                    }
                }
            }
        }
    }

    fn call(&mut self, batch: Batch) {
        let (upstream, epoch, began) = (self.upstream.clone(), self.pace.begins(), Instant::now());
        let call = async move {
            let result = AssertUnwindSafe(upstream.send(&batch)).catch_unwind().await.ok();
            Done { batch, epoch, began, result }
        };
        self.under_way.push(call.boxed());
    }

    fn done(&mut self, Done { mut batch, epoch, began, result }: Done) {
        let Shared { name, queue, counts } = &*self.shared;
        let documents = batch.len();
        self.pace.ended(epoch);
        let failure = match result {
            Some(Ok(receipt)) => {
                counts.answered(began.elapsed());
                let unprocessed = receipt.unprocessed.len().min(documents);
                counts.sent.add(documents - unprocessed);
                counts.unprocessed.add(unprocessed);
                counts.sent_bytes.add(batch.bytes());
                queue.done(&batch);
                tell_unprocessed(name, &receipt.unprocessed);
                if self.pace.succeeded(epoch) {
                    tell_accepted_again(name);
                }
                tell_sent(documents, began.elapsed());
                return;
            }
            Some(Err(failure)) => failure,
            None => {
                counts.panicked.add(documents);
                queue.done(&batch);
                static PANICKED: Throttle = Throttle::new();
                if let Some(more) = PANICKED.pass() {
                    tracing::error!(
                        target: "xray_daemon",
                        "{name}: a call panicked; {documents} segments are dropped{more}"
                    );
                }
                return;
            }
        };
        counts.failed((!batch.failed).then_some(failure.cause));
        batch.failed = true;
        let why = &failure.message;
        if matches!(failure.verdict, Verdict::Refuse | Verdict::Split) {
            // It answers, and says what of this batch: others may be sent.
            self.pace.succeeded(epoch);
        }
        match failure.verdict {
            Verdict::Retry { after } => {
                let pause = self.pace.failed(epoch, after, Instant::now(), fastrand::f64());
                counts.retried.add(documents);
                queue.put_back(&batch, vec![batch.clone()]);
                static KEPT: Throttle = Throttle::new();
                if let Some(pause) = pause
                    && let Some(more) = KEPT.pass()
                {
                    tracing::error!(
                        target: "xray_daemon",
                        "Sending segment batch failed with: {why}; {} segments are kept, the next attempt is in {:.1} s{more}",
                        queue.held().documents,
                        pause.as_secs_f64()
                    );
                }
            }
            Verdict::Split => match batch.split() {
                Some((first, second)) => {
                    counts.retried.add(documents);
                    queue.put_back(&batch, vec![first, second]);
                    static HALVES: Throttle = Throttle::new();
                    if let Some(more) = HALVES.pass() {
                        tracing::debug!(
                            target: "xray_daemon",
                            "{name}: a batch of {documents} segments is sent in halves: {why}{more}"
                        );
                    }
                }
                None => self.refused(&batch, why),
            },
            Verdict::Refuse => self.refused(&batch, why),
            Verdict::Unanswered => {
                // The next ones would be lost as well: one is enough to find out.
                self.pace.failed(epoch, None, Instant::now(), fastrand::f64());
                counts.unanswered.add(documents);
                queue.done(&batch);
                static UNANSWERED: Throttle = Throttle::new();
                if let Some(more) = UNANSWERED.pass() {
                    tracing::error!(
                        target: "xray_daemon",
                        "Sending segment batch failed with: {why}; {documents} segments are not sent again, because {name} may \
                         have them{more}"
                    );
                }
            }
        }
    }

    fn refused(&self, batch: &Batch, why: &str) {
        let documents = batch.len();
        self.shared.counts.refused.add(documents);
        self.shared.queue.done(batch);
        static REFUSED: Throttle = Throttle::new();
        if let Some(more) = REFUSED.pass() {
            tracing::error!(
                target: "xray_daemon",
                "Sending segment batch failed with: {why}; {documents} segments are dropped, because sending them again would \
                 not help{more}"
            );
        }
    }
}

/// However the task ends, what is left is counted.
impl Drop for Dispatcher {
    fn drop(&mut self) {
        let Shared { name, queue, counts } = &*self.shared;
        let waiting = queue.close();
        let under_way = queue.abandon();
        counts.shutdown.add(waiting + under_way);
        if waiting + under_way > 0 {
            tracing::warn!(
                target: "xray_daemon",
                "{name}: the daemon ends with {} segments that could not be sent; they are dropped",
                waiting + under_way
            );
        }
    }
}

/// The line that tells people that it works, in the words of AWS's daemon.
fn tell_sent(documents: usize, after: Duration) {
    static SENT: Throttle = Throttle::new();
    if let Some(more) = SENT.pass() {
        tracing::info!(
            target: "xray_daemon",
            "Successfully sent batch of {documents} segments ({:.3} seconds){more}",
            after.as_secs_f64()
        );
    }
}

/// Throttled, as an upstream may fail and recover many times a second.
fn tell_accepted_again(name: &str) {
    static AGAIN: Throttle = Throttle::new();
    if let Some(more) = AGAIN.pass() {
        tracing::info!(target: "xray_daemon", "{name}: segments are accepted again{more}");
    }
}

/// Tells of documents that made room for newer ones.
pub(super) fn tell_spillover(name: &str, documents: usize) {
    static SPILLOVER: Throttle = Throttle::new();
    if let Some(more) = SPILLOVER.pass() {
        tracing::warn!(
            target: "xray_daemon",
            "Segment buffer is full. Dropping oldest segment document. Spilling over {documents} segments for {name}; a larger \
             TotalBufferSizeMB holds more{more}"
        );
    }
}

fn tell_unprocessed(name: &str, unprocessed: &[Unprocessed]) {
    let Some(first) = unprocessed.first() else { return };
    static UNPROCESSED: Throttle = Throttle::new();
    if let Some(more) = UNPROCESSED.pass() {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        tracing::warn!(
            target: "xray_daemon",
            "Unprocessed segments: {} of a batch were refused by {name}, the first with id {}: {} {}{more}",
            unprocessed.len(),
            or_none(&first.id),
            or_none(&first.error_code),
            or_none(&first.message)
        );
    }
}
