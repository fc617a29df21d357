//! Items kept in memory, for tests of the user's code.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use uuid::Uuid;

use crate::Level;
use crate::assembly::Assembly;
use crate::occurrence::Occurrence;
use crate::panic;
use crate::settings::Settings;
use crate::stats::{Counters, Loss};

/// Items that are kept: a test that reports more has another purpose.
const MAX: usize = 100_000;

/// Makes items where they are reported, and keeps them.
pub(crate) struct Memory {
    items: Items,
    counters: Arc<Counters>,
    assembly: Mutex<Option<Assembly>>,
}

type Items = Arc<Mutex<Vec<CapturedItem>>>;

impl Memory {
    pub(crate) fn new() -> (Self, Captured) {
        let items = Items::default();
        let memory = Self { items: Arc::clone(&items), counters: Arc::default(), assembly: Mutex::default() };
        (memory, Captured(items))
    }

    pub(crate) fn begin(mut self, settings: &Arc<Settings>, counters: &Arc<Counters>) -> Self {
        self.counters = Arc::clone(counters);
        self.assembly = Mutex::new(Some(Assembly::new(Arc::clone(settings), Arc::clone(counters))));
        self
    }

    pub(crate) fn take_in(&self, occurrence: Box<Occurrence>) -> bool {
        let mut assembly = self.assembly.lock().unwrap_or_else(PoisonError::into_inner);
        let assembly_here = assembly.as_mut();
        let assemble = || assembly_here.and_then(|assembly| assembly.assemble(*occurrence));
        // The user's hooks run here, perhaps within the panic hook.
        let assembled = if std::thread::panicking() { panic::beside(assemble).flatten() } else { assemble() };
        drop(assembly);
        let Some(assembled) = assembled else {
            // It was taken in, and a hook holds it back.
            self.counters.hold_back(0);
            return false;
        };
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() == MAX {
            self.counters.lose(Loss::QueueFull, 1, 0);
            return false;
        }
        items.push(CapturedItem { uuid: assembled.uuid, level: assembled.level, tree: assembled.tree });
        self.counters.accept(0);
        true
    }
}

/// What a client in memory would have sent.
#[derive(Debug, Clone)]
pub struct Captured(Items);

impl Captured {
    /// The items so far, in the order of their reports.
    pub fn items(&self) -> Vec<CapturedItem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one item that was reported.
    ///
    /// # Panics
    /// Where there is none, or more than one: this is for tests.
    #[track_caller]
    pub fn only(&self) -> CapturedItem {
        let mut items = self.items();
        assert_eq!(items.len(), 1, "one item was expected: {items:#?}");
        items.remove(0)
    }

    /// Forgets the items so far.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// An item as it would have been sent.
#[derive(Debug, Clone, PartialEq)]
pub struct CapturedItem {
    uuid: Uuid,
    level: Level,
    tree: Value,
}

impl CapturedItem {
    /// The item as JSON: the value of `data`.
    pub fn json(&self) -> &Value {
        &self.tree["data"]
    }

    /// The occurrence's identity.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The errors, outermost first; empty for a message.
    pub fn traces(&self) -> Vec<&Value> {
        let body = &self.json()["body"];
        match body["trace_chain"].as_array() {
            Some(chain) => chain.iter().collect(),
            None => body.get("trace").into_iter().collect(),
        }
    }

    /// The class of the outermost error.
    pub fn class(&self) -> Option<&str> {
        self.traces().first().and_then(|trace| trace["exception"]["class"].as_str())
    }

    /// The text of the outermost error, or of the message.
    pub fn message(&self) -> Option<&str> {
        match self.traces().first() {
            Some(trace) => trace["exception"]["message"].as_str(),
            None => self.json()["body"]["message"]["body"].as_str(),
        }
    }

    /// Where it happened: file, line and function of the innermost frame.
    pub fn place(&self) -> Option<(&str, u64, Option<&str>)> {
        let traces = self.traces();
        let frame = traces.first()?["frames"].as_array()?.last()?;
        Some((frame["filename"].as_str()?, frame["lineno"].as_u64()?, frame["method"].as_str()))
    }
}
