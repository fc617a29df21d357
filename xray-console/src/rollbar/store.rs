//! Items, occurrences and deploys, in memory and bounded.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::{Change, Deploy, Item, Occurrence, Settings};

/// The most deploys that are kept; the oldest go first.
const MAX_DEPLOYS: usize = 1_000;

/// What was accepted, as far as there is room for it.
#[derive(Debug, Default)]
pub(super) struct Store {
    items: BTreeMap<u64, Item>,
    /// Environment and fingerprint to the item's id.
    groups: HashMap<(String, String), u64>,
    /// By id, the oldest first.
    occurrences: VecDeque<Arc<Occurrence>>,
    uuids: HashSet<String>,
    bytes: usize,
    deploys: VecDeque<Deploy>,
    last_item: u64,
    last_occurrence: u64,
    last_deploy: u64,
    pub(super) evicted_occurrences: u64,
    pub(super) evicted_items: u64,
}

impl Store {
    /// Whether an occurrence of this uuid is kept.
    pub(super) fn knows(&self, uuid: &str) -> bool {
        self.uuids.contains(uuid)
    }

    /// Stores an occurrence and gives it its numbers.
    pub(super) fn add(&mut self, mut occurrence: Occurrence, settings: &Settings) -> Arc<Occurrence> {
        self.last_occurrence += 1;
        occurrence.id = self.last_occurrence;
        let group = (occurrence.environment.clone(), occurrence.fingerprint.clone());
        let id = match self.groups.get(&group) {
            Some(id) => *id,
            None => {
                self.last_item += 1;
                let id = self.last_item;
                self.items.insert(id, Item::of(&occurrence, id, id));
                self.groups.insert(group, id);
                id
            }
        };
        (occurrence.item_id, occurrence.counter) = (id, id);
        if let Some(item) = self.items.get_mut(&id) {
            occurrence.change = item.count(&occurrence);
            item.seen = occurrence.id;
        }
        if occurrence.change == Change::New {
            self.evict_items(settings.max_items.max(1));
        }
        let occurrence = Arc::new(occurrence);
        self.uuids.insert(occurrence.uuid.clone());
        self.bytes += weight(&occurrence.data);
        self.occurrences.push_back(Arc::clone(&occurrence));
        while self.occurrences.len() > settings.max_occurrences.max(1)
            || self.bytes > settings.max_stored_bytes && self.occurrences.len() > 1
        {
            if let Some(oldest) = self.occurrences.pop_front() {
                self.forget(&oldest);
            }
        }
        occurrence
    }

    /// Forgets the items that were not seen for longest. Their occurrences stay until they are old themselves.
    fn evict_items(&mut self, max: usize) {
        while self.items.len() > max {
            let Some((&id, _)) = self.items.iter().min_by_key(|(_, item)| item.seen) else { return };
            if let Some(item) = self.items.remove(&id) {
                self.groups.remove(&(item.environment, item.fingerprint));
            }
            self.evicted_items += 1;
        }
    }

    fn forget(&mut self, occurrence: &Occurrence) {
        self.uuids.remove(&occurrence.uuid);
        self.bytes -= weight(&occurrence.data);
        self.evicted_occurrences += 1;
    }

    pub(super) fn item(&self, id: u64) -> Option<&Item> {
        self.items.get(&id)
    }

    pub(super) fn item_mut(&mut self, id: u64) -> Option<&mut Item> {
        self.items.get_mut(&id)
    }

    /// The items, the one that was seen last first.
    pub(super) fn items(&self) -> Vec<&Item> {
        let mut items: Vec<&Item> = self.items.values().collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.seen));
        items
    }

    /// The occurrences, the last first.
    pub(super) fn occurrences(&self) -> impl Iterator<Item = &Arc<Occurrence>> {
        self.occurrences.iter().rev()
    }

    fn index_of(&self, id: u64) -> Option<usize> {
        self.occurrences.binary_search_by_key(&id, |occurrence| occurrence.id).ok()
    }

    pub(super) fn occurrence(&self, id: u64) -> Option<&Arc<Occurrence>> {
        self.occurrences.get(self.index_of(id)?)
    }

    /// Deletes an occurrence, as a user asked; tells whether it was there.
    pub(super) fn delete_occurrence(&mut self, id: u64) -> bool {
        let Some(gone) = self.index_of(id).and_then(|index| self.occurrences.remove(index)) else {
            return false;
        };
        self.uuids.remove(&gone.uuid);
        self.bytes -= weight(&gone.data);
        true
    }

    /// Stores a deploy and gives it its id.
    pub(super) fn add_deploy(&mut self, mut deploy: Deploy) -> Deploy {
        self.last_deploy += 1;
        deploy.id = self.last_deploy;
        self.deploys.push_back(deploy.clone());
        if self.deploys.len() > MAX_DEPLOYS {
            self.deploys.pop_front();
        }
        deploy
    }

    pub(super) fn deploy_mut(&mut self, id: u64) -> Option<&mut Deploy> {
        let index = self.deploys.binary_search_by_key(&id, |deploy| deploy.id).ok()?;
        self.deploys.get_mut(index)
    }

    /// The deploys, the last first.
    pub(super) fn deploys(&self) -> impl Iterator<Item = &Deploy> {
        self.deploys.iter().rev()
    }
}

/// About how many bytes of memory a value takes: that of many small values is a multiple of their JSON.
fn weight(value: &Value) -> usize {
    let own = size_of::<Value>();
    own + match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(weight).sum(),
        // A node of a map has room for a few more keys than it holds.
        Value::Object(object) => {
            object.iter().map(|(key, value)| 2 * size_of::<String>() + key.len() + own + weight(value)).sum()
        }
        _ => 0,
    }
}
