//! Telemetry: a record of each minute, sent to the upstream, and kept where that fails.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{interval_at, timeout};

use crate::relay::{RelayQueue, RelayStats};
use crate::stats::DatagramCounts;
use crate::telemetry::{BackendConnectionErrors, TelemetryRecord};
use crate::upstream::Upstream;

/// How often a record is made, as with AWS's daemon.
const MINUTE: Duration = Duration::from_secs(60);

/// The records that are kept for an upstream that does not answer; of more the oldest goes, as with AWS's daemon.
const KEPT: usize = 30;

/// The records of one request.
const REQUEST: usize = 10;

/// Makes a record of each minute, and keeps those that could not be sent.
#[derive(Debug, Default)]
struct Telemetry {
    last: Totals,
    records: VecDeque<TelemetryRecord>,
}

/// What is counted since the start.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    received: u64,
    /// Framing.
    rejected: u64,
    relay: RelayStats,
}

impl Telemetry {
    /// Makes the record of what happened since the last one. None before the first datagram.
    fn record(&mut self, totals: Totals, now: SystemTime) {
        if totals.received == 0 {
            return;
        }
        let last = std::mem::replace(&mut self.last, totals);
        let since = |count: fn(&Totals) -> u64| count(&totals).saturating_sub(count(&last));
        let error = |count: fn(&BackendConnectionErrors) -> u64| {
            count(&totals.relay.errors).saturating_sub(count(&last.relay.errors))
        };
        if self.records.len() == KEPT {
            self.records.pop_front();
        }
        self.records.push_back(TelemetryRecord {
            timestamp: now.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()),
            segments_received_count: since(|totals| totals.received),
            segments_sent_count: since(|totals| totals.relay.sent),
            segments_spillover_count: since(|totals| totals.relay.dropped.total()),
            segments_rejected_count: since(|totals| totals.rejected + totals.relay.unprocessed),
            backend_connection_errors: BackendConnectionErrors {
                connection_refused_count: error(|errors| errors.connection_refused_count),
                http_code_4xx_count: error(|errors| errors.http_code_4xx_count),
                http_code_5xx_count: error(|errors| errors.http_code_5xx_count),
                other_count: error(|errors| errors.other_count),
                timeout_count: error(|errors| errors.timeout_count),
                unknown_host_count: error(|errors| errors.unknown_host_count),
            },
        });
    }

    /// Sends what is kept; what fails is kept for the next minute.
    async fn send(&mut self, upstream: &dyn Upstream) {
        while !self.records.is_empty() {
            let count = self.records.len().min(REQUEST);
            let records: Vec<TelemetryRecord> = self.records.iter().take(count).cloned().collect();
            match upstream.send_telemetry(&records).await {
                Ok(()) => drop(self.records.drain(..count)),
                Err(failure) => {
                    tracing::debug!(target: "xray_daemon", "Failed to send telemetry {count} record(s). Re-queue records. {failure}");
                    return;
                }
            }
        }
    }
}

