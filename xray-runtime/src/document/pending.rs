//! Trees that come in parts: streamed, recorded by several threads, too large or too deep for one document.

use std::sync::atomic::Ordering::Relaxed;

use super::entity::{ANNOTATIONS, Place, Writer};
use super::trim::trim;
use super::{DOCUMENT_LIMIT, depth_limit};
use crate::exporter::Batch;
use crate::note::{NOTES_LIMIT, compact, is_worth_a_look};
use crate::record::{Chunk, End, Fact, Index, NO_PARENT, Note, Record, Shipment, flag, index_of};
use crate::recorder::Core;

/// Notes that may wait for their record; it comes with a later shipment.
const WAITING_LIMIT: usize = 4096;

/// Ends that may: they are small, and without one its record stays open.
const WAITING_ENDS_LIMIT: usize = 1 << 16;

/// What is known of a tree and not sent yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// Sorted by index.
    nodes: Vec<Node>,
    waiting_ends: Vec<End>,
    waiting_notes: Vec<Note>,
    pub(super) annotations_left: usize,
    /// The segment went out: what comes now are documents of their own.
    root_sent: bool,
}

#[derive(Debug)]
struct Node {
    index: Index,
    record: Record,
    notes: Vec<Note>,
    /// Notes that were left when those replaced were thrown out last.
    kept: usize,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            waiting_ends: Vec::new(),
            waiting_notes: Vec::new(),
            annotations_left: ANNOTATIONS,
            root_sent: false,
        }
    }
}

/// Nodes in the order of the document, parents first.
struct Order {
    /// Positions in `nodes`.
    at: Vec<usize>,
    depth: Vec<u32>,
    /// How many nodes follow that stand below this one.
    below: Vec<u32>,
    /// The node and all below it have ended.
    closed: Vec<bool>,
}

impl Pending {
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Takes over what a chunk holds.
    pub(super) fn absorb(&mut self, chunk: &mut Chunk) {
        let base = index_of(chunk.base);
        let before = self.nodes.last().map(|node| node.index);
        let records = chunk.records.drain(..).enumerate();
        self.nodes.extend(records.map(|(offset, record)| Node {
            index: base + offset as Index,
            record,
            notes: Vec::new(),
            kept: 0,
        }));
        if before.is_some_and(|last| last >= base) {
            self.nodes.sort_by_key(|node| node.index);
        }
        self.waiting_ends.append(&mut chunk.ends);
        self.waiting_notes.append(&mut chunk.notes);
    }

    fn find(&mut self, index: Index) -> Option<&mut Node> {
        let at = self.nodes.binary_search_by_key(&index, |node| node.index).ok()?;
        self.nodes.get_mut(at)
    }

    /// Gives ends and notes to their nodes; those without one wait for a later shipment.
    pub(super) fn settle(&mut self, core: &Core) {
        for end in std::mem::take(&mut self.waiting_ends) {
            match self.find(end.index) {
                Some(node) => {
                    if node.record.end == 0 {
                        node.record.end = end.end;
                        node.record.flags |= end.flags;
                    }
                }
                None => self.waiting_ends.push(end),
            }
        }
        for note in std::mem::take(&mut self.waiting_notes) {
            match self.find(note.index) {
                Some(node) => {
                    if let Fact::Flags(flags) = note.fact {
                        node.record.flags |= flags;
                    } else {
                        node.record.flags |= flag::FACTS;
                        node.take(note, core);
                    }
                }
                None => self.waiting_notes.push(note),
            }
        }
        let excess = self.waiting_ends.len().saturating_sub(WAITING_ENDS_LIMIT)
            + self.waiting_notes.len().saturating_sub(WAITING_LIMIT);
        if excess > 0 {
            core.counts.late_facts.fetch_add(excess as u64, Relaxed);
            self.waiting_ends.truncate(WAITING_ENDS_LIMIT);
            self.waiting_notes.truncate(WAITING_LIMIT);
        }
    }

    /// A facade is not sent: what stands below it are documents of their own.
    pub(super) fn leave_out_segment(&mut self, core: &Core) {
        let mut lost = 0;
        if self.nodes.first().is_some_and(|node| node.record.parent == NO_PARENT) {
            lost += said(&self.nodes.remove(0).notes);
            // It was counted where it came; nobody will ever get it.
            core.counts.received.fetch_sub(1, Relaxed);
        }
        self.waiting_ends.retain(|end| end.index != 0);
        let of_segment: Vec<Note> = self.waiting_notes.extract_if(.., |note| note.index == 0).collect();
        lost += said(&of_segment);
        if lost > 0 {
            core.counts.refused.fetch_add(lost, Relaxed);
            core.counts.warn_once(|| "what is said of the segment of a Lambda function is not sent: it is Lambda's, say it of a subsegment".into());
        }
    }

