//! An occurrence: what is captured on the caller. All that costs more than a copy is left to the worker.

use std::borrow::Cow;
use std::time::SystemTime;

use serde_json::{Map, Value};
use uuid::Uuid;
use xray_error::Chain;

use crate::Level;
use crate::item::Person;
use crate::scope::Known;

/// What happened, and where.
#[derive(Debug)]
pub(crate) struct Occurrence {
    pub(crate) uuid: Uuid,
    pub(crate) level: Level,
    pub(crate) time: SystemTime,
    pub(crate) what: What,
    /// Where it was reported. The innermost frame, where the stack does not have it.
    pub(crate) place: Option<Place>,
    /// Instruction addresses, innermost first.
    pub(crate) addresses: Box<[usize]>,
    pub(crate) known: Known,
    pub(crate) extras: Extras,
    /// The trace and the segment that it happened in.
    pub(crate) trace: Option<(String, String)>,
    pub(crate) thread: Option<Box<str>>,
    /// Occurrences of the same fingerprint that this one stands for, beside itself.
    pub(crate) coalesced: u64,
}

/// The three things that can be reported.
#[derive(Debug)]
pub(crate) enum What {
    Message { text: String, fields: Map<String, Value> },
    Error(Chain),
    Panic(Chain),
}

/// A place in the user's code.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) file: Cow<'static, str>,
    pub(crate) line: u32,
    pub(crate) method: Option<Cow<'static, str>>,
}

/// What a report says of itself, beyond what the scope knows.
#[derive(Debug, Default, Clone)]
pub(crate) struct Extras {
    pub(crate) title: Option<String>,
    pub(crate) fingerprint: Option<String>,
    pub(crate) context: Option<Cow<'static, str>>,
    pub(crate) person: Option<Person>,
    pub(crate) custom: Map<String, Value>,
    /// Names and `Debug` texts of variables.
    pub(crate) locals: Vec<(Cow<'static, str>, String)>,
}

impl Occurrence {
    /// What is counted for it against the queue's bound: an estimate, and never less than its texts.
    pub(crate) fn bytes(&self) -> usize {
        let what = match &self.what {
            What::Message { text, fields } => text.len() + json_bytes(fields),
            What::Error(chain) | What::Panic(chain) => {
                chain.links.iter().map(|link| link.message.len() + link.type_name.len() + 64).sum()
            }
        };
        let extras = &self.extras;
        let locals: usize = extras.locals.iter().map(|(name, text)| name.len() + text.len() + 64).sum();
        let texts = [&extras.title, &extras.fingerprint];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        // The scope's values are shared with other items of the scope: counted once for each all the same.
        size_of::<Self>()
            + what
            + locals
            + texts
            + extras.context.as_ref().map_or(0, |context| context.len())
            + json_bytes(&extras.custom)
            + json_bytes(&self.known.custom)
            + self.known.served.as_ref().map_or(0, |served| served.bytes())
            + size_of_val::<[usize]>(&self.addresses)
            + self.known.telemetry.len() * 16
    }

    /// What bursts are recognized by: the fingerprint, where one is given; else the kind, the class and the place.
    pub(crate) fn burst_key(&self) -> (u64, u64) {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut group = DefaultHasher::new();
        self.level.hash(&mut group);
        let mut text = DefaultHasher::new();
        match &self.what {
            What::Message { text: message, .. } => message.hash(&mut text),
            What::Error(chain) | What::Panic(chain) => {
                for link in &chain.links {
                    link.type_name.hash(&mut group);
                    link.message.hash(&mut text);
                }
            }
        }
        let given = self.extras.fingerprint.as_deref().or(self.known.fingerprint.as_deref());
        match given {
            Some(given) => given.hash(&mut group),
            None => {
                std::mem::discriminant(&self.what).hash(&mut group);
                self.addresses.hash(&mut group);
                if let Some(place) = &self.place {
                    (&place.file, place.line).hash(&mut group);
                }
            }
        }
        (group.finish(), text.finish())
    }
}

fn json_bytes(map: &Map<String, Value>) -> usize {
    fn of(value: &Value) -> usize {
        32 + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(of).sum(),
            Value::Object(map) => json_bytes(map),
            _ => 0,
        }
    }
    map.iter().map(|(key, value)| key.len() + 32 + of(value)).sum()
}
