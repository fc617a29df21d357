//! The rows of a waterfall: which entities share one, in which order, and what stands on it.

use crate::entity::{Entity, Exception, Health, Kind};
use crate::label::{health_of, name_of, place_of, what_of, word_of};
use crate::trace::Trace;

/// The most rows of one waterfall; the rest is counted.
pub(crate) const MAX_ROWS: usize = 500;

/// So many consecutive siblings that look the same become one row.
const COLLAPSE_FROM: usize = 5;

/// A child that starts before or ends after its parent by more than this shows that their clocks differ.
const SKEW_SECONDS: f64 = 0.005;

/// The most lines of metadata below one row.
const MAX_METADATA: usize = 8;

/// One row. Its texts are as they were sent: whoever draws them sanitizes them.
pub(crate) struct Row<'a> {
    /// For each level above the row: whether a line goes on there. The last one is the row's own.
    pub(crate) lines: Vec<bool>,
    pub(crate) has_children: bool,
    pub(crate) name: &'a str,
    pub(crate) what: String,
    pub(crate) is_segment: bool,
    /// The service whose colour the bar has.
    pub(crate) service: &'a str,
    pub(crate) times: u32,
    pub(crate) start: Option<f64>,
    pub(crate) end: Option<f64>,
    pub(crate) seconds: Option<f64>,
    pub(crate) open: bool,
    pub(crate) health: Health,
    /// Status, health and message: what stands right of the bar.
    pub(crate) outcome: String,
    pub(crate) skewed: bool,
    pub(crate) details: Vec<Detail>,
}

/// A line below a row.
pub(crate) enum Detail {
    Problem(String),
    Data { label: &'static str, text: String },
}

/// Siblings that share a row, with what the row's entity calls in another service.
struct Group {
    nodes: Vec<usize>,
    callee: Option<usize>,
    lines: Vec<bool>,
    service: usize,
}

/// The first [`MAX_ROWS`] rows, and how many entities are left out.
pub(crate) fn rows(trace: &Trace) -> (Vec<Row<'_>>, usize) {
    let mut rows = Vec::new();
    let mut drawn = 0;
    let mut waiting = Vec::new();
    push_groups(trace, &trace.roots, &[], None, &mut waiting);
    while let Some(group) = waiting.pop() {
        if rows.len() == MAX_ROWS {
            break;
        }
        drawn += group.nodes.len() + usize::from(group.callee.is_some());
        let children = children_of(trace, &group);
        rows.push(row(trace, &group, !children.is_empty()));
        let service = group.callee.unwrap_or(group.service);
        push_groups(trace, &children, &group.lines, Some(service), &mut waiting);
    }
    (rows, trace.nodes.len() - drawn)
}

fn push_groups(
    trace: &Trace,
    siblings: &[usize],
    above: &[bool],
    service: Option<usize>,
    out: &mut Vec<Group>,
) {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut rest = siblings;
    while let Some((&first, _)) = rest.split_first() {
        let same =
            rest.iter().take_while(|&&node| node == first || look_the_same(trace, first, node)).count();
        let taken = if same >= COLLAPSE_FROM { same } else { 1 };
        let (group, others) = rest.split_at(taken);
        groups.push(group.to_vec());
        rest = others;
    }
    let last = groups.len().saturating_sub(1);
    // In reverse, because the list is worked off from its end.
    for (index, nodes) in groups.into_iter().enumerate().rev() {
        let first = nodes[0];
        let mut lines = above.to_vec();
        if service.is_some() {
            lines.push(index != last);
        }
        let own = trace.entity(first).kind == Kind::Segment;
        let service = if own { first } else { service.unwrap_or(first) };
        out.push(Group { callee: callee_of(trace, first), nodes, lines, service });
    }
}

fn look_the_same(trace: &Trace, a: usize, b: usize) -> bool {
    let alone = |node: usize| trace.nodes[node].children.is_empty();
    let (x, y) = (trace.entity(a), trace.entity(b));
    alone(a)
        && alone(b)
        && x.kind == Kind::Subsegment
        && y.kind == Kind::Subsegment
        && x.name == y.name
        && x.status == y.status
        && x.health == y.health
        && x.is_closed()
        && y.is_closed()
        && what_of(x) == what_of(y)
}

/// The segment that a call led to: the one segment below a remote subsegment.
fn callee_of(trace: &Trace, node: usize) -> Option<usize> {
    if !trace.entity(node).is_call() {
        return None;
    }
    let mut segments =
        trace.nodes[node].children.iter().copied().filter(|&child| trace.entity(child).kind == Kind::Segment);
    segments.next().filter(|_| segments.next().is_none())
}

fn children_of(trace: &Trace, group: &Group) -> Vec<usize> {
    let mut children = trace.nodes[group.nodes[0]].children.clone();
    if let Some(callee) = group.callee {
        children.retain(|&child| child != callee);
        children.extend(&trace.nodes[callee].children);
        children.sort_by(|a, b| {
            let start = |node: usize| trace.entity(node).start.unwrap_or(f64::INFINITY);
            start(*a).total_cmp(&start(*b))
        });
    }
    children
}

fn row<'a>(trace: &'a Trace, group: &Group, has_children: bool) -> Row<'a> {
    let node = group.nodes[0];
    let entity = trace.entity(node);
    let callee = group.callee.map(|callee| trace.entity(callee));
    let health = callee.map_or(entity.health, |callee| entity.health.min(callee.health));
    let mut what = what_of(entity);
    if let Some(callee) = callee {
        if what.is_empty() {
            what = what_of(callee);
        }
        if callee.name != entity.name {
            what = format!("[{}] {what}", name_of(callee));
        }
    }
    if group.nodes.len() > 1 && (entity.is_sql || entity.is_call()) {
        what.push_str(" N+1?");
    }
    let all = || group.nodes.iter().map(|&node| trace.entity(node));
    let ends = all().filter_map(|entity| entity.end);
    Row {
        lines: group.lines.clone(),
        has_children,
        name: name_of(entity),
        what: what.trim_end().to_owned(),
        is_segment: entity.kind == Kind::Segment,
        service: match callee {
            Some(callee) => name_of(callee),
            None if entity.is_call() => name_of(entity),
            None => name_of(trace.entity(group.service)),
        },
        times: u32::try_from(group.nodes.len()).unwrap_or(u32::MAX),
        start: entity.start,
        end: ends.fold(None, |last, end| Some(last.map_or(end, |last: f64| last.max(end)))),
        seconds: all().map(Entity::seconds).sum(),
        open: !entity.is_closed(),
        health,
        outcome: outcome(entity, callee, health),
        skewed: is_skewed(trace, node),
        details: details(trace, node, group),
    }
}

