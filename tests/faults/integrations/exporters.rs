use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_types::{SdkConfig, region::Region};
use conformance::upstream::{ACCESS_KEY, Behaviour, Double, REGION, SECRET_KEY, TRACE_SEGMENTS};
use xray_runtime::{
    AllSampler, ApiExporter, Recorder, UnixExporter, begin_segment, in_segment, in_subsegment,
};

use crate::support::SOON;

/// A path for a socket, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("xray-faults-{}-{}.sock", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn recorder(&self) -> Recorder {
        let exporter = UnixExporter::new(&self.0);
        Recorder::builder().service("s").sampler(AllSampler).exporter(exporter).build().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_unix_socket_nobody_reads_fills_and_what_is_lost_is_counted() {
    let place = Place::new();
    let reader = UnixDatagram::bind(&place.0).unwrap();
    let recorder = place.recorder();
    // In parts: a batch ends with the first that finds no room.
    for _ in 0..3 {
        recorder.enter(|| (0..2_000).for_each(|_| in_segment("s", || in_subsegment("step", || ()))));
        recorder.flush(SOON);
    }
    let stats = recorder.stats();
    assert_eq!(stats.sent + stats.dropped_socket_full, 3 * 4_000, "{stats:?}");
    assert!(stats.dropped_socket_full > 0 && stats.sent > 0, "{stats:?}");
    reader.set_nonblocking(true).unwrap();
    let mut arrived = 0;
    while let Ok(size) = reader.recv(&mut [0; 1_024]) {
        assert!(size > 0);
        arrived += 1;
    }
    assert_eq!(arrived, stats.packets_sent, "what counts as sent is there");
    // Room again: nothing has to be opened anew.
    begin_and_end(&recorder);
    assert_eq!(recorder.stats().sent, stats.sent + 1);
}

fn begin_and_end(recorder: &Recorder) {
    recorder.enter(|| begin_segment("s").end());
    recorder.flush(SOON);
}

#[test]
fn a_unix_socket_that_goes_and_comes_back() {
    let place = Place::new();
    let recorder = place.recorder();
    begin_and_end(&recorder);
    assert_eq!(recorder.stats().dropped_send_failed, 1, "nobody is there");
    for round in 1..=3 {
        let reader = UnixDatagram::bind(&place.0).unwrap();
        begin_and_end(&recorder);
        assert_eq!(recorder.stats().sent, round);
        let mut datagram = [0; 1_024];
        let size = reader.recv(&mut datagram).unwrap();
        assert!(datagram[..size].starts_with(b"{\"format\":\"json\",\"version\":1}\n"));
        drop(reader);
        std::fs::remove_file(&place.0).unwrap();
        // The program goes on; what nobody takes is counted.
        begin_and_end(&recorder);
        assert_eq!(recorder.stats().dropped_send_failed, 1 + round);
    }
}

#[test]
fn a_path_that_is_no_socket() {
    let place = Place::new();
    std::fs::write(&place.0, "a file").unwrap();
    let recorder = place.recorder();
    begin_and_end(&recorder);
    let stats = recorder.stats();
    assert_eq!((stats.dropped_send_failed, stats.sent, stats.pending), (1, 0, 0), "{stats:?}");
}

#[test]
fn a_stream_socket_is_the_wrong_kind() {
    let place = Place::new();
    let _listener = std::os::unix::net::UnixListener::bind(&place.0).unwrap();
    let recorder = place.recorder();
    begin_and_end(&recorder);
    assert_eq!(recorder.stats().dropped_send_failed, 1);
}

