//! A piece of work to measure.

use crate::sink::Sink;

/// Work done again and again: a root (a segment) with its children, in one way of instrumenting.
pub struct Scenario {
    pub(crate) spans: u64,
    pub(crate) run: Box<dyn FnMut(u64)>,
    pub(crate) flush: Box<dyn FnMut()>,
    pub(crate) received: Box<dyn Fn() -> u64>,
    pub(crate) lost: Box<dyn Fn() -> u64>,
}

impl Scenario {
    /// `run(n)` makes `n` roots of `spans` spans each, the root included.
    pub fn new(spans: u64, run: impl FnMut(u64) + 'static) -> Scenario {
        Scenario {
            spans,
            run: Box::new(run),
            flush: Box::new(|| ()),
            received: Box::new(|| 0),
            lost: Box::new(|| 0),
        }
    }

    /// How to push everything through to the far end, returning when that is done.
    pub fn flush(mut self, flush: impl FnMut() + 'static) -> Scenario {
        self.flush = Box::new(flush);
        self
    }

    /// How many spans arrived at the far end so far.
    pub fn received(mut self, received: impl Fn() -> u64 + 'static) -> Scenario {
        self.received = Box::new(received);
        self
    }

    /// The far end is `sink`.
    pub fn received_by(self, sink: Sink) -> Scenario {
        self.received(move || sink.spans())
    }

    /// How many spans the peer itself says that it lost so far.
    pub fn lost(mut self, lost: impl Fn() -> u64 + 'static) -> Scenario {
        self.lost = Box::new(lost);
        self
    }
}

/// The parts of a scenario's name: `shape/mode/kCHILDREN`.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    /// `sync`, `async`, `async-yield` (each child is polled twice), `sync-note`, `async-note` (an annotation on each child).
    pub shape: &'a str,
    /// `none` (no root, or no instrumentation), `unsampled`, `disabled`, `sampled`.
    pub mode: &'a str,
    /// Children of a root.
    pub children: u64,
}

impl<'a> Name<'a> {
    /// Splits `shape/mode/kCHILDREN`.
    ///
    /// # Panics
    /// Where the name has another form.
    pub fn parse(name: &'a str) -> Name<'a> {
        let mut parts = name.split('/');
        let (Some(shape), Some(mode), Some(children), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            panic!("a scenario is called shape/mode/kCHILDREN, not {name}")
        };
        let children = children.strip_prefix('k').and_then(|number| number.parse().ok());
        Name { shape, mode, children: children.expect("the third part is k and a number") }
    }
}
