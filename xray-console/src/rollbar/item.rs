//! One item: the occurrences of one fingerprint in one environment.

use serde_json::{Map, Value, json};

use super::deploy::Wrong;
use super::validity::LEVELS;
use super::{Change, Occurrence};

/// The states that a user may put an item in.
pub(super) const STATES: [&str; 4] = ["active", "resolved", "muted", "archived"];

/// What is known of an item.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Item {
    /// Its id.
    pub id: u64,
    /// Its number, counted from 1.
    pub counter: u64,
    /// The environment.
    pub environment: String,
    /// What its occurrences have in common.
    pub fingerprint: String,
    /// The title of the occurrence that made or reactivated it.
    pub title: String,
    /// The level of the first occurrence.
    pub level: String,
    /// `active`, `resolved`, `muted` or `archived`.
    pub status: String,
    /// The version that it was resolved in.
    pub resolved_in_version: Option<String>,
    /// Whom it is assigned to.
    pub assigned_user_id: Option<u64>,
    /// The platform of the first occurrence.
    pub platform: Option<String>,
    /// Its framework.
    pub framework: Option<String>,
    /// How many occurrences there were, those that a sender made one of included.
    pub total_occurrences: u64,
    /// Id and Unix time of the first occurrence.
    pub first: (u64, f64),
    /// Of the one that made it active.
    pub activating: (u64, f64),
    /// Of the last.
    pub last: (u64, f64),
    /// When it was resolved last, in Unix seconds.
    pub last_resolved: Option<u64>,
    /// When it was muted last, in Unix seconds.
    pub last_muted: Option<u64>,
    /// When it was seen last, in the store's own count.
    pub(super) seen: u64,
}

impl Item {
    /// The item that an occurrence makes.
    pub(super) fn of(occurrence: &Occurrence, id: u64, counter: u64) -> Self {
        let text = |key: &str| occurrence.data[key].as_str().map(|text| super::grouping::first(text, 255));
        let at = (occurrence.id, occurrence.timestamp);
        Self {
            id,
            counter,
            environment: occurrence.environment.clone(),
            fingerprint: occurrence.fingerprint.clone(),
            title: occurrence.title.clone(),
            level: occurrence.level.clone(),
            status: "active".to_owned(),
            resolved_in_version: None,
            assigned_user_id: None,
            platform: text("platform"),
            framework: text("framework"),
            total_occurrences: 0,
            first: at,
            activating: at,
            last: at,
            last_resolved: None,
            last_muted: None,
            seen: 0,
        }
    }

    /// Counts an occurrence; tells what it did.
    pub(super) fn count(&mut self, occurrence: &Occurrence) -> Change {
        let at = (occurrence.id, occurrence.timestamp);
        let new = self.total_occurrences == 0;
        self.total_occurrences = self.total_occurrences.saturating_add(occurrence.count);
        self.last = at;
        if new {
            return Change::New;
        }
        if self.status != "resolved" || self.is_before_the_fix(occurrence) {
            return Change::Again;
        }
        self.status = "active".to_owned();
        self.resolved_in_version = None;
        self.activating = at;
        self.title.clone_from(&occurrence.title);
        Change::Reactivated
    }

    /// Whether an occurrence comes from a version older than the one that the item was resolved in. Versions that are
    /// no numbers (a SHA) have no order: another one than that of the fix counts as newer.
    fn is_before_the_fix(&self, occurrence: &Occurrence) -> bool {
        let numbers = |version: &str| -> Option<Vec<u64>> {
            version.trim_start_matches('v').split('.').map(|part| part.parse().ok()).collect()
        };
        let fix = self.resolved_in_version.as_deref().and_then(numbers);
        let own = occurrence.code_version.as_deref().and_then(numbers);
        matches!((own, fix), (Some(own), Some(fix)) if own < fix)
    }

    /// The item as `GET /api/1/item/<id>` gives it.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "counter": self.counter,
            "project_id": 1,
            "environment": self.environment,
            "platform": self.platform,
            "framework": self.framework,
            "hash": self.fingerprint,
            "title": self.title,
            "level": self.level,
            "status": self.status,
            "resolved_in_version": self.resolved_in_version,
            "assigned_user_id": self.assigned_user_id,
            "total_occurrences": self.total_occurrences,
            "first_occurrence_id": self.first.0,
            "first_occurrence_timestamp": self.first.1,
            "activating_occurrence_id": self.activating.0,
            "last_activated_timestamp": self.activating.1,
            "last_occurrence_id": self.last.0,
            "last_occurrence_timestamp": self.last.1,
            "last_resolved_timestamp": self.last_resolved,
            "last_muted_timestamp": self.last_muted,
        })
    }

    /// Changes it as `PATCH /api/1/item/<id>` asks: all of it, or nothing where a field is wrong.
    pub(super) fn change(&mut self, fields: &Map<String, Value>, now: u64) -> Result<(), Wrong> {
        let mut changed = self.clone();
        for (key, value) in fields {
            changed.set(key, value, now)?;
        }
        *self = changed;
        Ok(())
    }

    fn set(&mut self, key: &str, value: &Value, now: u64) -> Result<(), Wrong> {
        let word = |words: &[&str]| match value.as_str() {
            Some(word) if words.contains(&word) => Ok(word.to_owned()),
            _ => Err(("enum:item", format!("{key} should be one of {}.", words.join(", ")))),
        };
        let wrong = |wanted: &str| Err(("type:item", format!("{key} should be {wanted}.")));
        match (key, value) {
            ("status", _) => {
                self.status = word(&STATES)?;
                match &*self.status {
                    "resolved" => self.last_resolved = Some(now),
                    "muted" => self.last_muted = Some(now),
                    _ => {}
                }
            }
            ("level", _) => self.level = word(&LEVELS)?,
            ("title", Value::String(text)) if (1..=255).contains(&text.chars().count()) => {
                self.title.clone_from(text);
            }
            ("title", _) => return wrong("string of 1 to 255 characters"),
            ("resolved_in_version", Value::Null) => self.resolved_in_version = None,
            ("resolved_in_version", Value::String(text)) if text.chars().count() <= 40 => {
                self.resolved_in_version = Some(text.clone());
            }
            ("resolved_in_version", _) => return wrong("string of at most 40 characters"),
            ("assigned_user_id", Value::Null) => self.assigned_user_id = None,
            ("assigned_user_id", _) => match value.as_u64() {
                Some(id) => self.assigned_user_id = Some(id),
                None => return wrong("integer"),
            },
            // The token, and what a newer API may know.
            _ => {}
        }
        Ok(())
    }
}
