//! The usual case: one thread recorded the whole tree, so its records stand in the order of the document.

use super::entity::{Place, Writer};
use super::{DEPTH_LIMIT, DOCUMENT_LIMIT};
use crate::exporter::Batch;
use crate::record::{Chunk, Index, NO_PARENT, flag};

/// Writes the chunk as one document in one pass. Returns false, with the batch as it was, where records are out of order or open,
/// nested too deep, or make too large a document.
pub(super) fn write(writer: &mut Writer<'_>, chunk: &mut Chunk, batch: &mut Batch) -> bool {
    if !chunk.ends.is_empty() || chunk.records.first().is_none_or(|root| root.parent != NO_PARENT) {
        return false;
    }
    let base = chunk.base as Index;
    let notes = &mut chunk.notes;
    if !notes.is_sorted_by_key(|note| note.index) {
        // Stable: of two facts of one kind the later wins.
        notes.sort_by_key(|note| note.index);
    }
    let left = *writer.annotations_left;
    let start = batch.open();
    let out = &mut batch.bytes;
    // The open ancestors, and whether each has a subsegment already.
    let mut stack = [(0, false); DEPTH_LIMIT];
    let mut depth = 0;
    let mut noted = 0;
    for (offset, record) in chunk.records.iter().enumerate() {
        let index = base + offset as Index;
        while depth > 0 && stack[depth - 1].0 != record.parent {
            depth -= 1;
            out.extend_from_slice(if stack[depth].1 { b"]}" } else { b"}" });
        }
        let own = if record.flags & flag::FACTS != 0 {
            let from = noted;
            noted += chunk.notes[from..].iter().take_while(|note| note.index == index).count();
            &chunk.notes[from..noted]
        } else {
            &[]
        };
        let fits = if offset == 0 {
            writer.entity(out, index, record, own, Place::Segment);
            true
        } else if depth > 0 && depth < DEPTH_LIMIT {
            let parent = &mut stack[depth - 1].1;
            if *parent {
                out.push(b',');
            } else {
                *parent = true;
                out.extend_from_slice(b",\"subsegments\":[");
            }
            writer.entity(out, index, record, own, Place::Embedded);
            true
        } else {
            false
        };
        if !fits || record.end == 0 || out.len() - start > DOCUMENT_LIMIT {
            out.truncate(start);
            *writer.annotations_left = left;
            return false;
        }
        stack[depth] = (index, false);
        depth += 1;
    }
    while depth > 0 {
        depth -= 1;
        out.extend_from_slice(if stack[depth].1 { b"]}" } else { b"}" });
    }
    if out.len() - start > DOCUMENT_LIMIT {
        out.truncate(start);
        *writer.annotations_left = left;
        return false;
    }
    batch.close(start, chunk.records.len() as u32);
    true
}
