//! What happened at the double, on the terminal: an occurrence on a few lines, a deploy on one.

use serde_json::{Map, Value, json};

use super::{Change, Deploy, Occurrence, Place};
use crate::color::{Style, paint};
use crate::duration::time_of_day;
use crate::entity::Health;
use crate::line::Line;
use crate::summary::{Format, escape_unsafe, quoted};
use crate::text::{cut, sanitize};
use crate::view::View;

/// Columns of a part of the one line.
const PART: usize = 120;

impl Occurrence {
    /// The occurrence on a few lines, each with its end: what and where, the causes, the request, the trace. Every line
    /// fits the width of the view.
    #[must_use]
    pub fn drawing(&self, view: View) -> String {
        let separator = if view.ascii { " | " } else { " · " };
        let mut out = String::new();
        let mut line = Line::new(view);
        line.push(&format!("#{}", self.counter), Style::Bold);
        line.push(self.change.as_str(), Style::Bold);
        for (fact, style) in [
            (self.level.clone(), style_of(&self.level)),
            (self.environment.clone(), Style::Plain),
            (self.time(), Style::Dim),
        ] {
            line.push(separator, Style::Dim);
            line.push(&sanitize(&fact, view.ascii), style);
        }
        if self.count > 1 {
            line.push(&self.times(view), Style::Bold);
        }
        line.finish(&mut out);
        let mut put = |label: &str, text: &str, style: Style| {
            let mut line = Line::new(view);
            line.push(label, Style::Dim);
            line.push(&sanitize(text, view.ascii), style);
            line.finish(&mut out);
        };
        put("  ", &self.what(), style_of(&self.level));
        if let Some(place) = &self.user_frame {
            let method = place.method.as_deref().map(|method| format!(" in {method}")).unwrap_or_default();
            put("  at ", &format!("{}{method}", place.position()), Style::Plain);
            if let Some(code) = &place.code {
                put("       ", code, Style::Bold);
            }
        }
        for (class, message) in &self.causes {
            put("  caused by ", &joined(class, message), Style::Plain);
        }
        let person = self.person.as_ref().map(|id| format!("person {id}"));
        let version = self.code_version.as_ref().map(|version| format!("version {version}"));
        let facts: Vec<&str> = [&self.context, &self.request, &person, &version]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|fact| !fact.is_empty())
            .collect();
        if !facts.is_empty() {
            put("  ", &facts.join(separator), Style::Dim);
        }
        if let Some(trace) = &self.trace_id {
            let segment = self.segment_id.as_deref().map(|id| format!(" segment {id}")).unwrap_or_default();
            put("  trace ", &format!("{trace}{segment}"), Style::Dim);
        }
        out
    }

    /// Class and message, or the title where neither was sent.
    fn what(&self) -> String {
        let what = joined(self.class.as_deref().unwrap_or_default(), &self.message);
        if what.is_empty() { self.title.clone() } else { what }
    }

    fn time(&self) -> String {
        format!("{}Z", time_of_day(self.timestamp))
    }

    fn times(&self, view: View) -> String {
        format!("  {}{}", if view.ascii { "x" } else { "×" }, self.count)
    }
}

impl Change {
    /// The word that follows the item's number.
    fn as_str(self) -> &'static str {
        match self {
            Self::New => " new",
            Self::Reactivated => " reactivated",
            Self::Again => "",
        }
    }
}

impl Place {
    /// `file:line`.
    fn position(&self) -> String {
        self.line.map_or_else(|| self.file.clone(), |line| format!("{}:{line}", self.file))
    }
}

impl Deploy {
    /// The deploy on one line, without the line's end. For people: `deploy #3 succeeded 0a1b2c3 production by ana`.
    #[must_use]
    pub fn line(&self, format: Format, view: View) -> String {
        let user = self.rollbar_username.as_ref().or(self.local_username.as_ref());
        let Format::Human = format else {
            let facts = vec![
                ("event", json!("deploy")),
                ("deploy", self.id.into()),
                ("status", self.status.clone().into()),
                ("revision", self.revision.clone().into()),
                ("environment", self.environment.clone().into()),
                ("user", user.cloned().into()),
                ("comment", self.comment.clone().into()),
            ];
            return encode(&facts, format);
        };
        let health = match &*self.status {
            "succeeded" => Style::Health(Health::Ok),
            "started" => Style::Plain,
            _ => Style::Health(Health::Fault),
        };
        let mut text = Text::new(view);
        text.push(&format!("deploy #{} ", self.id), Style::Bold);
        text.push(&self.status, health);
        text.push(
            &format!(" {} {}", clean(&self.revision, view), clean(&self.environment, view)),
            Style::Plain,
        );
        if let Some(user) = user {
            text.push(&format!(" by {}", clean(user, view)), Style::Dim);
        }
        if let Some(comment) = &self.comment {
            text.push(&format!("  {}", clean(comment, view)), Style::Dim);
        }
        text.out
    }
}

/// One line that is put together from pieces that are fit for a terminal.
struct Text {
    out: String,
    color: bool,
}

impl Text {
    fn new(view: View) -> Self {
        Self { out: String::new(), color: view.color }
    }

    fn push(&mut self, text: &str, style: Style) {
        paint(&mut self.out, text, style, self.color);
    }
}

/// A part that others wrote, fit for a terminal and not too long.
fn clean(text: &str, view: View) -> String {
    cut(&sanitize(text, view.ascii), PART, view.ascii).into_owned()
}

fn joined(class: &str, message: &str) -> String {
    match (class, message) {
        ("", one) | (one, "") => one.to_owned(),
        (class, message) => format!("{class}: {message}"),
    }
}

fn style_of(level: &str) -> Style {
    match level {
        "critical" | "error" => Style::Health(Health::Fault),
        "warning" => Style::Health(Health::Error),
        "info" => Style::Health(Health::Ok),
        _ => Style::Dim,
    }
}

/// Keys and values of a line for programs; those that say nothing are left out.
type Facts = Vec<(&'static str, Value)>;

fn encode(facts: &Facts, format: Format) -> String {
    let said = facts.iter().filter(|(_, value)| !value.is_null() && value != "");
    if format == Format::Logfmt {
        let pair = |(key, value): &(&str, Value)| match value {
            Value::String(text) => format!("{key}={}", quoted(text)),
            value => format!("{key}={value}"),
        };
        return said.map(pair).collect::<Vec<_>>().join(" ");
    }
    let object: Map<String, Value> = said.map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    escape_unsafe(&Value::Object(object).to_string())
}
