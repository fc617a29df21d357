//! A handle to a segment or subsegment: what can be said of it while it runs.

use std::borrow::Cow;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use crate::annotation::{AnnotationValue, is_valid_key};
use crate::context;
use crate::error::{self, ErrorClass};
use crate::exception::Cause;
use crate::http::{HttpRequest, HttpResponse, StatusFlags};
use crate::record::{FIRST, Fact, Key, Metadata, UNSAMPLED, flag, index_of};
use crate::recorder::Core;
use crate::trace_header::TraceHeader;
use crate::trace_id::{EntityId, TraceId};
use crate::tree::{Decision, Tree};

/// Bytes of one entry of the metadata; a larger one is refused and counted. A whole document has 64 KB.
const METADATA_LIMIT: usize = 256 * 1024;

/// Levels of arrays and objects of one entry; readers take a document of 127.
const METADATA_NESTING: u8 = 100;

/// A segment or subsegment that runs. Where nothing is recorded (no segment, not sampled, disabled) every call on it is
/// a branch and no more, so that code need not ask.
///
/// Get one with [`current`], [`current_segment`], or from a guard.
#[derive(Clone, Debug)]
pub struct Entity {
    key: Key,
    /// None where the entity is known to be current on this thread, or where there is no segment.
    tree: Option<Arc<Tree>>,
}

/// What the service that a subsegment stands for is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Another service, called over the network.
    Remote,
    /// A service of AWS.
    Aws,
}

/// The segment or subsegment that is current here.
pub fn current() -> Entity {
    Entity::new(context::current(), context::current_tree())
}

/// The segment that is current here, whatever subsegment of it is current. In a function of AWS Lambda, whose segment is Lambda's,
/// the subsegment of the handler.
pub fn current_segment() -> Entity {
    let (current, tree) = (context::current(), context::current_tree());
    let key = match &tree {
        Some(tree) if current >= FIRST => crate::record::sibling_key(current, tree.segment_index()),
        _ => current,
    };
    Entity::new(key, tree)
}

impl Entity {
    pub(crate) fn new(key: Key, tree: Option<Arc<Tree>>) -> Self {
        Self { key, tree }
    }

    /// For an entity that is current on this thread and stays so while the handle lives.
    pub(crate) fn local(key: Key) -> Self {
        Self { key, tree: None }
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn tree(&self) -> Option<&Arc<Tree>> {
        self.tree.as_ref()
    }

    /// Whether what is said of it is recorded: it is of a segment that is sampled.
    pub fn is_recorded(&self) -> bool {
        self.key >= FIRST
    }

    /// Its id; none where it is not recorded.
    pub fn id(&self) -> Option<EntityId> {
        if !self.is_recorded() {
            return None;
        }
        let tree = self.find_tree()?;
        Some(tree.id_of(index_of(self.key)))
    }

    /// The trace's id, recorded or not; none where there is no segment.
    pub fn trace_id(&self) -> Option<TraceId> {
        let tree = self.find_tree()?;
        // Of a request that is skipped only what came with it is known.
        match tree.decision {
            Decision::Skipped => tree.incoming.as_ref()?.trace_id(),
            _ => Some(tree.trace_id),
        }
    }

    /// The header that a call made by this entity carries; none where there is no segment.
    ///
    /// Where the segment is not sampled the trace id goes on all the same, so that logs of all services share it. Where the path is
    /// [skipped](crate::RecorderBuilder::skip_path), it is the header that came in; none where none did.
    pub fn trace_header(&self) -> Option<TraceHeader> {
        let tree = self.find_tree()?;
        if tree.noop {
            let header = TraceHeader::parse(
                "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0",
            );
            return Some(header);
        }
        if tree.decision == Decision::Skipped {
            // A trace of others passes through.
            return tree.incoming.clone().filter(|header| header.trace_id().is_some());
        }
        Some(TraceHeader::outgoing(tree.trace_id, self.id(), tree.tells_sampled(), tree.incoming.as_ref()))
    }

    fn find_tree(&self) -> Option<Arc<Tree>> {
        match &self.tree {
            Some(tree) => Some(Arc::clone(tree)),
            None if self.key < UNSAMPLED => None,
            None => context::current_tree(),
        }
    }

    fn count(&self, add: impl Fn(&Core) -> u64) {
        if let Some(tree) = self.find_tree() {
            add(&tree.core);
        }
    }

    pub(crate) fn note(&self, fact: Fact) {
        context::note_or(self.key, fact, |fact| {
            if let Some(tree) = &self.tree {
                tree.note_from_afar(self.key, fact);
            }
        });
    }

    /// Asks that the segment is kept where it was not sampled, however it ends. Without
    /// [late keep](crate::LateKeep), and where it was sampled, there is nothing to ask.
    ///
    /// ```
    /// use xray_runtime::{LateKeep, NoneSampler, Recorder, begin_segment, current};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = Recorder::builder().sampler(NoneSampler).late_keep(LateKeep::new());
    /// let (recorder, captured) = builder.in_memory()?;
    /// recorder.enter(|| {
    ///     let _order = begin_segment("order");
    ///     current().keep();
    /// });
    /// assert_eq!(captured.segment("order").annotation("kept_late"), Some("asked".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep(&self) {
        if self.is_recorded()
            && let Some(tree) = self.find_tree()
        {
            tree.late.asked.store(true, Relaxed);
        }
    }

