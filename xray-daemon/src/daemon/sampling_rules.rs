//! The rules of `--sampling-rules`, which follow their file.

use std::fmt::Display;
use std::time::SystemTime;

use xray_console::sampling::{Reloaded, RulesOnDisk, RulesOnDiskError};

/// Looks whether the file has changed.
pub(super) fn look(rules: &mut RulesOnDisk) {
    if let Some(result) = rules.look(SystemTime::now()) {
        tell(rules, result);
    }
}

/// Takes over what the file says now.
pub(super) fn reload(rules: &mut RulesOnDisk) {
    let result = rules.reload(SystemTime::now());
    tell(rules, result);
}

fn tell(rules: &RulesOnDisk, result: Result<Reloaded, RulesOnDiskError>) {
    let path = rules.path().display();
    match result {
        Ok(reloaded) => {
            tracing::info!(
                target: "xray_daemon",
                "Sampling rules of {path}: {} added, {} changed, {} removed",
                reloaded.added,
                reloaded.changed,
                reloaded.removed
            );
            warn(&reloaded.warnings);
        }
        Err(error) => tracing::error!(target: "xray_daemon", "{error}; the sampling rules stay as they were"),
    }
}

/// What was perhaps not meant.
pub(super) fn warn(warnings: &[impl Display]) {
    for warning in warnings {
        tracing::warn!(target: "xray_daemon", "{warning}");
    }
}
