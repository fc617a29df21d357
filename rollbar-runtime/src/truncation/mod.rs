//! Makes a payload fit the limit of the API: cuts what matters least first, and says so in it.

mod cut;
mod size;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

pub(crate) use size::MAX_DEPTH;

/// The limit that the API documents for the whole JSON; other pages of it say 128 kB.
pub(crate) const DEFAULT_MAX_BYTES: usize = 512 * 1024;

/// A limit of so many bytes or more is always met, for a payload that the API would take otherwise.
pub(crate) const MIN_MAX_BYTES: usize = 32 * 1024;

/// What became of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truncation {
    /// It fits as it is.
    None { bytes: usize },
    /// It fits now; `data.notifier.diagnostic.truncation` lists what was cut.
    Cut { bytes: usize },
    /// It cannot be made to fit: the limit is below [`MIN_MAX_BYTES`], or the body is none that the API takes.
    TooLarge,
}

/// Makes `{"data": {..}}` take at most `max_bytes` as JSON.
///
/// In this order, until it fits: the frames' locals; all frames but 30 at each end; texts beyond 1024, 512 and 256 bytes;
/// the body but for one frame at each end and 255 bytes of message; the largest entries of the request and of the custom
/// data; telemetry; the largest entries of `data`; links of the chain of causes. The body is spared where cutting it would not
/// do, and the entries of the request and the custom data do without it. A text is cut between characters.
pub(crate) fn truncate(payload: &mut Value, max_bytes: usize) -> Truncation {
    if let Some(bytes) = size::within(payload, max_bytes) {
        return Truncation::None { bytes };
    }
    let mut ladder = Ladder { payload, max_bytes, cut: Vec::new() };
    match ladder.descend() {
        Some(bytes) => Truncation::Cut { bytes },
        None => Truncation::TooLarge,
    }
}

struct Ladder<'a> {
    payload: &'a mut Value,
    max_bytes: usize,
    /// What was cut, as the payload tells it.
    cut: Vec<Cow<'static, str>>,
}

const MIN_BODY: &str = "min_body(1+1 frames, message 255, no description)";
const BARE: &str = "all but what is required";

impl Ladder<'_> {
    /// The size when it fits.
    fn descend(&mut self) -> Option<usize> {
        self.step("depth", cut::depth)
            .or_else(|| self.step("locals", cut::locals))
            .or_else(|| self.step("frames(30+30)", |payload| cut::middle_frames(payload, 30)))
            .or_else(|| self.strings())
            .or_else(|| self.min_body_alone())
            .or_else(|| self.shed("request"))
            .or_else(|| self.shed("custom"))
            .or_else(|| self.step("telemetry", cut::telemetry))
            .or_else(|| self.step("extras", cut::extras))
            .or_else(|| self.step(MIN_BODY, |payload| body(payload).is_some_and(cut::min_body)))
            .or_else(|| self.shed_data())
            .or_else(|| {
                let excess = self.excess();
                self.step("trace_chain", |payload| cut::chain(payload, excess))
            })
            .or_else(|| {
                // It says all that was said before.
                self.cut.clear();
                self.step(BARE, cut::bare)
            })
    }

    /// Cuts, notes it if that changed anything, and measures.
    fn step(&mut self, name: &'static str, cut: impl FnOnce(&mut Value) -> bool) -> Option<usize> {
        if !cut(self.payload) {
            return None;
        }
        self.note(name)
    }

    fn strings(&mut self) -> Option<usize> {
        for (max_bytes, name) in [(1024, "strings(1024)"), (512, "strings(512)"), (256, "strings(256)")] {
            if !cut::strings(self.payload, max_bytes) {
                continue;
            }
            // The shortest says it all.
            self.cut.retain(|name| !name.starts_with("strings"));
            if let Some(bytes) = self.note(name) {
                return Some(bytes);
            }
        }
        None
    }

    /// The smallest body, if that alone does; else the body stays as it is for now.
    fn min_body_alone(&mut self) -> Option<usize> {
        let whole = self.payload.get("data")?.get("body")?;
        // A body that is too large itself has to be cut in any case; it need not be kept meanwhile.
        size::within(whole, self.max_bytes)?;
        let whole = whole.clone();
        if let Some(bytes) = self.step(MIN_BODY, |payload| body(payload).is_some_and(cut::min_body)) {
            return Some(bytes);
        }
        if self.cut.pop_if(|name| name == MIN_BODY).is_some() {
            *self.payload.get_mut("data")?.get_mut("body")? = whole;
        }
        None
    }

    /// Drops the largest entries of an object of `data`.
    fn shed(&mut self, key: &'static str) -> Option<usize> {
        let excess = self.excess();
        let data = cut::data(self.payload)?;
        let value = data.get_mut(key)?;
        let Value::Object(entries) = value else {
            data.remove(key);
            return self.note(key);
        };
        let before = entries.len();
        let gone = cut::largest(entries, excess, &[]);
        if gone.is_empty() {
            return None;
        }
        if entries.is_empty() {
            data.remove(key);
            return self.note(key);
        }
        self.note(match gone.as_slice() {
            [gone] if gone.len() <= MAX_NAME_BYTES => Cow::Owned(format!("{key}.{gone}")),
            gone => format!("{key}({} of {before} keys)", gone.len()).into(),
        })
    }

    /// Drops what else there is, the largest first.
    fn shed_data(&mut self) -> Option<usize> {
        let mut gone = Vec::new();
        // What the API does not know goes before what it does.
        if let (excess, Some(top)) = (self.excess(), self.payload.as_object_mut()) {
            gone.extend(cut::largest(top, excess, &["data", "access_token"]));
        }
        if let (excess, Some(data)) = (self.excess(), cut::data(self.payload)) {
            gone.extend(cut::largest(data, excess, &cut::KEPT));
        }
        if gone.is_empty() {
            return None;
        }
        let known = gone.iter().filter(|key| key.len() <= MAX_NAME_BYTES).take(MAX_NAMES);
        self.cut.extend(known.map(|key| Cow::Owned(key.clone())));
        if gone.len() > MAX_NAMES {
            self.cut.push(format!("{} keys", gone.len()).into());
        }
        self.measure_noted()
    }

    /// How many bytes must go, with some for saying so.
    fn excess(&self) -> usize {
        const NOTE_BYTES: usize = 256;
        size::of(self.payload).saturating_sub(self.max_bytes).saturating_add(NOTE_BYTES)
    }

    fn note(&mut self, name: impl Into<Cow<'static, str>>) -> Option<usize> {
        self.cut.push(name.into());
        self.measure_noted()
    }

    fn measure_noted(&mut self) -> Option<usize> {
        if let Some(data) = cut::data(self.payload)
            && let Some(notifier) = object(data, "notifier")
            && let Some(diagnostic) = object(notifier, "diagnostic")
        {
            diagnostic.insert("truncation".to_owned(), json!(self.cut));
        }
        size::within(self.payload, self.max_bytes)
    }
}

/// Names of dropped entries that are told, and their length.
const MAX_NAMES: usize = 8;
const MAX_NAME_BYTES: usize = 40;

fn body(payload: &mut Value) -> Option<&mut Map<String, Value>> {
    cut::data(payload)?.get_mut("body")?.as_object_mut()
}

/// The object of this key, made where there is none; `None` where there is something else.
fn object<'a>(entries: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    let value = entries.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut()
}

#[cfg(test)]
mod tests;
