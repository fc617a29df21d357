//! Where the program runs, in the `aws` block of its segments.
//!
//! `cargo run -p xray-runtime --example plugins --features eks` prints a segment with what was found here. Neither the start nor the
//! segment waits for plugins; this example does, so that there is something to print.

#![allow(clippy::print_stdout, reason = "it shows what was found")]

use std::error::Error;
use std::time::Duration;

use xray_runtime::{
    BeanstalkPlugin, CloudWatchLogsPlugin, Ec2Plugin, EcsPlugin, EksPlugin, JsonLinesExporter, Recorder,
};

fn main() -> Result<(), Box<dyn Error>> {
    let xray = Recorder::builder()
        .service("somewhere")
        .without_sampling()
        .exporter(JsonLinesExporter::new(std::io::stdout()))
        // The last that finds something names the origin: from the machine to what runs on it.
        .plugin(Ec2Plugin::new())
        .plugin(BeanstalkPlugin::new())
        .plugin(EksPlugin::new())
        .plugin(EcsPlugin::new())
        .plugin(CloudWatchLogsPlugin::new().group("/services/somewhere"))
        .install()?;
    if !xray.wait_for_plugins(Duration::from_secs(15)) {
        println!("some endpoint hangs: the segment goes without it");
    }
    xray.begin_segment("here").end();
    xray.flush(Duration::from_secs(1));
    Ok(())
}