/// As the SDK's configuration would be, with the double in the place of AWS.
fn configuration(double: &Double) -> SdkConfig {
    let credentials = Credentials::from_keys(ACCESS_KEY, SECRET_KEY, None);
    SdkConfig::builder()
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(double.url())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

fn to_the_api(configuration: &SdkConfig) -> Recorder {
    let exporter = ApiExporter::new(configuration);
    Recorder::builder().service("s").sampler(AllSampler).exporter(exporter).build().unwrap()
}

/// Longer than the SDK's tries take.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_api_gets_each_document_once_signed_and_fifty_at_a_time() {
    let double = Double::start().unwrap();
    let recorder = to_the_api(&configuration(&double));
    let ids: BTreeSet<String> = recorder.enter(|| {
        let id = |_| begin_segment("s").id().unwrap().to_string();
        (0..1_234).map(id).collect()
    });
    recorder.flush(PATIENCE);
    let stats = recorder.stats();
    assert_eq!((stats.sent, stats.dropped(), stats.pending), (1_234, 0, 0), "{stats:?}");
    let account = double.account();
    let received: BTreeSet<String> = account.kept.iter().filter_map(|document| document.id.clone()).collect();
    assert_eq!(received, ids);
    assert_eq!(account.duplicates(), 0);
    assert!(account.batch_sizes().iter().all(|size| *size <= 50), "{:?}", account.batch_sizes());
}

#[test]
fn what_the_api_refuses_is_counted() {
    let double = Double::start().unwrap();
    let recorder = to_the_api(&configuration(&double));
    // Two documents of a call are not processed.
    double.next(TRACE_SEGMENTS, 1, Behaviour::usual().unprocessed(2));
    recorder.enter(|| (0..10).for_each(|_| begin_segment("s").end()));
    recorder.flush(PATIENCE);
    let stats = recorder.stats();
    assert_eq!(stats.sent + stats.dropped_send_failed, 10, "{stats:?}");
    assert_eq!(stats.dropped_send_failed, 2, "{stats:?}");
    // A refusal that no further try would change.
    double.always(TRACE_SEGMENTS, Behaviour::error(400, "InvalidRequestException"));
    begin_and_end_slowly(&recorder);
    assert_eq!(recorder.stats().dropped_send_failed, 3);
    // A failure that passes is tried again, and so is a call that came too soon.
    let before = recorder.stats();
    for passing in [Behaviour::answer(500, "{}"), Behaviour::error(429, "ThrottledException")] {
        double.heal();
        double.next(TRACE_SEGMENTS, 1, passing);
        begin_and_end_slowly(&recorder);
    }
    assert_eq!(recorder.stats().sent, before.sent + 2);
    // Nobody there at all.
    double.down().unwrap();
    begin_and_end_slowly(&recorder);
    let stats = recorder.stats();
    assert_eq!((stats.dropped_send_failed, stats.pending), (4, 0), "{stats:?}");
    // And there again.
    double.up().unwrap();
    begin_and_end_slowly(&recorder);
    assert_eq!(recorder.stats().sent, before.sent + 3);
}

fn begin_and_end_slowly(recorder: &Recorder) {
    recorder.enter(|| begin_segment("s").end());
    recorder.flush(PATIENCE);
}

#[test]
fn an_api_that_hangs_holds_up_nobody_but_the_exporter() {
    let double = Double::start().unwrap();
    double.always(TRACE_SEGMENTS, Behaviour::hang());
    let recorder = to_the_api(&configuration(&double));
    recorder.enter(|| begin_segment("s").end());
    double.until("a call that hangs", |account| account.calls_to(TRACE_SEGMENTS).next().map(|_| ()));
    recorder.enter(|| (0..100).for_each(|_| in_segment("s", || in_subsegment("step", || ()))));
    let flushed = recorder.flush(Duration::from_millis(10));
    assert_eq!((flushed.sent, flushed.pending), (0, 201), "{flushed:?}");
    double.heal();
}

#[test]
fn without_credentials_or_region_segments_are_lost_and_counted() {
    for configuration in [SdkConfig::builder().build(), {
        let client = aws_smithy_http_client::Builder::new().build_http();
        SdkConfig::builder().region(Region::new(REGION)).http_client(client).build()
    }] {
        let recorder = to_the_api(&configuration);
        begin_and_end_slowly(&recorder);
        let stats = recorder.stats();
        assert_eq!((stats.sent, stats.dropped(), stats.pending), (0, 1, 0), "{stats:?}");
    }
}

#[tokio::test]
async fn a_recorder_may_go_in_async_code() {
    let double = Double::start().unwrap();
    let recorder = to_the_api(&configuration(&double));
    recorder.begin_segment("s").end();
    recorder.flush_async().await;
    assert_eq!(recorder.stats().sent, 1);
    drop(recorder);
    // One that has never exported, too.
    drop(to_the_api(&configuration(&double)));
}
