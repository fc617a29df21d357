//! The clients that report statistics of a rule.

use std::collections::HashMap;

use super::timestamp::Timestamp;

/// The most clients of a rule. Of more, the one that was silent the longest is forgotten.
pub const MAX_CLIENTS: usize = 1_000;

/// What is known of a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    /// When it last reported.
    pub(super) seen_at: Timestamp,
    /// When it last reported a request.
    pub(super) busy_at: Option<Timestamp>,
    /// The requests of that report.
    pub(super) requests: u64,
}

/// The clients of one rule.
#[derive(Debug, Default)]
pub(super) struct Clients(HashMap<[u8; 12], Client>);

impl Clients {
    /// Takes in a report; whether another client had to be forgotten for it.
    pub(super) fn report(&mut self, id: [u8; 12], requests: u64, now: Timestamp) -> bool {
        let new = Client { seen_at: now, busy_at: (requests > 0).then_some(now), requests };
        if let Some(client) = self.0.get_mut(&id) {
            client.seen_at = now;
            if requests > 0 {
                *client = new;
            }
            return false;
        }
        let full = self.0.len() >= MAX_CLIENTS;
        if full && let Some(oldest) = self.0.iter().min_by_key(|(id, client)| (client.seen_at, **id)) {
            let oldest = *oldest.0;
            self.0.remove(&oldest);
        }
        self.0.insert(id, new);
        full
    }

    pub(super) fn get(&self, id: [u8; 12]) -> Option<&Client> {
        self.0.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8; 12], &Client)> + Clone {
        self.0.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
