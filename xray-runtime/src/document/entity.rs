//! One entity as JSON: `{"name":..,"id":..,..` without its subsegments and its last brace.

use std::borrow::Cow;
use std::collections::HashSet;

use super::cause::cause;
use super::http::{http_request, http_response};
use super::json;
use super::name::Names;
use super::surroundings::Surroundings;
use crate::annotation::{AnnotationValue, MAX_ANNOTATIONS};
use crate::clock::Anchor;
use crate::record::{Fact, Index, Metadata, Note, Record, flag};
use crate::tree::Tree;

/// How many notes an entity may have before the later of two is found by hashing.
const FEW: usize = 16;

/// The namespace of the metadata that takes what is more than [`MAX_ANNOTATIONS`].
const OVERFLOW: &str = "annotations_overflow";

/// Where an entity stands, which decides what is written of its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In its parent's `subsegments`.
    Embedded,
    /// A document of its own: a segment.
    Segment,
    /// A document of its own: a subsegment that was streamed or split off.
    Subsegment,
}

/// Writes the entities of one tree.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    pub(super) tree: &'a Tree,
    pub(super) anchor: &'a Anchor,
    pub(super) names: &'a mut Names,
    pub(super) times: &'a mut json::Times,
    /// Annotations that this tree may still have; more become metadata.
    pub(super) annotations_left: &'a mut usize,
    /// `service`, `origin` and the like: the same for each segment of a recorder.
    pub(super) constants: &'a str,
    /// What plugins have found.
    pub(super) surroundings: Option<&'a Surroundings>,
}

pub(super) const ANNOTATIONS: usize = MAX_ANNOTATIONS;

