//! Records nothing but failures and slow jobs, tells a listener of each job, and sends what is kept to a Unix socket.
//!
//! ```sh
//! cargo run -p xray-runtime --example failures_only
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use xray_runtime::{
    LateKeep, NoneSampler, Observed, Recorder, SegmentListener, UnixExporter, in_subsegment, xray_capture,
};

/// Says how long each job took, whether it is kept or not.
#[derive(Debug)]
struct Durations;

impl SegmentListener for Durations {
    fn on_begin(&self, begun: &Observed<'_>) {
        begun.put_annotation("release", env!("CARGO_PKG_VERSION"));
    }

    fn after_end(&self, ended: &Observed<'_>) {
        let how = if ended.is_fault() { "failed" } else { "done" };
        println!("{} {how} in {:?}", ended.name().unwrap_or("?"), ended.duration().unwrap_or_default());
    }
}

#[xray_capture(segment)]
fn resize(width: u32) -> Result<u32, &'static str> {
    in_subsegment("decode", || ());
    width.checked_sub(1_000).ok_or("the picture is too small")
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("xray-example-{}.sock", std::process::id()));
    // In the place of an agent on this machine.
    let agent = UnixDatagram::bind(&path)?;
    agent.set_read_timeout(Some(Duration::from_secs(5)))?;

    let recorder = Recorder::builder()
        .service("pictures")
        .sampler(NoneSampler)
        .late_keep(LateKeep::new().slower_than(Duration::from_secs(2)).per_second(10))
        .listener(Durations)
        .heartbeat(Duration::from_secs(30))
        .skip_path("/health*")
        .exporter(UnixExporter::new(&path))
        .install()?;
    for width in [1_920, 640, 1_024] {
        // The failure is in the trace.
        let _ = resize(width);
    }
    recorder.flush(Duration::from_secs(2));

    let mut datagram = vec![0; 65_536];
    let size = agent.recv(&mut datagram)?;
    println!("{}", String::from_utf8_lossy(&datagram[..size]).trim_end());
    let stats = recorder.stats();
    println!("{} of {} jobs kept", stats.segments_kept_late, stats.segments);
    std::fs::remove_file(&path)?;
    Ok(())
}
