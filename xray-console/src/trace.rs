//! All documents of one trace id, put into one tree.

use std::collections::HashMap;
use std::sync::Arc;

use crate::document::Document;
use crate::entity::{Entity, Exception, Health, Kind};
use crate::summary::{self, Format};
use crate::view::View;
use crate::waterfall;

/// A time that is further than this from the middle one of all starts is a broken clock's; it does not stretch the
/// trace.
const OUTLIER_SECONDS: f64 = 86_400.0;

/// A trace: the tree of the segments and subsegments that are known of it.
///
/// Segments stand below the subsegment that called them, streamed subsegments below their parent wherever it is. What
/// names a parent that is not known, or that is its own ancestor, stands at the root. Of several documents about one
/// id the completed one counts; of two completed ones the later.
#[derive(Debug, Clone)]
pub struct Trace {
    id: Box<str>,
    documents: Vec<Arc<Document>>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) roots: Vec<usize>,
    /// First start and last end, in Unix seconds, where any is known.
    pub(crate) range: Option<(f64, f64)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    document: usize,
    entity: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    /// It names a parent, but stands at the root.
    pub(crate) orphan: bool,
}

/// What makes two entities the same one: the id or, without one, the place in the tree.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Id(&'a str),
    Place { parent: usize, position: usize },
}

impl Trace {
    /// Builds the tree of these documents, in the order of their arrival. None where there is no document. All are
    /// taken to be of the first one's trace.
    pub fn of(documents: Vec<Arc<Document>>) -> Option<Self> {
        let id = documents.first()?.trace_id().into();
        let mut nodes = merge(&documents);
        let roots = link(&documents, &mut nodes);
        let mut trace = Self { id, documents, nodes, roots, range: None };
        trace.sort_by_start();
        trace.range = trace.find_range();
        Some(trace)
    }

    /// The trace on one line, without the line's end.
    pub fn line(&self, format: Format, view: View) -> String {
        summary::line(self, false, format, view)
    }

    /// The trace as a drawing of several lines, each with its end.
    pub fn waterfall(&self, view: View) -> String {
        waterfall::waterfall(self, false, view)
    }

    /// The trace id, as sent.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How many segments and subsegments are known.
    pub fn entities(&self) -> usize {
        self.nodes.len()
    }

    /// Its length in seconds: from the first start to the last end that is known.
    pub fn seconds(&self) -> f64 {
        self.range.map_or(0.0, |(start, end)| end - start)
    }

    /// Whether all of its roots are segments that have ended. A streamed subsegment whose segment is still to come,
    /// and a segment in progress, say that more will follow.
    pub fn is_closed(&self) -> bool {
        self.roots.iter().all(|&root| {
            let entity = self.entity(root);
            entity.kind == Kind::Segment && entity.is_closed()
        })
    }

    /// Whether any part of it is a fault, an error or throttled.
    pub fn has_problem(&self) -> bool {
        (0..self.nodes.len()).any(|node| self.entity(node).health != Health::Ok)
    }

    pub(crate) fn entity(&self, node: usize) -> &Entity {
        let Node { document, entity, .. } = self.nodes[node];
        &self.documents[document].entities[entity]
    }

    pub(crate) fn count(&self, matches: impl Fn(&Entity) -> bool) -> usize {
        (0..self.nodes.len()).filter(|&node| matches(self.entity(node))).count()
    }

    pub(crate) fn orphans(&self) -> usize {
        self.nodes.iter().filter(|node| node.orphan).count()
    }

    /// All nodes, each before its children.
    pub(crate) fn preorder(&self) -> impl Iterator<Item = usize> + '_ {
        let mut waiting: Vec<usize> = self.roots.iter().rev().copied().collect();
        std::iter::from_fn(move || {
            let node = waiting.pop()?;
            waiting.extend(self.nodes[node].children.iter().rev());
            Some(node)
        })
    }

    /// All exceptions that have an id: a cause may be the id of another entity's exception.
    pub(crate) fn exceptions_by_id(&self) -> HashMap<&str, &Exception> {
        (0..self.nodes.len())
            .flat_map(|node| self.entity(node).exceptions())
            .filter_map(|exception| Some((exception.id.as_deref()?, exception)))
            .collect()
    }

    fn sort_by_start(&mut self) {
        let starts: Vec<f64> =
            (0..self.nodes.len()).map(|node| self.entity(node).start.unwrap_or(f64::INFINITY)).collect();
        let by_start = |a: &usize, b: &usize| starts[*a].total_cmp(&starts[*b]);
        self.roots.sort_by(by_start);
        for node in &mut self.nodes {
            node.children.sort_by(by_start);
        }
    }

    fn find_range(&self) -> Option<(f64, f64)> {
        let mut starts: Vec<f64> = (0..self.nodes.len()).filter_map(|node| self.entity(node).start).collect();
        starts.sort_by(f64::total_cmp);
        let origin = *starts.get(starts.len() / 2)?;
        let near = |time: f64| (time - origin).abs() <= OUTLIER_SECONDS;
        let mut range = (origin, origin);
        for node in 0..self.nodes.len() {
            let entity = self.entity(node);
            for time in [entity.start, entity.end].into_iter().flatten().filter(|time| near(*time)) {
                range = (range.0.min(time), range.1.max(time));
            }
        }
        Some(range)
    }
}

