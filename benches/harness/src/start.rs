//! What the start of a program costs: for `benches/run integrations`.

use std::time::Instant;

use crate::callgrind::instrumented;
use crate::measure::{end, leave};

/// Sets something up, and works with it the first and the second time; each is done once in a process. Prints a JSON object of their
/// wall times. Under callgrind, with the first argument `install-instructions` or `first-instructions`, counts those of this thread
/// in the setting up or in the first work, and prints 1.
pub fn measure_start<T>(set_up: impl FnOnce() -> T, mut work: impl FnMut(&mut T)) -> ! {
    match std::env::args().nth(1).as_deref() {
        Some("install-instructions") => {
            instrumented(|| {
                // Not dropped in here.
                std::mem::forget(set_up());
            });
            leave(1)
        }
        Some("first-instructions") => {
            let mut made = set_up();
            instrumented(|| work(&mut made));
            leave(1)
        }
        _ => {}
    }
    let start = Instant::now();
    let mut made = set_up();
    let set_up = start.elapsed();
    let [first, second] = [(), ()].map(|()| {
        let start = Instant::now();
        work(&mut made);
        start.elapsed()
    });
    println!(
        r#"{{"install_ns":{},"first_ns":{},"second_ns":{}}}"#,
        set_up.as_nanos(),
        first.as_nanos(),
        second.as_nanos()
    );
    // At once: nobody waits for what hangs.
    end()
}