/// Makes and sends telemetry once a minute.
pub(super) struct TelemetryTask {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl TelemetryTask {
    pub(super) fn start(upstream: Arc<dyn Upstream>, counts: Arc<DatagramCounts>, relay: RelayQueue) -> Self {
        let totals = move || Totals {
            received: counts.received.load(Ordering::Relaxed),
            rejected: counts.rejected().total(),
            relay: relay.stats(),
        };
        let (end, mut ended) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut telemetry = Telemetry::default();
            let mut minutes = interval_at(tokio::time::Instant::now() + MINUTE, MINUTE);
            let every_minute = async {
                loop {
                    minutes.tick().await;
                    telemetry.record(totals(), SystemTime::now());
                    telemetry.send(&*upstream).await;
                }
            };
            tokio::select! {
                () = every_minute => {}
                _ = &mut ended => {}
            }
            telemetry.record(totals(), SystemTime::now());
            telemetry.send(&*upstream).await;
        });
        Self { end, task }
    }

    /// Sends the last record, if that takes no longer than this.
    pub(super) async fn end(self, grace: Duration) {
        let _ = self.end.send(());
        let _ = timeout(grace, self.task).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::{BoxFuture, FutureExt};

    use super::*;
    use crate::batch::Batch;
    use crate::upstream::{Cause, Failure, Receipt, Verdict};

    /// Takes telemetry where it is told to.
    #[derive(Default)]
    struct Telling {
        fails: Mutex<bool>,
        calls: Mutex<Vec<Vec<TelemetryRecord>>>,
    }

    impl Upstream for Telling {
        fn name(&self) -> &str {
            "telling"
        }

        fn send<'a>(&'a self, _: &'a Batch) -> BoxFuture<'a, Result<Receipt, Failure>> {
            std::future::ready(Ok(Receipt::default())).boxed()
        }

        fn send_telemetry<'a>(
            &'a self,
            records: &'a [TelemetryRecord],
        ) -> BoxFuture<'a, Result<(), Failure>> {
            let failure = || Failure {
                cause: Cause::Other,
                verdict: Verdict::Retry { after: None },
                message: String::new(),
            };
            let result = if *self.fails.lock().unwrap() { Err(failure()) } else { Ok(()) };
            if result.is_ok() {
                self.calls.lock().unwrap().push(records.to_vec());
            }
            std::future::ready(result).boxed()
        }
    }

    fn totals(received: u64, sent: u64) -> Totals {
        let mut relay = RelayStats { sent, ..RelayStats::default() };
        relay.errors.timeout_count = sent / 10;
        Totals { received, rejected: received - sent, relay }
    }

    #[test]
    fn a_record_is_what_happened_since_the_last() {
        let mut telemetry = Telemetry::default();
        telemetry.record(Totals::default(), SystemTime::now());
        assert!(telemetry.records.is_empty(), "nothing before the first datagram");
        telemetry.record(totals(100, 90), SystemTime::now());
        telemetry.record(totals(150, 130), UNIX_EPOCH + Duration::from_millis(1_500));
        let last = telemetry.records.back().unwrap();
        assert_eq!(
            (last.segments_received_count, last.segments_sent_count, last.segments_rejected_count),
            (50, 40, 10)
        );
        assert_eq!((last.backend_connection_errors.timeout_count, last.timestamp), (4, 1.5));
        let json = serde_json::to_value(last).unwrap();
        assert_eq!(json["BackendConnectionErrors"]["HTTPCode4XXCount"], 0);
        assert_eq!(json["BackendConnectionErrors"]["UnknownHostCount"], 0);
        assert_eq!(json["SegmentsSpilloverCount"], 0);
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_kept_thirty_records_of_it() {
        let (mut telemetry, upstream) = (Telemetry::default(), Telling::default());
        *upstream.fails.lock().unwrap() = true;
        for minute in 1..=35 {
            telemetry.record(totals(minute, minute), SystemTime::now());
            telemetry.send(&upstream).await;
        }
        assert_eq!(telemetry.records.len(), KEPT);
        *upstream.fails.lock().unwrap() = false;
        telemetry.send(&upstream).await;
        let sizes: Vec<usize> = upstream.calls.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [10, 10, 10]);
        assert!(telemetry.records.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_each_minute_and_one_at_the_end() {
        let upstream = Arc::new(Telling::default());
        let counts = Arc::new(DatagramCounts::default());
        let relay = crate::relay::Relay::start(upstream.clone(), crate::relay::RelaySettings::default());
        let task = TelemetryTask::start(upstream.clone(), counts.clone(), relay.queue());
        let _ = counts.take(b"junk");
        tokio::time::sleep(MINUTE * 2 + Duration::from_secs(1)).await;
        assert_eq!(upstream.calls.lock().unwrap().len(), 2);
        task.end(Duration::from_secs(1)).await;
        let calls = upstream.calls.lock().unwrap();
        let received: Vec<u64> =
            calls.iter().flatten().map(|record| record.segments_received_count).collect();
        assert_eq!(received, [1, 0, 0]);
        assert_eq!(calls[0][0].segments_rejected_count, 1);
    }
}
