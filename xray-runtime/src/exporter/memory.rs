//! What a recorder of [`Recorder::in_memory`](crate::Recorder::in_memory) has recorded, for assertions in tests.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;

use super::{Batch, Exporter};
use crate::recorder::{Core, Recorder};

/// How long an assertion waits for the exporter's thread; it is done in milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// The documents that a recorder made. Each question flushes first, so that what has ended is there.
///
/// ```
/// use xray_runtime::Recorder;
///
/// let (recorder, captured) = Recorder::in_memory();
/// recorder.enter(|| {
///     let _segment = xray_runtime::begin_segment("checkout");
///     xray_runtime::in_subsegment("charge", || xray_runtime::current().put_annotation("cents", 1250));
/// });
/// let charge = captured.segment("checkout").subsegment("charge");
/// assert_eq!(charge.annotation("cents"), Some(1250.into()));
/// assert!(!charge.is_fault());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Captured {
    documents: Arc<Mutex<Vec<Value>>>,
    recorder: Arc<Mutex<Weak<Core>>>,
}

#[derive(Debug)]
struct MemoryExporter(Arc<Mutex<Vec<Value>>>);

impl Exporter for MemoryExporter {
    fn export(&mut self, batch: &mut Batch) {
        let parsed = batch.documents().filter_map(|document| serde_json::from_str(document.json()).ok());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(parsed);
    }
}

impl Captured {
    pub(crate) fn exporter(&self) -> impl Exporter + use<> {
        MemoryExporter(Arc::clone(&self.documents))
    }

    pub(crate) fn watch(&self, recorder: &Recorder) {
        *self.recorder.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&recorder.core);
    }

    /// All documents so far, in the order in which they were finished.
    pub fn documents(&self) -> Vec<Value> {
        let core = self.recorder.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(core) = core {
            Recorder { core }.flush(DEADLINE);
        }
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the documents so far.
    pub fn clear(&self) {
        self.documents();
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The segments: documents that are no streamed subsegments.
    pub fn segments(&self) -> Vec<CapturedEntity> {
        let documents = self.documents().into_iter();
        documents.filter(|document| document.get("type").is_none()).map(CapturedEntity).collect()
    }

    /// The one segment of this name.
    ///
    /// # Panics
    /// Where there is none, or more than one; the message names those that are there.
    #[track_caller]
    pub fn segment(&self, name: &str) -> CapturedEntity {
        let mut found: Vec<_> =
            self.segments().into_iter().filter(|segment| segment.name() == name).collect();
        match (found.pop(), found.len()) {
            (Some(segment), 0) => segment,
            (_, more) => {
                let names: Vec<String> =
                    self.segments().iter().map(|segment| segment.name().to_owned()).collect();
                let count =
                    if more == 0 { "no segment".to_owned() } else { format!("{} segments", more + 1) };
                panic!("{count} named `{name}`; recorded are {names:?}")
            }
        }
    }

    /// The one segment or subsegment of this name, wherever it stands.
    ///
    /// # Panics
    /// Where there is none, or more than one.
    #[track_caller]
    pub fn entity(&self, name: &str) -> CapturedEntity {
        let mut all = Vec::new();
        for document in self.documents() {
            CapturedEntity(document).walk(&mut |entity| all.push(entity.clone()));
        }
        let names: Vec<String> = all.iter().map(|entity| entity.name().to_owned()).collect();
        let mut found = all.into_iter().filter(|entity| entity.name() == name);
        match (found.next(), found.next()) {
            (Some(entity), None) => entity,
            (None, _) => panic!("nothing named `{name}`; recorded are {names:?}"),
            _ => panic!("more than one named `{name}`; recorded are {names:?}"),
        }
    }
}

/// A segment or subsegment as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct CapturedEntity(Value);

impl CapturedEntity {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        self.0.get(key) == Some(&Value::Bool(true))
    }

    /// The document, as it would go to the daemon.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// Its id, 16 hex digits.
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// The trace's id; empty on a subsegment that is embedded in its parent.
    pub fn trace_id(&self) -> &str {
        self.text("trace_id")
    }

    /// The parent's id; empty on the first segment of a trace and on an embedded subsegment.
    pub fn parent_id(&self) -> &str {
        self.text("parent_id")
    }

    /// An annotation, if it is there.
    pub fn annotation(&self, key: &str) -> Option<Value> {
        self.0.pointer("/annotations")?.get(key).cloned()
    }

    /// An entry of the metadata, if it is there; the namespace of `put_metadata` is `default`.
    pub fn metadata(&self, namespace: &str, key: &str) -> Option<Value> {
        self.0.pointer("/metadata")?.get(namespace)?.get(key).cloned()
    }

    /// Failed for a reason of its own.
    pub fn is_fault(&self) -> bool {
        self.flag("fault")
    }

    /// Failed for a reason of its caller's.
    pub fn is_error(&self) -> bool {
        self.flag("error")
    }

    /// Was throttled.
    pub fn is_throttle(&self) -> bool {
        self.flag("throttle")
    }

    /// Was sent before it ended.
    pub fn is_in_progress(&self) -> bool {
        self.flag("in_progress")
    }

    /// The messages of its exceptions, the outermost first.
    pub fn exceptions(&self) -> Vec<String> {
        let exceptions = self.0.pointer("/cause/exceptions").and_then(Value::as_array);
        let message = |exception: &Value| {
            exception.get("message").and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        exceptions.into_iter().flatten().map(message).collect()
    }

    /// What is embedded directly below it, in the order in which it began.
    pub fn subsegments(&self) -> Vec<Self> {
        let children = self.0.get("subsegments").and_then(Value::as_array);
        children.into_iter().flatten().cloned().map(Self).collect()
    }

    /// The one subsegment of this name directly below it.
    ///
    /// # Panics
    /// Where there is none, or more than one; the message names those that are there.
    #[track_caller]
    pub fn subsegment(&self, name: &str) -> Self {
        let children = self.subsegments();
        let mut found = children.iter().filter(|child| child.name() == name);
        match (found.next(), found.next()) {
            (Some(child), None) => child.clone(),
            (first, _) => {
                let names: Vec<&str> = children.iter().map(Self::name).collect();
                let count = if first.is_none() { "no subsegment" } else { "more than one subsegment" };
                panic!("{count} named `{name}` directly below `{}`; there are {names:?}", self.name())
            }
        }
    }

    fn walk(&self, visit: &mut dyn FnMut(&Self)) {
        visit(self);
        for child in self.subsegments() {
            child.walk(visit);
        }
    }
}
