//! The drawing of a trace: a tree of rows, each with its length and its bar.

use crate::bar::bar;
use crate::color::Style;
use crate::duration::{duration, time_of_day};
use crate::entity::{Health, Kind};
use crate::line::Line;
use crate::rows::{Detail, Row, rows};
use crate::text::{columns, sanitize};
use crate::trace::Trace;
use crate::view::View;

/// Columns of a length of time: `842ms`, `99.5µs`.
const DURATION: usize = 7;

/// Where things stand on a line.
struct Columns {
    /// End of tree and label.
    label: usize,
    /// Begin and length of the bar, within its edges.
    bar: usize,
    cells: usize,
}

/// A row with its texts fit for the terminal.
struct Drawn<'a> {
    row: Row<'a>,
    tree: String,
    tree_below: String,
    label: String,
    outcome: String,
}

/// Draws a trace. Every line, its end aside, fits the width of the view.
pub(crate) fn waterfall(trace: &Trace, updated: bool, view: View) -> String {
    let (rows, left_out) = rows(trace);
    let drawn: Vec<Drawn<'_>> = rows.into_iter().map(|row| prepare(row, view)).collect();
    let place = place(&drawn, view);
    let mut out = String::new();
    header(trace, updated, view).finish(&mut out);
    for drawn in &drawn {
        row_line(drawn, trace, &place, view).finish(&mut out);
        for detail in &drawn.row.details {
            detail_line(drawn, detail, view).finish(&mut out);
        }
    }
    if left_out > 0 {
        let mut line = Line::new(view);
        line.push(&format!(" and {left_out} more"), Style::Dim);
        line.finish(&mut out);
    }
    out
}

