//! What is kept of one segment or subsegment while it runs: a record in a chunk, and facts beside it.

use std::backtrace::Backtrace;
use std::borrow::Cow;
use std::sync::Arc;

use xray_error::{Identity, StackFrame};

use crate::annotation::AnnotationValue;
use crate::clock::Clock;
use crate::exception::Exception;
use crate::http::{HttpRequest, HttpResponse};
use crate::note::NOTES_LIMIT;
use crate::panic::PanicNote;
use crate::sql::{Sql, SqlPreparation};
use crate::trace_id::EntityId;
use crate::tree::Tree;

/// Where a record stands in its tree: the number of its chunk in the upper half, the offset in the lower.
pub(crate) type Index = u32;

/// The parent of a root.
pub(crate) const NO_PARENT: Index = Index::MAX;

/// A tree's serial in the upper half, an index in the lower: names one entity of this process.
pub(crate) type Key = u64;

/// Nothing is current on this thread.
pub(crate) const NONE: Key = 0;

/// Nothing is current on this thread, and that was noticed: the warning about it is not considered again.
pub(crate) const NOTICED: Key = 1;

/// A segment is current, but it is not sampled: nothing is recorded, its trace id still propagates.
pub(crate) const UNSAMPLED: Key = 2;

/// The first key of a real entity; what is below stands for "do not record". The sign bit, so that one test tells.
pub(crate) const FIRST: Key = 1 << 63;

/// How many records a chunk can number.
pub(crate) const CHUNK_LIMIT: usize = 1 << 16;

pub(crate) const fn index_of(key: Key) -> Index {
    key as u32
}

pub(crate) const fn same_tree(a: Key, b: Key) -> bool {
    (a ^ b) >> 32 == 0
}

/// The key of another entity of the same tree.
pub(crate) const fn sibling_key(key: Key, index: Index) -> Key {
    (key & !0xffff_ffff) | index as u64
}

/// Bits of [`Record::flags`].
pub(crate) mod flag {
    pub(crate) const ERROR: u32 = 1;
    pub(crate) const FAULT: u32 = 1 << 1;
    pub(crate) const THROTTLE: u32 = 1 << 2;
    /// The future was dropped before it was done.
    pub(crate) const CANCELLED: u32 = 1 << 3;
    /// Facts about this record stand in the chunk.
    pub(crate) const FACTS: u32 = 1 << 4;
    pub(crate) const REMOTE: u32 = 1 << 5;
    pub(crate) const AWS: u32 = 1 << 6;
    /// What an `Err` of the captured function means; none of them: a fault.
    pub(crate) const ERR_IS_ERROR: u32 = 1 << 7;
    pub(crate) const ERR_IS_THROTTLE: u32 = 1 << 8;
    pub(crate) const ERR_IS_IGNORED: u32 = 1 << 9;
}

/// A segment or subsegment. `Copy` and without a destructor, so that a chunk is cleared by setting a length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// Empty where the name was made at run time: then it stands among the facts.
    pub(crate) name: &'static str,
    /// Raw ticks.
    pub(crate) start: u64,
    /// Raw ticks; 0 while it is open.
    pub(crate) end: u64,
    pub(crate) parent: Index,
    pub(crate) flags: u32,
}

/// The end of a record that stands in another chunk of the same tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) index: Index,
    pub(crate) end: u64,
    pub(crate) flags: u32,
}

/// Something that is known of an entity beyond its record. Later facts of one kind and key win.
#[derive(Debug)]
pub(crate) enum Fact {
    Name(Cow<'static, str>),
    Annotation(Cow<'static, str>, AnnotationValue),
    /// The value is JSON text already.
    Metadata(Box<Metadata>),
    Request(Box<HttpRequest>),
    Response(HttpResponse),
    User(Box<str>),
    /// What was asked of which database; where it has a name, that is the entity's.
    Sql(Arc<Sql>),
    /// The text of a query, without its literals.
    Query(Box<str>),
    /// How the query was prepared.
    Preparation(SqlPreparation),
    /// Members of the block `aws`, as JSON. Each adds to those before.
    #[cfg(feature = "aws-sdk")]
    Aws(bytes::Bytes),
    Origin(Cow<'static, str>),
    Precursor(EntityId),
    SamplingRule(Arc<str>),
    /// Set where the called service is expected to send a segment of its own.
    Traced,
    /// Why it failed: the exceptions, outermost first.
    Exceptions(Vec<Exception>),
    /// The panic that crossed it; its backtrace is resolved on the exporter's thread.
    Panic(Box<PanicNote>),
    /// Why it failed: the exception that a descendant has recorded.
    SameAs(EntityId),
    /// Where an exception was recorded, if it says nothing of that itself; resolved on the exporter's thread.
    Stack(EntityId, Arc<Backtrace>),
    /// One more frame of an exception that passes another captured function.
    Frame(EntityId, Box<StackFrame>),
    /// Flags for a record of another chunk.
    Flags(u32),
}

#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) namespace: Cow<'static, str>,
    pub(crate) key: Cow<'static, str>,
    pub(crate) json: Box<str>,
    /// Levels of arrays and objects in `json`.
    pub(crate) nesting: u8,
}

#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) index: Index,
    pub(crate) fact: Fact,
}

/// The error that was recorded last, to know it again when it passes the callers.
#[derive(Debug)]
pub(crate) struct LastError {
    /// The entity that recorded it, or the one it has reached since.
    pub(crate) reached: Index,
    /// The entity that holds the exceptions.
    pub(crate) holder: Index,
    pub(crate) exception: EntityId,
    pub(crate) identities: Vec<Identity>,
}

/// Records of one tree that one thread writes at a time. It moves between threads whole.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The key of the record at offset 0.
    pub(crate) base: Key,
    pub(crate) clock: Clock,
    pub(crate) records: Vec<Record>,
    /// Begun less ended here, records of other chunks included: the sum over a tree tells what is open.
    pub(crate) open: i32,
    /// Once the chunk holds this many records, an end looks closer: time to stream, or order lost.
    pub(crate) look_at: usize,
    /// Estimated bytes of the notes once they are JSON.
    pub(crate) bytes: usize,
    /// Of these so many may be.
    pub(crate) notes_limit: usize,
    pub(crate) notes: Vec<Note>,
    /// Notes that were left when those replaced were thrown out last.
    pub(crate) kept: usize,
    pub(crate) ends: Vec<End>,
    /// Records that went to the exporter open, and their parents: an end must know what is current after it.
    pub(crate) sent_open: Vec<(Index, Index)>,
    pub(crate) last_error: Option<Box<LastError>>,
    pub(crate) tree: Option<Arc<Tree>>,
    /// What was current on the thread before this chunk was attached.
    pub(crate) outer: Key,
    /// The chunk attached below on the same thread; in a shipment, the next one.
    pub(crate) below: Option<Box<Chunk>>,
    /// An entity ended before its child did: ends walk to the nearest open ancestor.
    pub(crate) disordered: bool,
    /// What the exporter may do with it.
    pub(crate) shipment: Shipment,
}