    /// Nothing is left that a later shipment could complete.
    pub(super) fn is_done(&self, shipment: Shipment) -> bool {
        self.nodes.is_empty() && (shipment == Shipment::Whole || self.root_sent)
    }

    /// Nothing waits for anything.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.waiting_ends.is_empty() && self.waiting_notes.is_empty()
    }

    /// Counts what is left as lost.
    pub(super) fn give_up(self, core: &Core) {
        let late = self.waiting_ends.len() + self.waiting_notes.len();
        core.counts.late_facts.fetch_add(late as u64, Relaxed);
        core.counts.evicted.fetch_add(self.nodes.len() as u64, Relaxed);
    }

    fn order(&self) -> Order {
        let count = self.nodes.len();
        const NOTHING: usize = usize::MAX;
        let mut by_start: Vec<usize> = (0..count).collect();
        by_start.sort_by_key(|&at| self.nodes[at].record.start);
        let mut first_child = vec![NOTHING; count];
        let mut next_sibling = vec![NOTHING; count];
        let mut first_root = NOTHING;
        // Backwards, so that each list ends up in the order of the starts.
        for &at in by_start.iter().rev() {
            let parent =
                self.nodes.binary_search_by_key(&self.nodes[at].record.parent, |node| node.index).ok();
            let list = match parent {
                Some(parent) => &mut first_child[parent],
                None => &mut first_root,
            };
            next_sibling[at] = std::mem::replace(list, at);
        }
        let mut order = Order {
            at: Vec::with_capacity(count),
            depth: Vec::with_capacity(count),
            below: vec![0; count],
            closed: vec![true; count],
        };
        let mut stack = vec![(first_root, 0)];
        while let Some((mut at, depth)) = stack.pop() {
            // One node, then its children, then its siblings: deep trees need no recursion.
            if at == NOTHING {
                continue;
            }
            order.at.push(at);
            order.depth.push(depth);
            stack.push((next_sibling[at], depth));
            at = first_child[at];
            stack.push((at, depth + 1));
        }
        // Children stand after their parents: backwards, each is complete when its parent asks.
        let mut open_parents: Vec<usize> = Vec::new();
        let mut parent_of = vec![NOTHING; order.at.len()];
        for (position, parent) in parent_of.iter_mut().enumerate() {
            open_parents.truncate(order.depth[position] as usize);
            *parent = open_parents.last().copied().unwrap_or(NOTHING);
            open_parents.push(position);
        }
        for position in (0..order.at.len()).rev() {
            order.closed[position] &= self.nodes[order.at[position]].record.end != 0;
            let parent = parent_of[position];
            if parent != NOTHING {
                order.below[parent] += order.below[position] + 1;
                order.closed[parent] &= order.closed[position];
            }
        }
        order
    }

    /// Writes what is ready and forgets it. With [`Shipment::Part`]: each closed subtree whose parent goes on.
    /// Otherwise everything, what is open as in progress; that stays until it ends.
    pub(super) fn emit(&mut self, writer: &mut Writer<'_>, shipment: Shipment, batch: &mut Batch) {
        let order = self.order();
        let mut sent = vec![false; self.nodes.len()];
        let mut position = 0;
        while position < order.at.len() {
            let node = &self.nodes[order.at[position]];
            let is_segment = node.record.parent == NO_PARENT;
            let ready = match shipment {
                Shipment::Part => order.closed[position] && !is_segment,
                Shipment::Whole => true,
                // Of what was sent as in progress already, only what has ended.
                Shipment::Forced => order.closed[position] || !self.root_sent,
            };
            if !ready {
                let at = order.at[position];
                // With its segment gone, it need not wait for what is below it: that may never end.
                if self.root_sent && self.nodes[at].record.end != 0 {
                    self.alone(at, false, writer, batch);
                    sent[at] = true;
                }
                position += 1;
                continue;
            }
            self.subtree(&order, position, shipment == Shipment::Whole, writer, batch);
            let next = position + 1 + order.below[position] as usize;
            for done in position..next {
                let at = order.at[done];
                sent[at] = self.nodes[at].record.end != 0 || shipment == Shipment::Whole;
            }
            position = next;
        }
        self.root_sent |= shipment != Shipment::Part;
        let mut at = 0;
        self.nodes.retain(|_| {
            at += 1;
            !sent[at - 1]
        });
    }

    /// Writes a subtree as one document, or as several where it is too large or too deep.
    ///
    /// With `last` nothing more will be heard of the tree: what is open in it counts as sent.
    fn subtree(
        &mut self,
        order: &Order,
        position: usize,
        last: bool,
        writer: &mut Writer<'_>,
        batch: &mut Batch,
    ) {
        enum Step {
            Whole(usize),
            Alone(usize),
        }
        let mut steps = vec![Step::Whole(position)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Whole(position) => {
                    let mut cut = Vec::new();
                    if self.document(order, position, last, writer, batch, &mut cut) {
                        steps.extend(cut.into_iter().map(Step::Whole));
                    } else if order.below[position] == 0 {
                        steps.push(Step::Alone(position));
                    } else {
                        // Children first, then the parent alone.
                        steps.push(Step::Alone(position));
                        let mut child = position + 1;
                        let end = position + 1 + order.below[position] as usize;
                        let first = steps.len();
                        while child < end {
                            steps.push(Step::Whole(child));
                            child += 1 + order.below[child] as usize;
                        }
                        steps[first..].reverse();
                    }
                }
                Step::Alone(position) => self.alone(order.at[position], last, writer, batch),
            }
        }
    }

    /// Writes one document; false, with nothing written, where it is too large. What is too deep for it comes back in `cut`.
    fn document(
        &self,
        order: &Order,
        root: usize,
        last: bool,
        writer: &mut Writer<'_>,
        batch: &mut Batch,
        cut: &mut Vec<usize>,
    ) -> bool {
        let left = *writer.annotations_left;
        let start = batch.open();
        let out = &mut batch.bytes;
        let top = order.depth[root];
        let end = root + 1 + order.below[root] as usize;
        // For each open level, whether it has a subsegment already.
        let mut stack: Vec<bool> = Vec::new();
        let mut entities = 0;
        let mut position = root;
        while position < end {
            let node = &self.nodes[order.at[position]];
            let depth = (order.depth[position] - top) as usize;
            if depth > 0 && depth >= depth_limit(&node.notes) {
                cut.push(position);
                position += 1 + order.below[position] as usize;
                continue;
            }
            while stack.len() > depth {
                out.extend_from_slice(if stack.pop() == Some(true) { b"]}" } else { b"}" });
            }
            if let Some(has_children) = stack.last_mut() {
                out.extend_from_slice(if *has_children { b"," } else { b",\"subsegments\":[" });
                *has_children = true;
            }
            let place = if position == root { node.place() } else { Place::Embedded };
            writer.entity(out, node.index, &node.record, &node.notes, place, false);
            entities += u32::from(last || node.record.end != 0);
            stack.push(false);
            position += 1;
            if out.len() - start > DOCUMENT_LIMIT {
                break;
            }
        }
        while let Some(has_children) = stack.pop() {
            out.extend_from_slice(if has_children { b"]}" } else { b"}" });
        }
        if out.len() - start > DOCUMENT_LIMIT {
            out.truncate(start);
            *writer.annotations_left = left;
            return false;
        }
        batch.close(start, entities);
        true
    }

    /// Writes one node without what is below it, cut down where it does not fit.
    fn alone(&mut self, at: usize, last: bool, writer: &mut Writer<'_>, batch: &mut Batch) {
        let Some(node) = self.nodes.get_mut(at) else { return };
        let start = batch.open();
        let place = node.place();
        trim(&mut batch.bytes, start, &mut node.notes, writer, |out, notes, writer| {
            writer.entity(out, node.index, &node.record, notes, place, false);
            out.push(b'}');
        });
        batch.close(start, u32::from(last || node.record.end != 0));
    }
}

/// Of notes, those that the program has put.
fn said(notes: &[Note]) -> u64 {
    let own = |note: &&Note| !matches!(note.fact, Fact::Panic(_) | Fact::SameAs(_) | Fact::Frame(..));
    notes.iter().filter(own).count() as u64
}

impl Node {
    /// Keeps a note; of a segment that runs for long, with a bound.
    fn take(&mut self, note: Note, core: &Core) {
        self.notes.push(note);
        if !is_worth_a_look(&self.notes, self.kept) {
            return;
        }
        let mut bytes = compact(&mut self.notes);
        let before = self.notes.len();
        if bytes > NOTES_LIMIT {
            // The first ones stay, as where the notes are made.
            bytes = 0;
            self.notes.retain(|note| {
                bytes += note.fact.estimate();
                bytes <= NOTES_LIMIT || matches!(note.fact, Fact::Name(_))
            });
        }
        core.counts.late_facts.fetch_add((before - self.notes.len()) as u64, Relaxed);
        self.kept = self.notes.len();
    }

    fn place(&self) -> Place {
        if self.record.parent == NO_PARENT { Place::Segment } else { Place::Subsegment }
    }
}
