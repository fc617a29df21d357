//! Masks what should not leave the process, in the tree that an item became.
//!
//! One pass over the final tree: the values of keys that match are masked whole ([`key`]), and each text loses the
//! passwords of URLs, the values of matching parameters ([`url`]) and what looks like a credential ([`secret`]). All else
//! stays byte for byte.

mod begins;
mod card;
mod key;
mod secret;
mod text;
mod url;

pub(crate) use key::DEFAULT_FIELDS;

use serde_json::Value;

use crate::tree::discard;
use key::Fields;

/// What stands in place of what is masked. It has no length to learn from.
pub(crate) const MASK: &str = "********";

/// How often a text is looked at, so long as each look masks more.
const MAX_LOOKS: usize = 8;

/// Masks the fields that it knows, and what looks like a credential in any text.
#[derive(Debug, Clone)]
pub(crate) struct Scrubber {
    fields: Fields,
}

impl Default for Scrubber {
    fn default() -> Self {
        Self::new(DEFAULT_FIELDS)
    }
}

impl Scrubber {
    /// One that knows these fields, and those of [`secret::LABELS`]: names, in any case and with or without `-` and `_`; `*` stands for any text.
    pub(crate) fn new<I>(fields: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut scrubber = Self { fields: Fields::default() };
        scrubber.add(secret::LABELS);
        scrubber.add(fields);
        scrubber
    }

    /// Makes it know these fields as well.
    pub(crate) fn add<I>(&mut self, fields: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        fields.into_iter().for_each(|field| self.fields.add(field.as_ref()));
    }

    /// Masks what is to be masked in a tree of any depth; running it again changes nothing.
    pub(crate) fn scrub(&self, tree: &mut Value) {
        // Not by recursion: a tree may be deeper than the stack.
        let mut left = vec![tree];
        while let Some(value) = left.pop() {
            match value {
                Value::String(text) => {
                    if let Some(masked) = self.scrub_text(text) {
                        *text = masked;
                    }
                }
                Value::Array(values) => left.extend(values),
                Value::Object(entries) => {
                    self.rename(entries);
                    for (key, value) in entries {
                        if self.fields.has(key) {
                            if !value.is_null() {
                                discard(std::mem::replace(value, MASK.into()));
                            }
                        } else if let (Value::String(text), true) = (&mut *value, key::is_query(key)) {
                            if let Some(masked) = self.scrub_query(text) {
                                *text = masked;
                            }
                        } else {
                            left.push(value);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The text with what is to be masked masked; `None` when that is nothing.
    pub(crate) fn scrub_text(&self, text: &str) -> Option<String> {
        self.settled(text, false)
    }

    /// The same for the query of a URL without its `?`: the text begins with a parameter.
    fn scrub_query(&self, text: &str) -> Option<String> {
        self.settled(text, true)
    }

    /// A mask may end what hid another secret, as a key in a URL's host does: what was masked is looked at again.
    fn settled(&self, text: &str, query: bool) -> Option<String> {
        let mut masked = text::scrub(&self.fields, text, query)?;
        for _ in 1..MAX_LOOKS {
            let Some(again) = text::scrub(&self.fields, &masked, query) else { break };
            masked = again;
        }
        Some(masked)
    }

    /// Keys are texts too: of a map by URL, say.
    fn rename(&self, entries: &mut serde_json::Map<String, Value>) {
        let renamed: Vec<_> =
            entries.keys().filter_map(|key| Some((key.clone(), self.scrub_text(key)?))).collect();
        for (key, masked) in renamed {
            if let Some(value) = entries.remove(&key) {
                entries.insert(masked, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
