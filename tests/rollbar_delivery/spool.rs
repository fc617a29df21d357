//! What one run cannot deliver, the next one does.

use std::path::PathBuf;

use xray_console::rollbar::Fault;

use crate::support::{LONG, Local, report};

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_item_that_is_not_delivered_is_sent_at_the_next_start() {
    let folder = std::env::temp_dir().join(format!("rollbar-delivery-{}", std::process::id()));
    let folder = Folder(folder);
    let local = Local::always(Fault { status: Some(503), ..Fault::default() });
    let rollbar = local.builder().retries(0).spool(&folder.0).build().unwrap();
    let (uuid, _) = report(&rollbar, "kept");
    assert_eq!(rollbar.stats().dropped_spooled, 1);
    drop(rollbar);
    assert!(folder.0.join(format!("{uuid}.json")).exists());

    local.double().clear_faults();
    let rollbar = local.builder().spool(&folder.0).build().unwrap();
    let (later, _) = report(&rollbar, "of the next run");
    let end = std::time::Instant::now() + LONG;
    while local.uuids().len() < 2 && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
    // What is new goes first where it comes before the worker has found its queue empty, which is not for a test to say.
    let (mut arrived, mut expected) = (local.uuids(), vec![later, uuid.clone()]);
    arrived.sort();
    expected.sort();
    assert_eq!(arrived, expected);
    while folder.0.join(format!("{uuid}.json")).exists() && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
    assert_eq!(
        std::fs::read_dir(&folder.0)
            .unwrap()
            .filter(|entry| {
                entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|kind| kind == "json"))
            })
            .count(),
        0
    );
}
