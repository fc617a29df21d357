//! The usual case: one thread recorded the whole tree, so its records stand in the order of the document.

use super::entity::{Place, Writer};
use super::{DEPTH_LIMIT, DOCUMENT_LIMIT, depth_limit};
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
    // The open ancestors. The one on top was written last; all others have subsegments.
    let mut stack = [0; DEPTH_LIMIT];
    let mut depth = 0;
    let mut noted = 0;
    for (offset, record) in chunk.records.iter().enumerate() {
        let index = base + offset as Index;
        let own = if record.flags & flag::FACTS != 0 {
            let from = noted;
            noted += chunk.notes[from..].iter().take_while(|note| note.index == index).count();
            &chunk.notes[from..noted]
        } else {
            &[]
        };
        let (place, follows) = match depth {
            0 if offset == 0 => (Place::Segment, false),
            0 | DEPTH_LIMIT => return give_up(writer, batch, start, left),
            _ if stack[depth - 1] == record.parent => {
                out.extend_from_slice(b",\"subsegments\":[");
                (Place::Embedded, false)
            }
            _ => {
                depth -= 1;
                while depth > 0 && stack[depth - 1] != record.parent {
                    out.extend_from_slice(b"}]");
                    depth -= 1;
                }
                if depth == 0 {
                    return give_up(writer, batch, start, left);
                }
                (Place::Embedded, true)
            }
        };
        if !own.is_empty() && depth >= depth_limit(own) {
            return give_up(writer, batch, start, left);
        }
        writer.entity(out, index, record, own, place, follows);
        // Plain entities are small; the end looks at the whole.
        if record.end == 0 || (record.flags != 0 && out.len() - start > DOCUMENT_LIMIT) {
            return give_up(writer, batch, start, left);
        }
        stack[depth] = index;
        depth += 1;
    }
    out.push(b'}');
    for _ in 1..depth {
        out.extend_from_slice(b"]}");
    }
    if out.len() - start > DOCUMENT_LIMIT {
        return give_up(writer, batch, start, left);
    }
    batch.close(start, chunk.records.len() as u32);
    true
}

/// Leaves the batch as it was.
#[cold]
fn give_up(writer: &mut Writer<'_>, batch: &mut Batch, start: usize, left: usize) -> bool {
    batch.bytes.truncate(start);
    *writer.annotations_left = left;
    false
}
