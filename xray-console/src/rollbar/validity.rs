//! The rules of an item's format: `{"access_token"?, "data": {..}}`.
//!
//! Each rule knows how sure we are that Rollbar enforces it. Reasons and messages are worded as the API's own where those
//! were seen.

use std::fmt;

use serde_json::{Map, Value};

use super::Mode;

/// The levels of items and of telemetry.
pub(super) const LEVELS: [&str; 5] = ["critical", "error", "warning", "info", "debug"];
const TELEMETRY_TYPES: [&str; 6] = ["log", "network", "dom", "navigation", "error", "manual"];
/// Of these an item's body has exactly one.
const BODIES: [&str; 4] = ["trace", "trace_chain", "message", "crash_report"];

/// The most violations that are kept of one item: those that surely refuse it, and as many others.
const MAX_KEPT: usize = 100;

/// How sure it is that Rollbar enforces a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Its documentation says so.
    Documented,
    /// It was seen to.
    Observed,
    /// It follows from what is documented, and was not seen.
    Inferred,
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Documented => "documented",
            Self::Observed => "observed",
            Self::Inferred => "inferred",
        })
    }
}

/// A rule that an item breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// How sure the rule is.
    pub certainty: Certainty,
    /// The rule, in a word for code: `missing:environment`, `type:level`.
    pub reason: String,
    /// What is wrong and where: `data.level should be string.`
    pub message: String,
    /// Nothing can be made of such an item, however sure the rule is.
    unusable: bool,
}

impl Violation {
    /// Whether the item is refused for it.
    #[must_use]
    pub fn is_refused(&self, mode: Mode) -> bool {
        mode == Mode::Strict || self.unusable || self.certainty != Certainty::Inferred
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.certainty)
    }
}

/// All the rules that a payload breaks, in the order in which the API looks at them; none where it is valid. What is
/// inside of a thing of the wrong type is not looked at. At most 200 are told.
///
/// ```
/// use serde_json::json;
/// use xray_console::rollbar::violations;
///
/// let payload = json!({"data": {"environment": "test", "body": {"message": {"body": "x"}}, "level": 3}});
/// assert_eq!(violations(&payload)[0].message, "data.level should be string.");
/// ```
#[must_use]
pub fn violations(payload: &Value) -> Vec<Violation> {
    let mut check = Check::default();
    check.payload(payload);
    check.found
}

use Certainty::{Documented, Inferred, Observed};

#[derive(Default)]
struct Check {
    found: Vec<Violation>,
    inferred: usize,
    sure: usize,
}

type Object = Map<String, Value>;

/// The value of a key, where it is there and not null.
fn given<'a>(object: &'a Object, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