/// `504 ✗ deadline has elapsed`, with X-Ray's own word where the status does not imply it: `200 fault ✗ ..`.
fn outcome(entity: &Entity, callee: Option<&Entity>, health: Health) -> String {
    let status = entity.status.or_else(|| callee.and_then(|callee| callee.status));
    let mut words = Vec::new();
    words.extend(status.map(|status| status.to_string()));
    if health != Health::Ok {
        if health_of(status) != health {
            words.push(word_of(health).to_owned());
        }
        words.push("✗".to_owned());
        let exceptions = entity.exceptions().iter().chain(callee.map_or(&[][..], Entity::exceptions));
        words.extend(exceptions.map(|exception| exception.message.to_string()).take(1));
    }
    words.join(" ")
}

fn is_skewed(trace: &Trace, node: usize) -> bool {
    let Some(parent) = trace.nodes[node].parent else { return false };
    let (child, parent) = (trace.entity(node), trace.entity(parent));
    let before = child.start.zip(parent.start).is_some_and(|(child, parent)| child < parent - SKEW_SECONDS);
    // A segment may well outlive what started it (a job, a message); a subsegment may not.
    let after = child.kind == Kind::Subsegment
        && child.end.zip(parent.end).is_some_and(|(child, parent)| child > parent + SKEW_SECONDS);
    before || after
}

fn details(trace: &Trace, node: usize, group: &Group) -> Vec<Detail> {
    let mut details = Vec::new();
    if trace.nodes[node].orphan {
        let parent = trace.entity(node).parent_id.as_deref().unwrap_or_default();
        details.push(Detail::Data { label: "parent", text: format!("{parent} has not been received") });
    }
    for node in [Some(node), group.callee].into_iter().flatten() {
        let entity = trace.entity(node);
        details.extend(entity.exceptions().iter().map(|exception| Detail::Problem(problem(exception))));
        if let Some(user) = &entity.user {
            details.push(Detail::Data { label: "user", text: user.to_string() });
        }
        if !entity.annotations.is_empty() {
            let pairs: Vec<String> =
                entity.annotations.iter().map(|(key, value)| format!("{key}={value}")).collect();
            details.push(Detail::Data { label: "annotations", text: pairs.join("  ") });
        }
        for (namespace, key, value) in entity.metadata.iter().take(MAX_METADATA) {
            let name = if key.is_empty() { namespace.to_string() } else { format!("{namespace}.{key}") };
            details.push(Detail::Data { label: "metadata", text: format!("{name} = {value}") });
        }
        if let Some(more) = entity.metadata.len().checked_sub(MAX_METADATA).filter(|more| *more > 0) {
            details.push(Detail::Data { label: "metadata", text: format!("and {more} more") });
        }
    }
    details
}

/// `Type: message at src/file.rs:42 in label`.
fn problem(exception: &Exception) -> String {
    let mut text = exception.kind.to_string();
    if !exception.message.is_empty() {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&exception.message);
    }
    if let Some(place) = place_of(exception) {
        text.push_str(" at ");
        text.push_str(&place);
    }
    if let Some(place) = exception.place.as_ref().filter(|place| !place.label.is_empty()) {
        text.push_str(" in ");
        text.push_str(&place.label);
    }
    text
}
