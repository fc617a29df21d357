//! Segments that have ended while children were open: the exporter sends them after a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::tree::Tree;

/// Trees whose segment has ended and that are not sent yet.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    trees: Mutex<Vec<(Instant, Arc<Tree>)>>,
}

/// Trees watched at once; the oldest of more is sent at once.
const UNSETTLED_LIMIT: usize = 4096;

impl Unsettled {
    pub(crate) fn watch(&self, tree: Arc<Tree>) {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.push((Instant::now(), tree));
        let oldest = if trees.len() > UNSETTLED_LIMIT { Some(trees.remove(0).1) } else { None };
        drop(trees);
        if let Some(tree) = oldest {
            tree.force();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Sends each tree that has waited `patience`, and forgets those that have settled.
    pub(crate) fn sweep(&self, patience: Duration) {
        let mut due = Vec::new();
        self.trees.lock().unwrap_or_else(PoisonError::into_inner).retain(|(since, tree)| {
            if tree.is_shipped() {
                return false;
            }
            if since.elapsed() >= patience {
                due.push(Arc::clone(tree));
                return false;
            }
            true
        });
        for tree in due {
            tree.force();
        }
    }
}
