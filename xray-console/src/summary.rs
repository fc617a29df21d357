//! One line for each trace: for people, as JSON, as logfmt.

use serde::Serialize;

use crate::color::{Style, paint};
use crate::duration::{duration, rfc3339, time_of_day};
use crate::entity::{Cause, Entity, Exception, Health, Kind};
use crate::label::{name_of, path_of, place_of, word_of};
use crate::text::{cut, is_unsafe, sanitize};
use crate::trace::Trace;
use crate::view::View;

/// The form of a one-line summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people: `21:14:33.1Z 500  842ms GET /api/activities/home  flask▇ db▂  ! Timeout deadline has elapsed …718293`.
    #[default]
    Human,
    /// One JSON object; the keys that say nothing are left out.
    Json,
    /// `key=value` pairs, values quoted where needed.
    Logfmt,
}

/// The most services of a human line.
const SERVICES: usize = 6;

/// The most services that are told apart in any format.
const MAX_SERVICES: usize = 64;

/// What one line says. The order of the fields is that of the JSON.
#[derive(Serialize)]
struct Summary<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    trace_id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// `ok`, `error`, `throttle` or `fault`: the worst of the trace.
    health: &'static str,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    spans: usize,
    services: Vec<Service<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    in_progress: bool,
    #[serde(skip_serializing_if = "is_zero")]
    orphans: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    updated: bool,
}

#[derive(Serialize)]
struct Service<'a> {
    name: &'a str,
    ms: f64,
}

/// The first exception, or else the place where it went wrong.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The trace on one line, without the line's end.
pub(crate) fn line(trace: &Trace, updated: bool, format: Format, view: View) -> String {
    let summary = summarize(trace, updated);
    match format {
        Format::Human => human(&summary, trace, view),
        Format::Json => json(&summary),
        Format::Logfmt => logfmt(&summary),
    }
}

fn summarize(trace: &Trace, updated: bool) -> Summary<'_> {
    let entry = entry(trace);
    Summary {
        time: trace.range.map(|(start, _)| rfc3339(start)),
        trace_id: trace.id(),
        name: name_of(entry),
        status: entry.status,
        health: word_of(worst(trace)),
        duration_ms: millis(trace.seconds()),
        method: entry.method.as_deref().map(str::to_uppercase),
        path: entry.url.as_deref().map(path_of),
        spans: trace.entities(),
        services: services(trace),
        user: trace.preorder().find_map(|node| trace.entity(node).user.as_deref()),
        problem: problem(trace),
        in_progress: !trace.is_closed(),
        orphans: trace.orphans(),
        updated,
    }
}

/// What the trace began with: the first segment at the root, or else whatever is first.
fn entry(trace: &Trace) -> &Entity {
    let segment = trace.roots.iter().find(|&&root| trace.entity(root).kind == Kind::Segment);
    trace.entity(segment.or(trace.roots.first()).copied().unwrap_or(0))
}

fn worst(trace: &Trace) -> Health {
    (0..trace.nodes.len()).map(|node| trace.entity(node).health).min().unwrap_or(Health::Ok)
}

/// Each service with the time it took in all, in the order of the tree: the segments, and the calls to what sends no
/// segments of its own.
fn services(trace: &Trace) -> Vec<Service<'_>> {
    let mut services: Vec<Service<'_>> = Vec::new();
    for node in trace.preorder() {
        let entity = trace.entity(node);
        let traced =
            trace.nodes[node].children.iter().any(|&child| trace.entity(child).kind == Kind::Segment);
        if entity.kind == Kind::Segment || entity.is_call() && !traced {
            let ms = millis(entity.seconds().unwrap_or(0.0));
            let name = name_of(entity);
            match services.iter().position(|service| service.name == name) {
                Some(index) => services[index].ms = millis((services[index].ms + ms) / 1e3),
                // Bounded, because each new name is compared with all before it.
                None if services.len() < MAX_SERVICES => services.push(Service { name, ms }),
                None => {}
            }
        }
    }
    services
}