impl Writer<'_> {
    /// Writes an entity; `follows` ends the sibling before it.
    #[inline(always)]
    pub(super) fn entity(
        &mut self,
        out: &mut Vec<u8>,
        index: Index,
        record: &Record,
        notes: &[Note],
        place: Place,
        follows: bool,
    ) {
        let start = self.anchor.unix_micros(record.start);
        // Ticks of two processors may disagree by a little.
        let end = (record.end != 0).then(|| self.anchor.unix_micros(record.end).max(start));
        let id = self.tree.entity_id(index);
        let fallback = &self.tree.core.settings.service;
        if record.name.is_empty() {
            let name = last(notes, |fact| match fact {
                Fact::Name(name) => Some(name.as_ref()),
                Fact::Sql(sql) => sql.name.as_deref(),
                _ => None,
            });
            self.names
                .of_text(name.unwrap_or_default(), fallback)
                .write(out, follows, id, self.times, start, end);
        } else {
            self.names.of_literal(record.name, fallback).write(out, follows, id, self.times, start, end);
        }
        if record.flags != 0 || place != Place::Embedded {
            self.rest(out, record, notes, place);
        }
    }

    /// What a plain subsegment does not have.
    #[inline(never)]
    fn rest(&mut self, out: &mut Vec<u8>, record: &Record, notes: &[Note], place: Place) {
        if place != Place::Embedded {
            self.head(out, record, place);
        }
        self.flags(out, record.flags);
        if !notes.is_empty() || record.flags & flag::CANCELLED != 0 {
            self.facts(out, notes, record.flags & flag::CANCELLED != 0);
        }
        if place == Place::Segment {
            self.segment(out, notes);
        }
    }

    /// What a document of its own needs.
    fn head(&self, out: &mut Vec<u8>, record: &Record, place: Place) {
        // Hex digits and dashes: nothing to escape.
        out.extend_from_slice(b",\"trace_id\":\"");
        out.extend_from_slice(self.tree.trace_id.as_bytes());
        out.push(b'"');
        match place {
            Place::Subsegment => {
                out.extend_from_slice(b",\"type\":\"subsegment\",\"parent_id\":\"");
                out.extend_from_slice(self.tree.id_of(record.parent).as_str().as_bytes());
                out.push(b'"');
            }
            _ => {
                if let Some(parent) = &self.tree.parent_id {
                    json::member(out, "parent_id", parent.as_str());
                }
            }
        }
    }

    fn flags(&self, out: &mut Vec<u8>, flags: u32) {
        if flags & (flag::ERROR | flag::THROTTLE | flag::FAULT | flag::REMOTE | flag::AWS) == 0 {
            return;
        }
        let texts: [(u32, &[u8]); 5] = [
            (flag::ERROR, b",\"error\":true"),
            (flag::THROTTLE, b",\"throttle\":true"),
            (flag::FAULT, b",\"fault\":true"),
            (flag::REMOTE, b",\"namespace\":\"remote\""),
            (flag::AWS, b",\"namespace\":\"aws\""),
        ];
        for (bit, text) in texts {
            if flags & bit != 0 {
                out.extend_from_slice(text);
            }
        }
    }

    fn facts(&mut self, out: &mut Vec<u8>, notes: &[Note], cancelled: bool) {
        let overflow = self.annotations(out, notes, cancelled);
        self.metadata(out, notes, &overflow);
        self.http(out, notes);
        self.sql(out, notes);
        #[cfg(feature = "aws-sdk")]
        super::aws::aws(out, notes);
        if let Some(user) = last(notes, |fact| if let Fact::User(user) = fact { Some(user) } else { None }) {
            json::member(out, "user", user);
        }
        let mut precursors = notes.iter().filter_map(|note| match &note.fact {
            Fact::Precursor(id) => Some(id),
            _ => None,
        });
        if let Some(first) = precursors.next() {
            out.extend_from_slice(b",\"precursor_ids\":[");
            json::string(out, first.as_str());
            for id in precursors {
                out.push(b',');
                json::string(out, id.as_str());
            }
            out.push(b']');
        }
        cause(out, notes);
    }

    /// Writes what fits the tree's limit; returns the rest.
    fn annotations<'n>(
        &mut self,
        out: &mut Vec<u8>,
        notes: &'n [Note],
        cancelled: bool,
    ) -> Vec<(&'n str, &'n AnnotationValue)> {
        let mut separator: &[u8] = b",\"annotations\":{";
        if cancelled {
            // Not counted: it says why there is little else.
            out.extend_from_slice(separator);
            out.extend_from_slice(b"\"cancelled\":true");
            separator = b",";
        }
        let mut overflow = Vec::new();
        each_last(
            notes,
            |fact| if let Fact::Annotation(key, value) = fact { Some((key.as_ref(), value)) } else { None },
            |(key, _)| *key,
            |(key, value)| {
                if cancelled && key == "cancelled" {
                    return;
                }
                if *self.annotations_left == 0 {
                    overflow.push((key, value));
                    return;
                }
                *self.annotations_left -= 1;
                out.extend_from_slice(separator);
                separator = b",";
                json::string(out, key);
                out.push(b':');
                annotation_value(out, value);
            },
        );
        if separator.len() == 1 {
            out.push(b'}');
        }
        overflow
    }

    fn metadata(&self, out: &mut Vec<u8>, notes: &[Note], overflow: &[(&str, &AnnotationValue)]) {
        let mut entries: Vec<&Metadata> = Vec::new();
        each_last(
            notes,
            |fact| if let Fact::Metadata(entry) = fact { Some(entry.as_ref()) } else { None },
            |entry| (entry.namespace.as_ref(), entry.key.as_ref()),
            |entry| entries.push(entry),
        );
        if entries.is_empty() && overflow.is_empty() {
            return;
        }
        let in_the_way: Vec<&Metadata> = if overflow.is_empty() {
            Vec::new()
        } else {
            entries.extract_if(.., |entry| entry.namespace == OVERFLOW).collect()
        };
        // Stable: within a namespace they keep the order in which they were put.
        entries.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        out.extend_from_slice(b",\"metadata\":{");
        let mut namespace: Option<&str> = None;
        for entry in entries {
            if namespace == Some(entry.namespace.as_ref()) {
                out.push(b',');
            } else {
                if namespace.is_some() {
                    out.extend_from_slice(b"},");
                }
                json::string(out, &entry.namespace);
                out.extend_from_slice(b":{");
                namespace = Some(&entry.namespace);
            }
            json::string(out, &entry.key);
            out.push(b':');
            out.extend_from_slice(entry.json.as_bytes());
        }
        if !overflow.is_empty() {
            if namespace.is_some() {
                out.extend_from_slice(b"},");
            }
            out.push(b'"');
            out.extend_from_slice(OVERFLOW.as_bytes());
            out.extend_from_slice(b"\":{");
            let mut first = true;
            // The user's own entries of this namespace, then what did not fit.
            for entry in &in_the_way {
                separate(out, &mut first);
                json::string(out, &entry.key);
                out.push(b':');
                out.extend_from_slice(entry.json.as_bytes());
            }
            for (key, value) in
                overflow.iter().filter(|(key, _)| in_the_way.iter().all(|entry| entry.key != *key))
            {
                separate(out, &mut first);
                json::string(out, key);
                out.push(b':');
                annotation_value(out, value);
            }
        }
        out.extend_from_slice(b"}}");
    }

    fn http(&self, out: &mut Vec<u8>, notes: &[Note]) {
        let request =
            last(notes, |fact| if let Fact::Request(request) = fact { Some(request.as_ref()) } else { None });
        let response =
            last(notes, |fact| if let Fact::Response(response) = fact { Some(response) } else { None });
        if request.is_none() && response.is_none() {
            return;
        }
        out.extend_from_slice(b",\"http\":{");
        if let Some(request) = request {
            http_request(out, request, notes.iter().any(|note| matches!(note.fact, Fact::Traced)));
        }
        if let Some(response) = response {
            if request.is_some() {
                out.push(b',');
            }
            http_response(out, *response);
        }
        out.push(b'}');
    }

    fn sql(&self, out: &mut Vec<u8>, notes: &[Note]) {
        let sql = last(notes, |fact| if let Fact::Sql(sql) = fact { Some(sql.as_ref()) } else { None });
        let query =
            last(notes, |fact| if let Fact::Query(query) = fact { Some(query.as_ref()) } else { None });
        if sql.is_some() || query.is_some() {
            let preparation = last(notes, |fact| match fact {
                Fact::Preparation(preparation) => Some(preparation.as_str()),
                _ => None,
            });
            super::sql::sql(out, sql, query, preparation);
        }
    }

    fn segment(&self, out: &mut Vec<u8>, notes: &[Note]) {
        if let Some(origin) =
            last(notes, |fact| if let Fact::Origin(origin) = fact { Some(origin) } else { None })
        {
            json::member(out, "origin", origin);
        } else if let Some(origin) = &self.tree.core.settings.origin {
            json::member(out, "origin", origin);
        } else if let Some(origin) = self.surroundings.and_then(|known| known.origin.as_ref()) {
            json::member(out, "origin", origin);
        }
        out.extend_from_slice(self.constants.as_bytes());
        if let Some(rule) =
            last(notes, |fact| if let Fact::SamplingRule(rule) = fact { Some(rule) } else { None })
        {
            json::member(out, "sampling_rule_name", rule);
        }
        match self.surroundings {
            None => out.extend_from_slice(b"}}"),
            Some(known) => {
                out.push(b'}');
                out.extend_from_slice(known.aws.as_bytes());
                out.push(b'}');
            }
        }
    }
}

