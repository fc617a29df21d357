//! One segment or subsegment, as much of it as the console shows.

use std::sync::Arc;

/// Whether an entity was sent as a segment or as a subsegment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Segment,
    Subsegment,
}

/// Whom a subsegment calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Namespace {
    Local,
    Remote,
    Aws,
}

/// X-Ray's health of one entity, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Health {
    Fault,
    Throttle,
    Error,
    Ok,
}

/// One of the `exceptions` of a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) id: Option<Box<str>>,
    pub(crate) kind: Box<str>,
    pub(crate) message: Box<str>,
    /// The innermost frame.
    pub(crate) place: Option<Place>,
}

/// A stack frame: where an exception came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: Box<str>,
    pub(crate) line: Option<u64>,
    pub(crate) label: Box<str>,
}

/// Why an entity failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Cause {
    #[default]
    None,
    Exceptions(Vec<Exception>),
    /// The id of an exception that another entity of the trace holds.
    Reference(Box<str>),
}

/// A segment or subsegment. Times are Unix seconds.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) kind: Kind,
    pub(crate) id: Option<Box<str>>,
    pub(crate) parent_id: Option<Box<str>>,
    /// The entity that this one is nested in, as an index into the entities of the same document.
    pub(crate) container: Option<usize>,
    pub(crate) name: Box<str>,
    pub(crate) start: Option<f64>,
    pub(crate) end: Option<f64>,
    pub(crate) in_progress: bool,
    pub(crate) health: Health,
    pub(crate) namespace: Namespace,
    pub(crate) method: Option<Box<str>>,
    pub(crate) url: Option<Box<str>>,
    pub(crate) status: Option<u16>,
    /// The sanitized query of a database call.
    pub(crate) query: Option<Box<str>>,
    pub(crate) is_sql: bool,
    /// Operation and resource of a call to an AWS service.
    pub(crate) operation: Option<Box<str>>,
    pub(crate) cause: Cause,
    pub(crate) user: Option<Box<str>>,
    /// Key and value, the value as JSON text.
    pub(crate) annotations: Vec<(Box<str>, Box<str>)>,
    /// Namespace, key and value, the value as JSON text.
    pub(crate) metadata: Vec<(Arc<str>, Box<str>, Box<str>)>,
}

impl Entity {
    /// Closed: it has an end and does not say that it is in progress.
    pub(crate) fn is_closed(&self) -> bool {
        self.end.is_some() && !self.in_progress
    }

    pub(crate) fn is_call(&self) -> bool {
        self.kind == Kind::Subsegment && self.namespace != Namespace::Local
    }

    /// Its length in seconds, where start and end are known.
    pub(crate) fn seconds(&self) -> Option<f64> {
        Some((self.end? - self.start?).max(0.0))
    }

    /// About the memory it takes beside the text that it was parsed from.
    pub(crate) fn overhead(&self) -> usize {
        // For each text kept on the heap: about what an allocation costs.
        const ALLOCATION: usize = 16;
        let exception = size_of::<Exception>() + 5 * ALLOCATION;
        let annotation = size_of::<(Box<str>, Box<str>)>() + 2 * ALLOCATION;
        let metadata = size_of::<(Arc<str>, Box<str>, Box<str>)>() + 3 * ALLOCATION;
        size_of::<Self>()
            + self.exceptions().len() * exception
            + self.annotations.len() * annotation
            + self.metadata.len() * metadata
    }

    pub(crate) fn exceptions(&self) -> &[Exception] {
        match &self.cause {
            Cause::Exceptions(exceptions) => exceptions,
            Cause::None | Cause::Reference(_) => &[],
        }
    }
}
