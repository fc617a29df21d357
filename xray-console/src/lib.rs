//! Assembles X-Ray segment documents into traces, and draws a trace in the terminal.
//!
//! The way of the data: [`Document::parse`] reads one document, an [`Assembler`] collects the documents of a
//! [`Trace`] and says when it is finished, and a [`FinishedTrace`] is drawn as one [line](FinishedTrace::line) or as a
//! [waterfall](FinishedTrace::waterfall). All of it works on data alone: no sockets, no clock, no threads. It knows the
//! documents as any X-Ray SDK sends them, and nothing of the SDK.
//!
//! What a document says is somebody else's text: no control character of it reaches the output.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use xray_console::{Assembler, Document, Limits, View};
//!
//! let text = br#"{"trace_id":"1-5e2b4150-000000000000000000000001","id":"c0ffee0100000001","name":"api",
//!     "start_time":1579893132.0,"end_time":1579893132.12,"http":{"request":{"method":"GET","url":"http://a/home"}}}"#;
//! let mut assembler = Assembler::new(Limits::default());
//! assembler.add(Document::parse(text)?, Instant::now());
//! for finished in assembler.drain() {
//!     assert!(finished.waterfall(View::new()).contains("api GET /home"));
//! }
//! # Ok::<(), xray_console::DocumentError>(())
//! ```
#![forbid(unsafe_code)]

mod assembler;
mod bar;
mod color;
mod document;
mod duration;
mod entity;
mod item_line;
mod json;
mod label;
mod line;
pub mod rollbar;
mod rows;
pub mod sampling;
mod summary;
mod text;
mod trace;
mod view;
mod waterfall;

pub use assembler::{Assembler, AssemblerStats, FinishedTrace, Limits};
pub use document::{Document, DocumentError, MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ENTITIES};
pub use summary::Format;
pub use trace::Trace;
pub use view::{MAX_WIDTH, MIN_WIDTH, View};