fn problem(trace: &Trace) -> Option<Problem<'_>> {
    let by_id = trace.exceptions_by_id();
    let exception = trace.preorder().find_map(|node| match &trace.entity(node).cause {
        Cause::Exceptions(exceptions) => exceptions.first(),
        Cause::Reference(id) => by_id.get(&**id).copied(),
        Cause::None => None,
    });
    if let Some(exception) = exception {
        return Some(of_exception(exception));
    }
    // The deepest of the first chain of entities that went wrong, unless it is the one whose status is shown anyway.
    let bad = |node: usize| trace.entity(node).health != Health::Ok;
    let deepest =
        trace.preorder().find(|&node| bad(node) && !trace.nodes[node].children.iter().any(|&c| bad(c)))?;
    let entity = trace.entity(deepest);
    if std::ptr::eq(entity, self::entry(trace)) && entity.status.is_some() {
        return None;
    }
    let status = entity.status.map(|status| format!("status {status}"));
    Some(Problem { r#type: word_of(entity.health), message: name_of(entity), at: status })
}

fn of_exception(exception: &Exception) -> Problem<'_> {
    let kind = if exception.kind.is_empty() { "exception" } else { &exception.kind };
    Problem { r#type: kind, message: &exception.message, at: place_of(exception) }
}

/// Milliseconds to a microsecond, which is as precise as the clocks are.
fn millis(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e3
}

fn human(summary: &Summary<'_>, trace: &Trace, view: View) -> String {
    let clean = |text: &str, width: usize| cut(&sanitize(text, view.ascii), width, view.ascii).into_owned();
    let mut out = String::new();
    let mut put = |text: &str, style: Style| paint(&mut out, text, style, view.color);
    let time = trace.range.map_or_else(|| "--:--:--.-".to_owned(), |(start, _)| time_of_day(start));
    put(&format!("{time}Z "), Style::Dim);
    let entry = entry(trace);
    let status = match (entry.status, entry.health) {
        (Some(status), _) => status.to_string(),
        (None, _) if summary.in_progress => "...".to_owned(),
        (None, Health::Ok) => "ok".to_owned(),
        (None, Health::Fault) => "flt".to_owned(),
        (None, Health::Error) => "err".to_owned(),
        (None, Health::Throttle) => "thr".to_owned(),
    };
    put(&format!("{status:<3} "), Style::Health(entry.health));
    put(&format!("{:>6} ", duration(trace.seconds(), view.ascii)), Style::Plain);
    let what = match (&summary.method, summary.path) {
        (Some(method), Some(path)) => format!("{method} {path}"),
        (Some(method), None) => format!("{method} {}", summary.name),
        (None, Some(path)) => path.to_owned(),
        (None, None) => summary.name.to_owned(),
    };
    put(&clean(&what, 80), Style::Bold);
    put(" ", Style::Plain);
    for service in summary.services.iter().take(SERVICES) {
        put(" ", Style::Plain);
        put(&clean(service.name, 24), Style::of_service(service.name));
        put(&share(service.ms, summary.duration_ms, view.ascii), Style::of_service(service.name));
    }
    if let Some(more) = summary.services.len().checked_sub(SERVICES).filter(|more| *more > 0) {
        put(&format!(" +{more}"), Style::Dim);
    }
    if let Some(problem) = &summary.problem {
        let text = [problem.r#type, problem.message, problem.at.as_deref().unwrap_or_default()];
        let text: Vec<String> =
            text.iter().filter(|text| !text.is_empty()).map(|text| clean(text, 120)).collect();
        put(&format!("  ! {}", text.join(" ")), Style::Health(worst(trace).min(Health::Error)));
    }
    let id: Vec<char> = summary.trace_id.chars().collect();
    let short: String = id[id.len().saturating_sub(6)..].iter().collect();
    put(&format!("  {}{}", if view.ascii { "~" } else { "…" }, clean(&short, 12)), Style::Dim);
    for (holds, mark) in [(summary.in_progress, " in progress"), (summary.updated, " updated")] {
        if holds {
            put(mark, Style::Dim);
        }
    }
    out
}

/// A service's share of the trace as an eighth block; in ASCII as a number.
fn share(ms: f64, whole: f64, ascii: bool) -> String {
    let share = if whole > 0.0 { (ms / whole).clamp(0.0, 1.0) } else { 1.0 };
    if ascii {
        return format!(":{:.0}%", share * 100.0);
    }
    let block = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][(share * 8.0).ceil().clamp(1.0, 8.0) as usize - 1];
    block.to_string()
}

fn json(summary: &Summary<'_>) -> String {
    // Cannot fail: strings, numbers and lists only, no map with keys of another type.
    let json = serde_json::to_string(summary).unwrap_or_default();
    escape_unsafe(&json)
}

/// Writes what a terminal might obey as `\u....`, which in JSON (where it can stand in strings only) changes nothing.
pub(crate) fn escape_unsafe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn logfmt(summary: &Summary<'_>) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    pairs.extend(summary.time.clone().map(|time| ("time", time)));
    pairs.push(("trace_id", summary.trace_id.to_owned()));
    pairs.push(("name", summary.name.to_owned()));
    pairs.extend(summary.status.map(|status| ("status", status.to_string())));
    pairs.push(("health", summary.health.to_owned()));
    pairs.push(("duration_ms", summary.duration_ms.to_string()));
    pairs.extend(summary.method.clone().map(|method| ("method", method)));
    pairs.extend(summary.path.map(|path| ("path", path.to_owned())));
    pairs.push(("spans", summary.spans.to_string()));
    let services: Vec<String> =
        summary.services.iter().map(|service| format!("{}:{}", service.name, service.ms)).collect();
    pairs.push(("services", services.join(",")));
    pairs.extend(summary.user.map(|user| ("user", user.to_owned())));
    if let Some(problem) = &summary.problem {
        pairs.push(("problem", problem.r#type.to_owned()));
        pairs.push(("message", problem.message.to_owned()));
        pairs.extend(problem.at.clone().map(|at| ("at", at)));
    }
    if summary.in_progress {
        pairs.push(("in_progress", "true".to_owned()));
    }
    if summary.orphans > 0 {
        pairs.push(("orphans", summary.orphans.to_string()));
    }
    if summary.updated {
        pairs.push(("updated", "true".to_owned()));
    }
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={}", quoted(value))).collect();
    pairs.join(" ")
}

/// A logfmt value: bare where it is unmistakable, else as a JSON string.
pub(crate) fn quoted(value: &str) -> String {
    let needs = |c: char| c.is_whitespace() || is_unsafe(c) || matches!(c, '"' | '=' | '\\');
    if !value.is_empty() && !value.chars().any(needs) {
        return value.to_owned();
    }
    escape_unsafe(&serde_json::Value::from(value).to_string())
}