/// What a chunk means to the exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shipment {
    /// The tree goes on: send what is closed, keep the rest.
    Part,
    /// Everything of the tree is closed.
    Whole,
    /// The segment is closed and has waited long enough for its children.
    Forced,
}

impl Fact {
    /// Bytes of it once it is JSON; an estimate that need not be exact.
    pub(crate) fn estimate(&self) -> usize {
        match self {
            Self::Name(name) => name.len(),
            Self::Annotation(key, value) => key.len() + value.estimate() + 8,
            Self::Metadata(entry) => entry.namespace.len() + entry.key.len() + entry.json.len() + 12,
            Self::Request(request) => {
                let texts = [request.url.as_ref(), request.user_agent.as_ref(), request.client_ip.as_ref()];
                80 + texts.into_iter().flatten().map(String::len).sum::<usize>()
            }
            Self::Response(_) => 48,
            Self::User(user) => user.len() + 10,
            Self::Sql(sql) => sql.estimate(),
            Self::Query(query) => query.len() + 20,
            Self::Preparation(_) => 26,
            #[cfg(feature = "aws-sdk")]
            Self::Aws(members) => members.len() + 9,
            Self::Origin(origin) => origin.len() + 12,
            Self::Precursor(_) => 19,
            Self::SamplingRule(_) | Self::Traced | Self::Flags(_) => 16,
            Self::Exceptions(exceptions) => 256 + 512 * exceptions.len(),
            Self::Panic(_) | Self::Stack(..) => 4096,
            Self::SameAs(_) => 28,
            Self::Frame(..) => 160,
        }
    }
}

impl Chunk {
    pub(crate) fn new() -> Box<Self> {
        Box::new(Self {
            base: NONE,
            clock: Clock::new(),
            // Room for a segment of the default streaming threshold.
            records: Vec::with_capacity(128),
            open: 0,
            look_at: usize::MAX,
            bytes: 0,
            notes_limit: NOTES_LIMIT,
            notes: Vec::new(),
            kept: 0,
            ends: Vec::new(),
            sent_open: Vec::new(),
            last_error: None,
            tree: None,
            outer: NONE,
            below: None,
            disordered: false,
            shipment: Shipment::Part,
        })
    }

    /// Empties it for the pool; the memory stays, unless one large tree made it large.
    pub(crate) fn clear(&mut self) {
        self.base = NONE;
        self.records.clear();
        self.records.shrink_to(1024);
        self.open = 0;
        self.look_at = usize::MAX;
        self.bytes = 0;
        self.notes_limit = NOTES_LIMIT;
        self.notes.clear();
        self.notes.shrink_to(1024);
        self.kept = 0;
        self.ends.clear();
        self.ends.shrink_to(1024);
        self.sent_open.clear();
        self.last_error = None;
        self.tree = None;
        self.outer = NONE;
        self.below = None;
        self.disordered = false;
        self.shipment = Shipment::Part;
    }

    /// The record of a key, where it stands in this chunk.
    #[inline(always)]
    pub(crate) fn record_mut(&mut self, key: Key) -> Option<&mut Record> {
        self.records.get_mut(usize::try_from(key.wrapping_sub(self.base)).ok()?)
    }

    pub(crate) fn record(&self, key: Key) -> Option<&Record> {
        self.records.get(usize::try_from(key.wrapping_sub(self.base)).ok()?)
    }

    /// The parent of a record of this chunk, also of one that was sent while it was open.
    pub(crate) fn parent_of(&self, key: Key) -> Option<Index> {
        match self.record(key) {
            Some(record) => Some(record.parent),
            None => self
                .sent_open
                .iter()
                .rev()
                .find(|(index, _)| *index == index_of(key))
                .map(|(_, parent)| *parent),
        }
    }

    /// Memory that it holds, for the bound of the queue; an estimate.
    pub(crate) fn footprint(&self) -> usize {
        512 + self.records.len() * size_of::<Record>() + self.notes.len() * size_of::<Note>() + self.bytes
    }
}