fn one_of(value: &Value, words: &[&str]) -> bool {
    value.as_str().is_some_and(|text| words.contains(&text))
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

impl Check {
    /// Notes a rule that is broken; tells whether it holds.
    fn need(
        &mut self,
        holds: bool,
        certainty: Certainty,
        reason: fmt::Arguments<'_>,
        message: fmt::Arguments<'_>,
    ) -> bool {
        if !holds {
            self.note(certainty, reason, message, false);
        }
        holds
    }

    fn note(
        &mut self,
        certainty: Certainty,
        reason: fmt::Arguments<'_>,
        message: fmt::Arguments<'_>,
        unusable: bool,
    ) {
        let kept = if certainty == Inferred && !unusable { &mut self.inferred } else { &mut self.sure };
        *kept += 1;
        if *kept <= MAX_KEPT {
            let (reason, message) = (reason.to_string(), message.to_string());
            self.found.push(Violation { certainty, reason, message, unusable });
        }
    }

    /// The object that must be here, or else nothing can be made of the item.
    fn root<'a>(&mut self, value: &'a Value, reason: &str, path: fmt::Arguments<'_>) -> Option<&'a Object> {
        if !value.is_object() {
            self.note(
                Inferred,
                format_args!("type:{reason}"),
                format_args!("{path} should be object."),
                true,
            );
        }
        value.as_object()
    }

    /// The object of a key that may be absent or null.
    fn object<'a>(&mut self, parent: &'a Object, key: &str, path: fmt::Arguments<'_>) -> Option<&'a Object> {
        let value = given(parent, key)?;
        self.need(
            value.is_object(),
            Inferred,
            format_args!("type:{path}"),
            format_args!("{path} should be object."),
        );
        value.as_object()
    }

    /// A text that may be absent or null, of at most `limit` characters.
    fn text(
        &mut self,
        parent: &Object,
        key: &str,
        path: fmt::Arguments<'_>,
        limit: Option<usize>,
        certainty: Certainty,
    ) {
        let Some(value) = given(parent, key) else { return };
        let Some(text) = value.as_str() else {
            return self.note(
                certainty,
                format_args!("type:{path}"),
                format_args!("{path} should be string."),
                false,
            );
        };
        if let Some(limit) = limit {
            self.at_most(text, limit, path);
        }
    }

    fn at_most(&mut self, text: &str, limit: usize, path: fmt::Arguments<'_>) {
        // A text of so few bytes has not more characters.
        let fits = text.len() <= limit || text.chars().count() <= limit;
        self.need(
            fits,
            Inferred,
            format_args!("length:{path}"),
            format_args!("{path} should be at most {limit} characters."),
        );
    }

    /// The value of a key that must be there; it may be null.
    fn required<'a>(
        &mut self,
        parent: &'a Object,
        key: &str,
        reason: &str,
        path: fmt::Arguments<'_>,
    ) -> Option<&'a Value> {
        let value = parent.get(key);
        self.need(
            value.is_some(),
            Documented,
            format_args!("missing:{reason}"),
            format_args!("{path}.{key} must not be undefined."),
        );
        value
    }

    /// A text that must be there.
    fn required_text(&mut self, parent: &Object, key: &str, reason: &str, path: fmt::Arguments<'_>) {
        if let Some(value) = self.required(parent, key, reason, path) {
            self.need(
                value.is_string(),
                Inferred,
                format_args!("type:{reason}"),
                format_args!("{path}.{key} should be string."),
            );
        }
    }

    fn payload(&mut self, payload: &Value) {
        let Some(payload) = self.root(payload, "payload", format_args!("payload")) else { return };
        match payload.get("data") {
            Some(data) => self.data(data),
            None => self.note(
                Documented,
                format_args!("missing:data"),
                format_args!("data must not be undefined."),
                false,
            ),
        }
    }

    fn data(&mut self, data: &Value) {
        let Some(data) = self.root(data, "data", format_args!("data")) else { return };
        match given(data, "environment") {
            None => self.note(
                Documented,
                format_args!("missing:environment"),
                format_args!("data.environment must not be undefined."),
                false,
            ),
            Some(Value::String(text)) => {
                // Its reason names the field alone.
                let fits = text.chars().count() <= 255;
                let message = format_args!("data.environment should be at most 255 characters.");
                self.need(fits, Inferred, format_args!("length:environment"), message);
            }
            Some(_) => self.note(
                Inferred,
                format_args!("type:environment"),
                format_args!("data.environment should be string."),
                false,
            ),
        }
        match data.get("body") {
            Some(body) => self.body(body),
            None => self.note(
                Documented,
                format_args!("missing:body"),
                format_args!(
                    "data.body must not be undefined. Instead, it should be an object with a 'message', 'trace', \
                     'trace_chain', or 'crash_report' key."
                ),
                false,
            ),
        }
        self.facts(data);
        self.request(data);
        self.person(data);
        if let Some(server) = self.object(data, "server", format_args!("data.server")) {
            for key in ["host", "root", "branch", "code_version"] {
                self.text(server, key, format_args!("data.server.{key}"), None, Inferred);
            }
        }
        self.object(data, "client", format_args!("data.client"));
        self.object(data, "custom", format_args!("data.custom"));
        if let Some(notifier) = self.object(data, "notifier", format_args!("data.notifier")) {
            for key in ["name", "version"] {
                self.text(notifier, key, format_args!("data.notifier.{key}"), None, Inferred);
            }
        }
    }

    /// The texts and numbers directly in `data`.
    fn facts(&mut self, data: &Object) {
        match given(data, "level") {
            None => {}
            Some(level @ Value::String(_)) => {
                let message = format_args!("data.level should be one of {}.", LEVELS.join(", "));
                self.need(one_of(level, &LEVELS), Documented, format_args!("enum:level"), message);
            }
            Some(_) => {
                let message = format_args!("data.level should be string.");
                self.note(Observed, format_args!("type:level"), message, false);
            }
        }
        if let Some(timestamp) = given(data, "timestamp") {
            let message = format_args!("data.timestamp should be number.");
            self.need(timestamp.is_number(), Inferred, format_args!("type:timestamp"), message);
        }
        for (key, limit, certainty) in [
            ("code_version", Some(40), Observed),
            ("platform", None, Inferred),
            ("language", None, Inferred),
            ("framework", None, Inferred),
            ("context", Some(255), Observed),
            ("title", Some(255), Inferred),
            ("uuid", Some(36), Inferred),
            // Of any length: of a long one the SHA-1 is taken.
            ("fingerprint", None, Inferred),
        ] {
            self.text(data, key, format_args!("data.{key}"), limit, certainty);
        }
    }

    fn request(&mut self, data: &Object) {
        let Some(request) = self.object(data, "request", format_args!("data.request")) else { return };
        for key in ["url", "method", "query_string", "user_ip"] {
            self.text(request, key, format_args!("data.request.{key}"), None, Inferred);
        }
        for key in ["headers", "params"] {
            self.object(request, key, format_args!("data.request.{key}"));
        }
    }

    fn person(&mut self, data: &Object) {
        let path = "data.person";
        let Some(person) = self.object(data, "person", format_args!("{path}")) else { return };
        match given(person, "id") {
            None => self.note(
                Documented,
                format_args!("missing:person.id"),
                format_args!("{path}.id must not be undefined."),
                false,
            ),
            Some(Value::String(id)) => {
                let message = format_args!("{path}.id should be at most 40 characters.");
                self.need(id.chars().count() <= 40, Inferred, format_args!("length:person.id"), message);
            }
            Some(_) => self.note(
                Inferred,
                format_args!("type:person.id"),
                format_args!("{path}.id should be string."),
                false,
            ),
        }
        for key in ["username", "email"] {
            self.text(person, key, format_args!("{path}.{key}"), Some(255), Inferred);
        }
    }

    fn body(&mut self, body: &Value) {
        let path = "data.body";
        let Some(body) = self.root(body, "body", format_args!("{path}")) else { return };
        let kinds = BODIES.iter().filter(|kind| body.contains_key(**kind)).count();
        if !self.need(
            kinds == 1,
            Documented,
            format_args!("body:exactly-one"),
            format_args!(
                "{path} must have either a 'trace', 'trace_chain', 'message' or 'crash_report' property, (but not \
                 more than one)."
            ),
        ) {
            return;
        }
        if let Some(trace) = body.get("trace") {
            self.trace(trace, format_args!("{path}.trace"));
        }
        if let Some(chain) = body.get("trace_chain") {
            self.trace_chain(chain);
        }
        for (kind, key) in [("message", "body"), ("crash_report", "raw")] {
            let Some(value) = body.get(kind) else { continue };
            if let Some(object) = self.root(value, kind, format_args!("{path}.{kind}")) {
                self.required_text(object, key, &format!("{kind}.{key}"), format_args!("{path}.{kind}"));
            }
        }
        if let Some(telemetry) = given(body, "telemetry") {
            self.telemetry(telemetry);
        }
    }

    fn trace_chain(&mut self, chain: &Value) {
        let Some(links) = chain.as_array() else {
            let message = format_args!("data.body.trace_chain should be array.");
            return self.note(Inferred, format_args!("type:trace_chain"), message, true);
        };
        self.need(
            !links.is_empty(),
            Documented,
            format_args!("empty:trace_chain"),
            format_args!("data.body.trace_chain should have at least one element."),
        );
        for (index, link) in links.iter().enumerate() {
            self.trace(link, format_args!("data.body.trace_chain.{index}"));
        }
    }

    fn trace(&mut self, trace: &Value, path: fmt::Arguments<'_>) {
        let Some(trace) = self.root(trace, "trace", path) else { return };
        if let Some(frames) = self.required(trace, "frames", "frames", path) {
            let message = format_args!("{path}.frames should be array.");
            self.need(frames.is_array(), Inferred, format_args!("type:frames"), message);
            for (index, frame) in frames.as_array().into_iter().flatten().enumerate() {
                self.frame(frame, format_args!("{path}.frames.{index}"));
            }
        }
        let Some(exception) = self.required(trace, "exception", "exception", path) else { return };
        let message = format_args!("{path}.exception should be object.");
        self.need(exception.is_object(), Inferred, format_args!("type:exception"), message);
        let Some(exception) = exception.as_object() else { return };
        self.required_text(exception, "class", "class", format_args!("{path}.exception"));
        for (key, certainty) in [("message", Observed), ("description", Inferred)] {
            if let Some(value) = given(exception, key) {
                self.need(
                    value.is_string(),
                    certainty,
                    format_args!("type:exception.{key}"),
                    format_args!("{path}.exception.{key} should be string."),
                );
            }
        }
    }

    fn frame(&mut self, frame: &Value, path: fmt::Arguments<'_>) {
        let message = format_args!("{path} should be object.");
        self.need(frame.is_object(), Inferred, format_args!("type:frame"), message);
        let Some(frame) = frame.as_object() else { return };
        self.required_text(frame, "filename", "filename", path);
        for key in ["lineno", "colno"] {
            if let Some(value) = given(frame, key) {
                let message = format_args!("{path}.{key} should be integer.");
                self.need(is_integer(value), Inferred, format_args!("type:{key}"), message);
            }
        }
        for key in ["method", "code", "class_name", "varargspec", "keywordspec"] {
            self.text(frame, key, format_args!("{path}.{key}"), None, Inferred);
        }
        if let Some(context) = self.object(frame, "context", format_args!("{path}.context")) {
            for key in ["pre", "post"] {
                if let Some(value) = given(context, key) {
                    let texts = value.as_array().is_some_and(|lines| lines.iter().all(Value::is_string));
                    let message = format_args!("{path}.context.{key} should be array.");
                    self.need(texts, Inferred, format_args!("type:context"), message);
                }
            }
        }
        if let Some(value) = given(frame, "argspec") {
            let message = format_args!("{path}.argspec should be array.");
            self.need(value.is_array(), Inferred, format_args!("type:argspec"), message);
        }
        if let Some(value) = given(frame, "locals") {
            let message = format_args!("{path}.locals should be object.");
            self.need(value.is_object(), Inferred, format_args!("type:locals"), message);
        }
    }

    fn telemetry(&mut self, telemetry: &Value) {
        let message = format_args!("data.body.telemetry should be array.");
        self.need(telemetry.is_array(), Observed, format_args!("type:telemetry"), message);
        for (index, event) in telemetry.as_array().into_iter().flatten().enumerate() {
            self.event(event, format_args!("data.body.telemetry.{index}"));
        }
    }

    fn event(&mut self, event: &Value, path: fmt::Arguments<'_>) {
        let message = format_args!("{path} should be object.");
        self.need(event.is_object(), Inferred, format_args!("type:telemetry[]"), message);
        let Some(event) = event.as_object() else { return };
        let keys = ["level", "type", "source", "timestamp_ms", "body"];
        let values = keys.map(|key| self.required(event, key, &format!("telemetry.{key}"), path));
        for (key, value) in keys.into_iter().zip(values) {
            let Some(value) = value else { continue };
            let (holds, kind, wanted) = match key {
                "level" => (one_of(value, &LEVELS), "enum", format!("one of {}", LEVELS.join(", "))),
                "type" => (
                    one_of(value, &TELEMETRY_TYPES),
                    "enum",
                    format!("one of {}", TELEMETRY_TYPES.join(", ")),
                ),
                "source" => (value.is_string(), "type", "string".to_owned()),
                "timestamp_ms" => (value.is_number(), "type", "number".to_owned()),
                _ => (value.is_object(), "type", "object".to_owned()),
            };
            self.need(
                holds,
                Inferred,
                format_args!("{kind}:telemetry.{key}"),
                format_args!("{path}.{key} should be {wanted}."),
            );
        }
    }
}
