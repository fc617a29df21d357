//! One line for each occurrence of a Rollbar item, in the forms of a trace's line.

use std::borrow::Cow;

use serde::Serialize;

use crate::color::{Style, paint};
use crate::duration::{rfc3339, time_of_day};
use crate::entity::Health;
use crate::rollbar::{Change, Occurrence, Place};
use crate::summary::{Format, escape_unsafe, quoted};
use crate::text::{cut, sanitize};
use crate::view::View;

/// The most characters of one text of a JSON or logfmt line.
const MAX_TEXT: usize = 4_096;

/// What one line says. The order of the fields is that of the JSON.
#[derive(Serialize)]
struct Summary<'a> {
    time: String,
    uuid: &'a str,
    level: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<Cow<'a, str>>,
    message: Cow<'a, str>,
    /// The user's line, `path:line`.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Cow<'a, str>>,
    title: Cow<'a, str>,
    /// The number of the item.
    item: u64,
    /// `new`, `reactivated` or `again`.
    change: &'static str,
    #[serde(skip_serializing_if = "is_one")]
    count: u64,
    environment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment_id: Option<&'a str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(number: &u64) -> bool {
    *number == 1
}

impl Occurrence {
    /// Whether its level is `error` or `critical`.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        matches!(&*self.level, "error" | "critical")
    }

    /// One line, without its end. For people it says level, class and message, the user's line, the item's number and
    /// the end of the trace's id; as JSON and logfmt more. No control character of what was sent gets into it.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use xray_console::rollbar::{Double, Event, Request, Settings};
    /// use xray_console::{Format, View};
    ///
    /// let double = Double::new(Settings::default());
    /// let body = br#"{"access_token":"any","data":{"environment":"test","level":"warning","timestamp":1579893132,
    ///     "body":{"message":{"body":"Hello World!"}}}}"#;
    /// let answer = double.answer(&Request { body, ..Request::new("POST", "/api/1/item/", SystemTime::now()) });
    /// if let Some(Event::Occurrence(occurrence)) = answer.event {
    ///     let line = occurrence.line(Format::Human, View::new());
    ///     assert_eq!(line, "19:12:12.0Z item warning  Hello World!  #1 new");
    /// }
    /// ```
    #[must_use]
    pub fn line(&self, format: Format, view: View) -> String {
        match format {
            Format::Human => human(self, view),
            Format::Json => json(&summarize(self)),
            Format::Logfmt => logfmt(&summarize(self)),
        }
    }
}

fn summarize(occurrence: &Occurrence) -> Summary<'_> {
    let frame = occurrence.user_frame.as_ref();
    Summary {
        time: rfc3339(occurrence.timestamp),
        uuid: &occurrence.uuid,
        level: &occurrence.level,
        class: occurrence.class.as_deref().map(bounded),
        message: bounded(&occurrence.message),
        at: frame.and_then(place),
        method: frame.and_then(|frame| frame.method.as_deref()).map(bounded),
        title: bounded(&occurrence.title),
        item: occurrence.counter,
        change: word_of(occurrence.change),
        count: occurrence.count,
        environment: &occurrence.environment,
        context: occurrence.context.as_deref().map(bounded),
        request: occurrence.request.as_deref().map(bounded),
        person: occurrence.person.as_deref(),
        trace_id: occurrence.trace_id.as_deref(),
        segment_id: occurrence.segment_id.as_deref(),
    }
}

fn word_of(change: Change) -> &'static str {
    match change {
        Change::New => "new",
        Change::Reactivated => "reactivated",
        Change::Again => "again",
    }
}

fn place(place: &Place) -> Option<String> {
    let file = bounded(&place.file);
    match place.line {
        _ if file.is_empty() => None,
        Some(line) => Some(format!("{file}:{line}")),
        None => Some(file.into_owned()),
    }
}

/// The text cut to [`MAX_TEXT`], its end marked where something was cut.
fn bounded(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_TEXT) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

fn human(occurrence: &Occurrence, view: View) -> String {
    let clean = |text: &str, width: usize| {
        let text = bounded(text);
        cut(sanitize(&text, view.ascii).trim(), width, view.ascii).into_owned()
    };
    let level = match &*occurrence.level {
        "critical" | "error" => Style::Health(Health::Fault),
        "warning" => Style::Health(Health::Error),
        "debug" => Style::Dim,
        _ => Style::Plain,
    };
    let mut out = String::new();
    let mut put = |text: &str, style: Style| paint(&mut out, text, style, view.color);
    put(&format!("{}Z ", time_of_day(occurrence.timestamp)), Style::Dim);
    put("item ", Style::Plain);
    put(&format!("{:<8}", clean(&occurrence.level, 8)), level);
    if let Some(class) = &occurrence.class {
        put(&format!(" {}", clean(class, 80)), Style::Bold);
    }
    let message = clean(&occurrence.message, 120);
    if !message.is_empty() {
        put(&format!(" {message}"), if occurrence.class.is_some() { Style::Plain } else { Style::Bold });
    }
    if let Some(at) = occurrence.user_frame.as_ref().and_then(place) {
        put(&format!("  at {}", clean(&at, 120)), level);
    }
    if occurrence.count > 1 {
        put(&format!("  {}{}", if view.ascii { "x" } else { "×" }, occurrence.count), Style::Bold);
    }
    put(&format!("  #{}", occurrence.counter), Style::Dim);
    if occurrence.change != Change::Again {
        put(&format!(" {}", word_of(occurrence.change)), Style::Dim);
    }
    if let Some(trace) = &occurrence.trace_id {
        let id: Vec<char> = trace.chars().collect();
        let short: String = id[id.len().saturating_sub(6)..].iter().collect();
        put(&format!("  {}{}", if view.ascii { "~" } else { "…" }, clean(&short, 12)), Style::Dim);
    }
    out
}

