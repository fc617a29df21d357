//! Segment documents from records: whole trees in one pass, streamed and oversized ones piece by piece.

#[cfg(feature = "aws-sdk")]
mod aws;
mod cause;
mod direct;
mod entity;
mod http;
mod json;
mod name;
mod pending;
mod sql;
mod surroundings;
mod trim;

#[cfg(feature = "aws-sdk")]
pub(crate) use aws::AwsMembers;
pub(crate) use json::nesting;
#[cfg(feature = "plugins")]
pub(crate) use surroundings::Surroundings;

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use crate::clock::{Anchor, Clock};
use crate::exporter::Batch;
use crate::heartbeat::Beat;
use crate::record::{Chunk, Fact, NO_PARENT, Note, Record, Shipment, flag};
use crate::recorder::Core;
use entity::{Place, Writer};
use name::Names;
use pending::Pending;

/// Bytes of a document: what the API takes (64 KiB) less room for the header of the datagram.
pub(crate) const DOCUMENT_LIMIT: usize = 64_000;

/// How deep subsegments nest in one document: readers with a limit of 128 levels of JSON take two for each.
const DEPTH_LIMIT: usize = 60;

/// Levels of JSON that every reader takes (serde_json refuses the 128th).
const NESTING_LIMIT: usize = 127;

/// Levels that the values of an entity's metadata may have at any depth: the 60th entity opens 119 levels, and the
/// metadata, its namespace and the cause's stack are below that.
const NESTING_ANYWHERE: u8 = 5;

/// How deep an entity with these notes may stand in a document.
fn depth_limit(notes: &[Note]) -> usize {
    let nesting = notes.iter().map(|note| match &note.fact {
        Fact::Metadata(entry) => entry.nesting,
        _ => 0,
    });
    match nesting.max() {
        Some(nesting) if nesting > NESTING_ANYWHERE => {
            // The document, `metadata` and the namespace are three levels; each depth is two.
            (NESTING_LIMIT.saturating_sub(3 + usize::from(nesting)) / 2 + 1).min(DEPTH_LIMIT)
        }
        _ => DEPTH_LIMIT,
    }
}

/// Records of trees that go on, over all of them; the largest tree of more is given up and counted.
const PENDING_LIMIT: usize = 500_000;

/// Writes shipments as documents. For the exporter's thread.
#[derive(Debug)]
pub(crate) struct Documents {
    anchor: Anchor,
    names: Names,
    times: json::Times,
    constants: Option<String>,
    /// Trees of which parts were streamed, by their serial.
    pending: HashMap<u32, Pending>,
    pending_records: usize,
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            anchor: Anchor::new(&Clock::new()),
            names: Names::default(),
            times: json::Times::default(),
            constants: None,
            pending: HashMap::new(),
            pending_records: 0,
        }
    }
}

impl Documents {
    /// Follows the wall clock. Once a batch: reading it costs as much as a few entities.
    pub(crate) fn follow_clock(&mut self) {
        self.anchor.refresh();
    }

    /// Writes what a shipment completes, and keeps the rest.
    pub(crate) fn write(&mut self, core: &Core, mut chunk: Box<Chunk>, batch: &mut Batch) {
        let Some(tree) = chunk.tree.take() else { return };
        let mut annotations_left = entity::ANNOTATIONS;
        let of_facade = tree.facade().map(|facade| facade.anchor(&self.anchor));
        let anchor = of_facade.as_ref().unwrap_or(&self.anchor);
        let surroundings = surroundings::surroundings(core);
        let constants =
            self.constants.get_or_insert_with(|| entity::constants(core.settings.service_version.as_deref()));
        let mut writer = Writer {
            tree: &tree,
            anchor,
            names: &mut self.names,
            times: &mut self.times,
            annotations_left: &mut annotations_left,
            constants,
            surroundings: surroundings.as_deref(),
        };
        let whole = chunk.shipment == Shipment::Whole
            && chunk.below.is_none()
            && !tree.streamed.load(Relaxed)
            && of_facade.is_none();
        if whole && direct::write(&mut writer, &mut chunk, batch) {
            core.pool_give(chunk);
            return;
        }

        let shipment = chunk.shipment;
        let pending = self.pending.entry(tree.serial()).or_default();
        annotations_left = pending.annotations_left;
        let before = pending.len();
        let mut next = Some(chunk);
        while let Some(mut chunk) = next {
            next = chunk.below.take();
            pending.absorb(&mut chunk);
            core.pool_give(chunk);
        }
        pending.settle(core);
        if of_facade.is_some() {
            pending.leave_out_segment(core);
        }
        let mut writer = Writer {
            tree: &tree,
            anchor,
            names: &mut self.names,
            times: &mut self.times,
            annotations_left: &mut annotations_left,
            constants,
            surroundings: surroundings.as_deref(),
        };
        pending.emit(&mut writer, shipment, batch);
        pending.annotations_left = annotations_left;
        self.pending_records = self.pending_records + pending.len() - before;
        // Of an invocation that is over, what is left of its work in the background comes bit by bit.
        let is_over = of_facade.is_some() && pending.is_empty() && tree.is_shipped();
        if is_over || pending.is_done(shipment) {
            self.pending_records -= pending.len();
            if let Some(rest) = self.pending.remove(&tree.serial()) {
                rest.give_up(core);
            }
        }
        if self.pending_records > PENDING_LIMIT {
            self.evict(core);
        }
        drop(tree);
    }

    /// Writes a segment that goes on, as in progress: what is known of it before it ends.
    pub(crate) fn write_beat(&mut self, core: &Core, beat: &Beat, batch: &mut Batch) {
        let surroundings = surroundings::surroundings(core);
        let constants =
            self.constants.get_or_insert_with(|| entity::constants(core.settings.service_version.as_deref()));
        let mut writer = Writer {
            tree: &beat.tree,
            anchor: &self.anchor,
            names: &mut self.names,
            times: &mut self.times,
            annotations_left: &mut { entity::ANNOTATIONS },
            constants,
            surroundings: surroundings.as_deref(),
        };
        let record = Record { name: "", start: beat.start, end: 0, parent: NO_PARENT, flags: flag::FACTS };
        let notes = [Note { index: 0, fact: Fact::Name(beat.name.clone()) }];
        let start = batch.open();
        writer.entity(&mut batch.bytes, 0, &record, &notes, Place::Segment, false);
        batch.bytes.push(b'}');
        // Counted when it has ended.
        batch.close(start, 0);
    }

    /// Trees of which something is kept.
    #[cfg(all(test, feature = "lambda"))]
    pub(crate) fn pending_trees(&self) -> usize {
        self.pending.len()
    }

    /// Gives up the tree that holds most.
    #[cold]
    fn evict(&mut self, core: &Core) {
        let largest = self.pending.iter().max_by_key(|(_, pending)| pending.len()).map(|(serial, _)| *serial);
        if let Some(pending) = largest.and_then(|serial| self.pending.remove(&serial)) {
            self.pending_records -= pending.len();
            pending.give_up(core);
            core.counts.warn_once(|| "a segment with very many open subsegments was given up".into());
        }
    }
}