/// `service` and `aws` up to where the sampling rule's name may follow: the same for each segment of a recorder.
pub(super) fn constants(service_version: Option<&str>) -> String {
    let mut out = Vec::new();
    out.extend_from_slice(b",\"service\":{\"runtime\":\"rustc\"");
    json::member(&mut out, "runtime_version", env!("XRAY_RUSTC_VERSION"));
    if let Some(version) = service_version {
        json::member(&mut out, "version", version);
    }
    out.extend_from_slice(b"},\"aws\":{\"xray\":{\"sdk\":\"X-Ray for Rust\"");
    json::member(&mut out, "sdk_version", env!("CARGO_PKG_VERSION"));
    String::from_utf8(out).unwrap_or_default()
}

fn last<'n, T>(notes: &'n [Note], select: impl Fn(&'n Fact) -> Option<T>) -> Option<T> {
    notes.iter().rev().find_map(|note| select(&note.fact))
}

/// Visits what `select` selects, in order; of those with equal keys the last only.
fn each_last<'n, T: Copy, K: Eq + std::hash::Hash>(
    notes: &'n [Note],
    select: impl Fn(&'n Fact) -> Option<T>,
    key: impl Fn(&T) -> K,
    mut visit: impl FnMut(T),
) {
    if notes.len() <= FEW {
        for (at, note) in notes.iter().enumerate() {
            if let Some(item) = select(&note.fact)
                && !notes[at + 1..]
                    .iter()
                    .filter_map(|later| select(&later.fact))
                    .any(|later| key(&later) == key(&item))
            {
                visit(item);
            }
        }
        return;
    }
    let mut seen = HashSet::new();
    let mut kept: Vec<T> = notes
        .iter()
        .rev()
        .filter_map(|note| select(&note.fact))
        .filter(|item| seen.insert(key(item)))
        .collect();
    kept.reverse();
    kept.into_iter().for_each(visit);
}

fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

fn annotation_value(out: &mut Vec<u8>, value: &AnnotationValue) {
    match value {
        AnnotationValue::String(text) => json::string(out, text),
        AnnotationValue::Bool(true) => out.extend_from_slice(b"true"),
        AnnotationValue::Bool(false) => out.extend_from_slice(b"false"),
        AnnotationValue::Int(number) => json::number(out, number),
        AnnotationValue::UInt(number) => json::number(out, number),
        AnnotationValue::Float(number) => json::number(out, number),
        // Refused where it was put.
        AnnotationValue::Absent => out.extend_from_slice(b"null"),
    }
}

/// The name of what is in a note, for the list of what was cut.
pub(super) fn described(fact: &Fact) -> Option<Cow<'static, str>> {
    match fact {
        Fact::Metadata(entry) => Some(format!("metadata.{}.{}", entry.namespace, entry.key).into()),
        Fact::Exceptions(_) | Fact::Panic(_) | Fact::Stack(..) | Fact::Frame(..) => {
            Some("cause.exceptions.stack".into())
        }
        Fact::Query(_) => Some("sql.sanitized_query".into()),
        Fact::Annotation(key, _) => Some(format!("annotations.{key}").into()),
        #[cfg(feature = "aws-sdk")]
        Fact::Aws(_) => Some("aws".into()),
        _ => None,
    }
}
