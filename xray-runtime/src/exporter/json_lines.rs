//! Documents as lines of JSON, to a file or a pipe.

use std::io::Write;

use super::{Batch, DropCause, Exporter};

/// Writes each document as one line of JSON.
///
/// ```
/// use xray_runtime::{AllSampler, JsonLinesExporter, Recorder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let recorder = Recorder::builder()
///     .service("orders")
///     .sampler(AllSampler)
///     .exporter(JsonLinesExporter::new(std::io::sink()))
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct JsonLinesExporter<W> {
    writer: W,
    lines: Vec<u8>,
}

impl<W> std::fmt::Debug for JsonLinesExporter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonLinesExporter").finish_non_exhaustive()
    }
}

impl<W: Write + Send> JsonLinesExporter<W> {
    /// Writes to `writer`; a whole batch in one call.
    pub fn new(writer: W) -> Self {
        Self { writer, lines: Vec::new() }
    }
}

impl<W: Write + Send> Exporter for JsonLinesExporter<W> {
    fn export(&mut self, batch: &mut Batch) {
        self.lines.clear();
        for document in batch.documents() {
            self.lines.extend_from_slice(document.json().as_bytes());
            self.lines.push(b'\n');
        }
        if self.writer.write_all(&self.lines).is_err() {
            for index in 0..batch.len() {
                batch.fail(index, DropCause::SendFailed);
            }
        }
    }

    fn flush(&mut self) {
        // What could not be flushed was counted when it was written, or is beyond us.
        let _ = self.writer.flush();
    }
}