fn header(trace: &Trace, updated: bool, view: View) -> Line {
    let separator = if view.ascii { " | " } else { " · " };
    let mut line = Line::new(view);
    line.push("Trace ", Style::Plain);
    line.push(&sanitize(trace.id(), view.ascii), Style::Bold);
    let mut fact = |text: String, style: Style| {
        line.push(separator, Style::Dim);
        line.push(&text, style);
    };
    fact(duration(trace.seconds(), view.ascii), Style::Plain);
    fact(counted(trace.entities(), "span"), Style::Plain);
    for (health, word) in [(Health::Fault, "fault"), (Health::Throttle, "throttle"), (Health::Error, "error")]
    {
        let count = trace.count(|entity| entity.health == health);
        if count > 0 {
            fact(counted(count, word), Style::Health(health));
        }
    }
    if !trace.is_closed() {
        fact("in progress".to_owned(), Style::Bold);
    }
    // A segment's parent may well be none of ours (a browser, a proxy); that of a subsegment is missing.
    let lost = (0..trace.nodes.len())
        .filter(|&node| trace.nodes[node].orphan && trace.entity(node).kind == Kind::Subsegment)
        .count();
    if lost > 0 {
        fact(format!("{lost} without their parent"), Style::Health(Health::Error));
    }
    if let Some((start, _)) = trace.range {
        fact(format!("{}Z", time_of_day(start)), Style::Dim);
    }
    if updated {
        fact("updated".to_owned(), Style::Bold);
    }
    line
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn prepare(row: Row<'_>, view: View) -> Drawn<'_> {
    let (tree, tree_below) = tree(&row, view);
    let mut label = if row.times > 1 {
        format!("{}{} ", if view.ascii { "x" } else { "×" }, row.times)
    } else {
        String::new()
    };
    label.push_str(&sanitize(row.name, view.ascii));
    if !row.what.is_empty() {
        label.push(' ');
        label.push_str(&sanitize(&row.what, view.ascii));
    }
    let mut outcome = row.outcome.clone();
    if row.skewed {
        outcome = format!("{outcome} {}", if view.ascii { "skew" } else { "⏱" }).trim_start().to_owned();
    }
    if view.ascii {
        outcome = outcome.replacen('✗', "x", 1);
    }
    let outcome = sanitize(&outcome, view.ascii).into_owned();
    Drawn { row, tree, tree_below, label, outcome }
}

/// The tree's lines before a row, and before the lines below it. Of a deep tree only the last levels are drawn, and
/// the number of those that are not.
fn tree(row: &Row<'_>, view: View) -> (String, String) {
    let [through, branch, end] = if view.ascii { ["| ", "|- ", "`- "] } else { ["│ ", "├ ", "└ "] };
    let blank = "  ";
    let levels = row.lines.len();
    let shown = levels.min(view.width / 8);
    let mut tree = if shown < levels { format!("{}> ", levels - shown) } else { String::new() };
    let mut below = " ".repeat(tree.len());
    let lines = &row.lines[levels - shown..];
    if let Some((own, above)) = lines.split_last() {
        for goes_on in above {
            let part = if *goes_on { through } else { blank };
            tree.push_str(part);
            below.push_str(part);
        }
        tree.push_str(if *own { branch } else { end });
        below.push_str(if *own { through } else { blank });
    }
    below.push_str(if row.has_children { through } else { blank });
    (tree, below)
}

fn place(drawn: &[Drawn<'_>], view: View) -> Columns {
    let widest = |of: fn(&Drawn<'_>) -> usize| drawn.iter().map(of).max().unwrap_or(0);
    let label = widest(|drawn| columns(&drawn.tree) + columns(&drawn.label)).clamp(16, view.width * 2 / 5);
    let outcome = widest(|drawn| columns(&drawn.outcome)).min(view.width / 5);
    let label = 1 + label;
    let bar = label + 1 + DURATION + 2;
    Columns { label, bar, cells: view.width.saturating_sub(bar + 2 + outcome) }
}

fn row_line(drawn: &Drawn<'_>, trace: &Trace, place: &Columns, view: View) -> Line {
    let row = &drawn.row;
    let healthy = row.health == Health::Ok;
    let mut line = Line::new(view);
    line.push(" ", Style::Plain);
    line.push_until(&drawn.tree, Style::Dim, place.label);
    line.push_until(&drawn.label, if row.is_segment { Style::Bold } else { Style::Plain }, place.label);
    let length = match row.seconds {
        _ if row.open => "open".to_owned(),
        Some(seconds) => duration(seconds, view.ascii),
        None => "?".to_owned(),
    };
    line.pad_to((place.label + 1 + DURATION).saturating_sub(columns(&length)).max(place.label + 1));
    line.push_until(&length, Style::Plain, place.label + 1 + DURATION);
    line.pad_to(place.bar - 1);
    let (left, right) = if view.ascii { ("|", "|") } else { ("▕", "▏") };
    line.push(left, Style::Dim);
    let style = if healthy { Style::of_service(row.service) } else { Style::Health(row.health) };
    line.push(&bar_of(row, trace, place.cells, view), style);
    line.push(right, Style::Dim);
    if !drawn.outcome.is_empty() {
        line.push(" ", Style::Plain);
        line.push(&drawn.outcome, if healthy { Style::Plain } else { Style::Health(row.health) });
    }
    line
}

fn bar_of(row: &Row<'_>, trace: &Trace, cells: usize, view: View) -> String {
    let (Some((first, last)), Some(start)) = (trace.range, row.start) else { return " ".repeat(cells) };
    let whole = (last - first).max(f64::MIN_POSITIVE);
    let end = if row.open { last } else { row.end.unwrap_or(start) };
    // A trace without length is its whole bar.
    let (from, to) =
        if last <= first { (0.0, 1.0) } else { ((start - first) / whole, (end - first) / whole) };
    bar(from, to, cells, row.open, view.ascii)
}

fn detail_line(drawn: &Drawn<'_>, detail: &Detail, view: View) -> Line {
    let mut line = Line::new(view);
    line.push(" ", Style::Plain);
    line.push_until(&drawn.tree_below, Style::Dim, view.width / 2);
    match detail {
        Detail::Problem(text) => {
            line.push(if view.ascii { "x " } else { "✗ " }, Style::Health(drawn.row.health));
            line.push(&sanitize(text, view.ascii), Style::Health(drawn.row.health));
        }
        Detail::Data { label, text } => {
            line.push(&format!("{label}: {}", sanitize(text, view.ascii)), Style::Dim)
        }
    }
    line
}
