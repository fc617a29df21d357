//! From a shipment to the wire: the exporter's thread, and what it hands documents to.

#[cfg(feature = "api-exporter")]
mod api;
mod batch;
mod datagrams;
mod json_lines;
mod memory;
mod sleep;
mod udp;
mod unix;
mod wake;
mod worker;

/// What [`sleep`] is made of.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU32, Ordering};
}

#[cfg(feature = "api-exporter")]
pub use api::ApiExporter;
pub use batch::{Batch, Document, DropCause};
pub use json_lines::JsonLinesExporter;
pub use memory::{Captured, CapturedEntity};
pub use udp::UdpExporter;
pub use unix::UnixExporter;
pub(crate) use wake::Wake;
pub(crate) use worker::Worker;

/// Takes finished documents. It runs on the exporter's own thread: it may block, and a panic in it is caught, counted
/// as a loss, and the next batch goes on.
///
/// ```
/// use xray_runtime::{AllSampler, Batch, Exporter, Recorder};
///
/// #[derive(Debug)]
/// struct Lines(std::sync::mpsc::Sender<String>);
///
/// impl Exporter for Lines {
///     fn export(&mut self, batch: &mut Batch) {
///         for document in batch.documents() {
///             let _ = self.0.send(document.json().to_owned());
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let recorder = Recorder::builder().service("orders").sampler(AllSampler).exporter(Lines(sender)).build()?;
/// recorder.begin_segment("nightly").end();
/// recorder.flush(std::time::Duration::from_secs(1));
/// assert!(receiver.recv()?.contains(r#""name":"nightly""#));
/// # Ok(())
/// # }
/// ```
pub trait Exporter: Send + std::fmt::Debug {
    /// Sends the documents of a batch. What it does not mark with [`Batch::fail`] counts as sent.
    fn export(&mut self, batch: &mut Batch);

    /// Called once all documents of a flush were exported. Does nothing by default.
    fn flush(&mut self) {}
}