fn json(summary: &Summary<'_>) -> String {
    // Cannot fail: strings and numbers only.
    escape_unsafe(&serde_json::to_string(summary).unwrap_or_default())
}

fn logfmt(summary: &Summary<'_>) -> String {
    let mut pairs: Vec<(&str, Cow<'_, str>)> = vec![
        ("time", Cow::Borrowed(&summary.time)),
        ("uuid", Cow::Borrowed(summary.uuid)),
        ("level", Cow::Borrowed(summary.level)),
    ];
    let mut put =
        |key, value: Option<&str>| pairs.extend(value.map(|value| (key, Cow::Owned(value.to_owned()))));
    put("class", summary.class.as_deref());
    put("message", Some(&summary.message));
    put("at", summary.at.as_deref());
    put("method", summary.method.as_deref());
    put("title", Some(&summary.title));
    put("item", Some(&summary.item.to_string()));
    put("change", Some(summary.change));
    put("count", (summary.count != 1).then(|| summary.count.to_string()).as_deref());
    put("environment", Some(summary.environment));
    put("context", summary.context.as_deref());
    put("request", summary.request.as_deref());
    put("person", summary.person);
    put("trace_id", summary.trace_id);
    put("segment_id", summary.segment_id);
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={}", quoted(value))).collect();
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::{Value, json};

    use super::*;

    fn occurrence() -> Occurrence {
        Occurrence {
            id: 1,
            item_id: 1,
            counter: 17,
            change: Change::Again,
            uuid: "d854544b-a144-4628-a861-92c99e4171e3".to_owned(),
            received: SystemTime::UNIX_EPOCH + Duration::from_secs(1_579_893_132),
            timestamp: 1_579_893_132.1,
            level: "error".to_owned(),
            environment: "production".to_owned(),
            fingerprint: "f".to_owned(),
            title: "ParseIntError: invalid digit found in string".to_owned(),
            class: Some("core::num::ParseIntError".to_owned()),
            message: "invalid digit found in string".to_owned(),
            causes: Vec::new(),
            user_frame: Some(Place {
                file: "src/main.rs".to_owned(),
                line: Some(42),
                method: Some("app::parse".to_owned()),
                code: None,
            }),
            context: Some("GET /users/{id}".to_owned()),
            person: None,
            request: None,
            code_version: None,
            trace_id: Some("1-5e2b4150-0000000000000000004628a8".to_owned()),
            segment_id: None,
            count: 1,
            bytes: 100,
            data: Value::Null,
        }
    }

    #[test]
    fn people_read_class_message_line_and_trace() {
        let view = View::new();
        assert_eq!(
            occurrence().line(Format::Human, view),
            "19:12:12.1Z item error    core::num::ParseIntError invalid digit found in string  at src/main.rs:42  #17  …4628a8"
        );
        let message = Occurrence {
            class: None,
            message: "Hello World!".to_owned(),
            level: "warning".to_owned(),
            change: Change::New,
            user_frame: None,
            trace_id: None,
            count: 3,
            ..occurrence()
        };
        assert_eq!(
            message.line(Format::Human, view.ascii(true)),
            "19:12:12.1Z item warning  Hello World!  x3  #17 new"
        );
        assert!(!message.is_problem());
        assert!(message.line(Format::Human, view.color(true)).contains("\x1b[33mwarning"));
    }

    #[test]
    fn programs_read_json_and_logfmt() {
        let line: Value = serde_json::from_str(&occurrence().line(Format::Json, View::new())).unwrap();
        assert_eq!(
            line,
            json!({
                "time": "2020-01-24T19:12:12.100Z", "uuid": "d854544b-a144-4628-a861-92c99e4171e3", "level": "error",
                "class": "core::num::ParseIntError", "message": "invalid digit found in string", "at": "src/main.rs:42",
                "method": "app::parse", "title": "ParseIntError: invalid digit found in string", "item": 17,
                "change": "again", "environment": "production", "context": "GET /users/{id}",
                "trace_id": "1-5e2b4150-0000000000000000004628a8",
            })
        );
        assert_eq!(
            occurrence().line(Format::Logfmt, View::new()),
            "time=2020-01-24T19:12:12.100Z uuid=d854544b-a144-4628-a861-92c99e4171e3 level=error \
             class=core::num::ParseIntError message=\"invalid digit found in string\" at=src/main.rs:42 method=app::parse \
             title=\"ParseIntError: invalid digit found in string\" item=17 change=again environment=production \
             context=\"GET /users/{id}\" trace_id=1-5e2b4150-0000000000000000004628a8"
        );
    }

    #[test]
    fn nothing_that_was_sent_moves_the_cursor_or_fills_the_terminal() {
        let evil = "a\x1b[2J\u{202e}\nb".to_owned() + &"\u{301}".repeat(300_000);
        let occurrence = Occurrence {
            uuid: "u\x1b".to_owned(),
            level: "l\x1bevel".to_owned(),
            class: Some(evil.clone()),
            title: evil.clone(),
            context: Some(evil.clone()),
            request: Some(evil.clone()),
            trace_id: Some(evil.clone()),
            environment: "e\nf".to_owned(),
            user_frame: Some(Place {
                file: evil.clone(),
                line: None,
                method: Some(evil.clone()),
                code: None,
            }),
            message: evil,
            ..occurrence()
        };
        for format in [Format::Human, Format::Json, Format::Logfmt] {
            let line = occurrence.line(format, View::new());
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{format:?}");
            assert!(line.len() < 1 << 17 || format != Format::Human, "{format:?}: {}", line.len());
        }
    }
}