    /// Puts an indexed value: filters find it, as in `annotation.cents >= 1000`. The later of one key wins.
    ///
    /// A key has `A-Z a-z 0-9 _`, other characters become `_` (or see
    /// [`annotation_keys`](crate::RecorderBuilder::annotation_keys)); at most 500. A text is cut at 1,000 characters. A segment takes
    /// 50 annotations in all: more become metadata, in the namespace `annotations_overflow`. NaN, infinities
    /// and empty keys are refused and counted.
    pub fn put_annotation(&self, key: impl Into<Cow<'static, str>>, value: impl Into<AnnotationValue>) {
        if self.is_recorded() {
            self.annotate(key.into(), value.into());
        }
    }

    fn annotate(&self, key: Cow<'static, str>, value: AnnotationValue) {
        if value == AnnotationValue::Absent {
            return;
        }
        let Some((value, cut)) = value.into_valid() else {
            return self.count(|core| core.counts.refused.fetch_add(1, Relaxed));
        };
        if cut {
            self.count(|core| core.counts.truncated.fetch_add(1, Relaxed));
        }
        let key = if is_valid_key(&key) { key } else { self.fixed(key) };
        if !key.is_empty() {
            self.note(Fact::Annotation(key, value));
        }
    }

    /// The key as the recorder's policy wants it; empty, and counted, where it refuses.
    #[cold]
    fn fixed(&self, key: Cow<'static, str>) -> Cow<'static, str> {
        let policy = self.find_tree().map(|tree| tree.core.settings.annotation_keys).unwrap_or_default();
        match policy.apply(&key) {
            Some(fixed) => Cow::Owned(fixed.into_owned()),
            None => {
                self.count(|core| core.counts.refused.fetch_add(1, Relaxed));
                Cow::Borrowed("")
            }
        }
    }

    /// Puts a value that is shown but not indexed, in the namespace `default`. It is serialized at once; where that fails or panics the
    /// entry is refused and counted.
    pub fn put_metadata(&self, key: impl Into<Cow<'static, str>>, value: impl Serialize) {
        self.put_metadata_in("default", key, value);
    }

    /// As [`put_metadata`](Self::put_metadata), in a namespace of yours. Namespaces that begin with `AWS.` are X-Ray's own and
    /// refused; one entry has at most 256 KiB of JSON,
    /// nested at most 100 deep.
    pub fn put_metadata_in(
        &self,
        namespace: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
        value: impl Serialize,
    ) {
        if !self.is_recorded() {
            return;
        }
        let mut json = Bounded(Vec::new());
        // The user's serializer must not take the program with it.
        let written = catch_unwind(AssertUnwindSafe(|| serde_json::to_writer(&mut json, &value)));
        let json = match written {
            Ok(Ok(())) => String::from_utf8(json.0).ok(),
            _ => None,
        };
        self.put_json(namespace.into(), key.into(), json);
    }

    fn put_json(&self, namespace: Cow<'static, str>, key: Cow<'static, str>, json: Option<String>) {
        let nesting = json.as_deref().map_or(0, crate::document::nesting);
        match (json, u8::try_from(nesting)) {
            (Some(json), Ok(nesting @ 0..=METADATA_NESTING)) if !namespace.starts_with("AWS.") => {
                self.note(Fact::Metadata(Box::new(Metadata { namespace, key, json: json.into(), nesting })));
            }
            _ => self.count(|core| core.counts.refused.fetch_add(1, Relaxed)),
        }
    }

    /// Says for whom the segment works; filters find it as `user`. At most 250 characters.
    pub fn set_user(&self, user: impl Into<String>) {
        if self.is_recorded() {
            let user = user.into();
            self.note(Fact::User(xray_error::cut(&user, crate::http::MAX_HTTP_TEXT_CHARS).into()));
        }
    }

    /// Says what was asked for over HTTP.
    pub fn set_http_request(&self, request: HttpRequest) {
        self.note(Fact::Request(Box::new(request)));
    }

    /// Says what was answered over HTTP, and sets the flags of its status: for a segment as
    /// [`status`](crate::RecorderBuilder::status) has them, for a subsegment by the rule (4xx error, 429 throttle, 5xx fault).
    pub fn set_http_response(&self, response: HttpResponse) {
        if !self.is_recorded() {
            return;
        }
        if let Some(status) = response.status {
            // What a status of ours means says nothing of one that another service answers with.
            let is_segment = index_of(self.key) == 0;
            let overrides = self.find_tree().filter(|_| is_segment);
            self.set_flags(overrides.map_or(StatusFlags::from_http(status), |tree| {
                tree.core.settings.status_overrides.flags(status)
            }));
        }
        self.note(Fact::Response(response));
    }

    /// Sets error, throttle and fault; what is set stays.
    pub fn set_flags(&self, flags: StatusFlags) {
        let bits = [(flags.error, flag::ERROR), (flags.throttle, flag::THROTTLE), (flags.fault, flag::FAULT)];
        self.set_bits(bits.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit));
    }