/// One node for each entity, with the best document about it; parents are set for what is nested.
fn merge(documents: &[Arc<Document>]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut known: HashMap<Key<'_>, usize> = HashMap::new();
    for (document, parsed) in documents.iter().enumerate() {
        // The node of each entity of this document, and how many unnamed children each has had.
        let mut places: Vec<(usize, usize)> = Vec::with_capacity(parsed.entities.len());
        for (index, entity) in parsed.entities.iter().enumerate() {
            let container = entity.container.map(|container| {
                places[container].1 += 1;
                (places[container].0, places[container].1)
            });
            let key = match (&entity.id, container) {
                (Some(id), _) => Key::Id(id),
                (None, Some((parent, position))) => Key::Place { parent, position },
                (None, None) => Key::Place { parent: usize::MAX, position: document },
            };
            let node = *known.entry(key).or_insert_with(|| {
                nodes.push(Node {
                    document,
                    entity: index,
                    parent: None,
                    children: Vec::new(),
                    orphan: false,
                });
                nodes.len() - 1
            });
            let old = &documents[nodes[node].document].entities[nodes[node].entity];
            if entity.is_closed() || !old.is_closed() {
                nodes[node].document = document;
                nodes[node].entity = index;
            }
            if let Some((parent, _)) = container {
                nodes[node].parent = Some(parent);
            }
            places.push((node, 0));
        }
    }
    nodes
}

/// Sets parents by id and all children; returns the roots.
fn link(documents: &[Arc<Document>], nodes: &mut [Node]) -> Vec<usize> {
    let entity = |node: &Node| &documents[node.document].entities[node.entity];
    let by_id: HashMap<&str, usize> =
        (0..nodes.len()).filter_map(|index| Some((entity(&nodes[index]).id.as_deref()?, index))).collect();
    for node in nodes.iter_mut().filter(|node| node.parent.is_none()) {
        let parent_id = documents[node.document].entities[node.entity].parent_id.as_deref();
        node.parent = parent_id.and_then(|id| by_id.get(id).copied());
        node.orphan = parent_id.is_some() && node.parent.is_none();
    }
    let mut roots = Vec::new();
    let parents: Vec<Option<usize>> = nodes.iter().map(|node| node.parent).collect();
    for (index, parent) in parents.into_iter().enumerate() {
        match parent {
            Some(parent) => nodes[parent].children.push(index),
            None => roots.push(index),
        }
    }
    // What is not reached from a root is in a cycle, or below one. Opening each cycle at one node makes it a root.
    let mut reached = vec![false; nodes.len()];
    for &root in &roots {
        reach(nodes, root, &mut reached);
    }
    for index in 0..nodes.len() {
        if !reached[index] {
            let opened = on_cycle(nodes, index);
            if let Some(parent) = nodes[opened].parent.take() {
                nodes[parent].children.retain(|&child| child != opened);
            }
            nodes[opened].orphan = true;
            roots.push(opened);
            reach(nodes, opened, &mut reached);
        }
    }
    roots
}

/// A node of the cycle that the ancestors of `from` run into.
fn on_cycle(nodes: &[Node], from: usize) -> usize {
    let mut seen = vec![false; nodes.len()];
    let mut node = from;
    while !seen[node] {
        seen[node] = true;
        match nodes[node].parent {
            Some(parent) => node = parent,
            None => break,
        }
    }
    node
}

fn reach(nodes: &[Node], from: usize, reached: &mut [bool]) {
    let mut waiting = vec![from];
    while let Some(node) = waiting.pop() {
        if !std::mem::replace(&mut reached[node], true) {
            waiting.extend(&nodes[node].children);
        }
    }
}
