//! An entity that does not fit a document by itself loses what is largest and matters least, and says so.

use std::sync::atomic::Ordering::Relaxed;

use super::DOCUMENT_LIMIT;
use super::entity::{Writer, described};
use super::json;
use xray_error::cut;

use crate::annotation::AnnotationValue;
use crate::record::{Fact, Metadata, Note};

/// What an annotation's text is cut to when nothing else is left to drop.
const SHORT_TEXT: usize = 100;

/// Writes through `write`, and again with less, until the document that begins at `start` fits. In this order go: the largest
/// entries of the metadata, the frames of stacks, the text of a query, the texts of annotations, the
/// annotations.
pub(super) fn trim<'w>(
    out: &mut Vec<u8>,
    start: usize,
    notes: &mut Vec<Note>,
    writer: &mut Writer<'w>,
    mut write: impl FnMut(&mut Vec<u8>, &[Note], &mut Writer<'w>),
) {
    let left = *writer.annotations_left;
    let header = out.len();
    let mut gone: Vec<String> = Vec::new();
    loop {
        out.truncate(header);
        *writer.annotations_left = left;
        write(out, notes, writer);
        let size = out.len() - start;
        if size <= DOCUMENT_LIMIT {
            return;
        }
        // At least one of these shrinks `notes` each time round, so this ends.
        let excess = size - DOCUMENT_LIMIT;
        if !(drop_metadata(notes, &mut gone, excess)
            || drop_frames(notes, &mut gone)
            || drop_query(notes, &mut gone)
            || cut_annotations(notes, &mut gone)
            || drop_rest(notes, &mut gone))
        {
            return;
        }
        writer.tree.core.counts.truncated.fetch_add(1, Relaxed);
        mark(notes, &gone);
    }
}

/// Drops the largest entries, as many as make up the excess.
fn drop_metadata(notes: &mut Vec<Note>, gone: &mut Vec<String>, excess: usize) -> bool {
    let mut sizes: Vec<(usize, usize)> = notes
        .iter()
        .enumerate()
        .filter_map(|(at, note)| match &note.fact {
            Fact::Metadata(entry) if entry.namespace != MARK_NAMESPACE => Some((entry.json.len(), at)),
            _ => None,
        })
        .collect();
    // One sort for all of them: an entity may have a hundred thousand.
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let mut dropped = 0;
    let mut is_gone = vec![false; notes.len()];
    for (size, at) in sizes {
        if dropped > excess {
            break;
        }
        name(gone, &notes[at].fact);
        is_gone[at] = true;
        dropped += size + 1;
    }
    let mut is_gone = is_gone.into_iter();
    notes.retain(|_| !is_gone.next().unwrap_or_default());
    dropped > 0
}

fn drop_frames(notes: &mut Vec<Note>, gone: &mut Vec<String>) -> bool {
    let mut dropped = false;
    for note in notes.iter_mut() {
        if let Fact::Panic(panic) = &note.fact {
            note.fact = Fact::Exceptions(crate::exception::Cause::from_panic(panic).exceptions);
        }
        if let Fact::Exceptions(exceptions) = &mut note.fact {
            let frames: usize = exceptions.iter().map(|exception| exception.stack.len()).sum();
            if frames > 0 {
                dropped = true;
                for exception in exceptions {
                    exception.truncated += exception.stack.len() as u32;
                    exception.stack.clear();
                }
            }
        }
    }
    let before = notes.len();
    notes.retain(|note| !matches!(note.fact, Fact::Frame(..) | Fact::Stack(..)));
    dropped |= notes.len() < before;
    if dropped {
        gone.push("cause.exceptions.stack".into());
    }
    dropped
}

fn drop_query(notes: &mut Vec<Note>, gone: &mut Vec<String>) -> bool {
    let before = notes.len();
    notes.retain(|note| {
        let keep = !matches!(note.fact, Fact::Query(_));
        if !keep {
            name(gone, &note.fact);
        }
        keep
    });
    notes.len() < before
}

fn cut_annotations(notes: &mut [Note], gone: &mut Vec<String>) -> bool {
    let mut done = false;
    for note in notes {
        if let Fact::Annotation(key, AnnotationValue::String(text)) = &mut note.fact
            && text.len() > SHORT_TEXT
        {
            let kept = cut(text, SHORT_TEXT).len();
            if kept < text.len() {
                text.truncate(kept);
                gone.push(format!("annotations.{key}"));
                done = true;
            }
        }
    }
    done
}

/// The last resort: the name, the times and the flags stay.
fn drop_rest(notes: &mut Vec<Note>, gone: &mut Vec<String>) -> bool {
    let before = notes.len();
    notes.retain(|note| {
        let keep = match &note.fact {
            Fact::Name(_)
            | Fact::Sql(_)
            | Fact::Preparation(_)
            | Fact::SamplingRule(_)
            | Fact::Origin(_)
            | Fact::Response(_) => true,
            Fact::Metadata(entry) => entry.namespace == MARK_NAMESPACE,
            _ => false,
        };
        if !keep {
            name(gone, &note.fact);
        }
        keep
    });
    notes.len() < before
}

fn name(gone: &mut Vec<String>, fact: &Fact) {
    gone.extend(described(fact).map(std::borrow::Cow::into_owned));
}

/// Where the document says what it lacks: `metadata.xray_runtime.truncated`.
const MARK_NAMESPACE: &str = "xray_runtime";

/// Names in the mark; the number of others follows.
const MARK_NAMES: usize = 20;

fn mark(notes: &mut Vec<Note>, gone: &[String]) {
    let index = notes.first().map(|note| note.index).unwrap_or_default();
    let mut text = vec![b'['];
    for (n, name) in gone.iter().take(MARK_NAMES).enumerate() {
        if n > 0 {
            text.push(b',');
        }
        json::string(&mut text, cut(name, SHORT_TEXT));
    }
    if gone.len() > MARK_NAMES {
        text.extend_from_slice(format!(",\"and {} more\"", gone.len() - MARK_NAMES).as_bytes());
    }
    text.push(b']');
    notes.retain(|note| !matches!(&note.fact, Fact::Metadata(entry) if entry.namespace == MARK_NAMESPACE));
    notes.push(Note {
        index,
        fact: Fact::Metadata(Box::new(Metadata {
            namespace: MARK_NAMESPACE.into(),
            key: "truncated".into(),
            json: String::from_utf8(text).unwrap_or_default().into(),
            nesting: 1,
        })),
    });
}