    pub(crate) fn set_bits(&self, bits: u32) {
        if bits != 0 {
            self.note(Fact::Flags(bits));
        }
    }

    /// Says that the subsegment stands for another service.
    pub fn set_namespace(&self, namespace: Namespace) {
        self.set_bits(match namespace {
            Namespace::Remote => flag::REMOTE,
            Namespace::Aws => flag::AWS,
        });
    }

    /// Says that the called service is expected to send a segment of its own: `http.request.traced`. Without a request nothing is said.
    pub fn set_traced(&self) {
        self.note(Fact::Traced);
    }

    /// Says what the segment runs on, as `AWS::ECS::Container`. For segments only.
    pub fn set_origin(&self, origin: impl Into<Cow<'static, str>>) {
        if self.is_recorded() {
            self.note(Fact::Origin(origin.into()));
        }
    }

    /// Names a subsegment that had to be done before this one.
    pub fn add_precursor_id(&self, id: EntityId) {
        self.note(Fact::Precursor(id));
    }

    /// Records an error with its chain of sources, and sets fault.
    ///
    /// An error that a subsegment below has recorded (its type and text are equal) becomes a reference to that: one error is one
    /// exception, however many functions it passes.
    #[track_caller]
    pub fn record_error<E: Error + ?Sized>(&self, error: &E) {
        self.record_error_as(error, ErrorClass::Fault);
    }

    /// As [`record_error`](Self::record_error), with flags of your choice.
    #[track_caller]
    pub fn record_error_as<E: Error + ?Sized>(&self, error: &E, class: ErrorClass) {
        if self.is_recorded() {
            let cause = error::cause_of(error);
            error::record(self, cause, class.bits(), Some(std::panic::Location::caller().into()));
        }
    }

    /// As [`record_error`](Self::record_error), for an error that the called service answered with.
    #[track_caller]
    pub fn record_remote_error<E: Error + ?Sized>(&self, error: &E, class: ErrorClass) {
        if self.is_recorded() {
            let mut cause = error::cause_of(error);
            for exception in &mut cause.exceptions {
                exception.remote = true;
            }
            error::record(self, cause, class.bits(), Some(std::panic::Location::caller().into()));
        }
    }

    /// Records what went wrong where there is no error value: a type of your choice and a message.
    #[track_caller]
    pub fn record_exception(&self, type_name: &str, message: &str, class: ErrorClass) {
        if self.is_recorded() {
            let cause = Cause::from_message(type_name, message);
            error::record(self, cause, class.bits(), Some(std::panic::Location::caller().into()));
        }
    }
}

/// JSON up to a limit, so that a value without an end takes no memory without one.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > METADATA_LIMIT {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
