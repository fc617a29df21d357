//! The panic hook stands before the program's own, which is called as ever. One test: hooks belong to the process.

use std::panic::{catch_unwind, set_hook};
use std::sync::atomic::{AtomicUsize, Ordering};

use xray_runtime::__conformance::{install_panic_hook, last_panic};

static CALLS: AtomicUsize = AtomicUsize::new(0);

#[inline(never)]
fn fails(with: u32) -> u32 {
    assert!(with == 0, "failed with {with}");
    with
}

#[test]
fn the_program_s_hook_is_called_once_and_the_stack_is_the_program_s() {
    set_hook(Box::new(|_| {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }));
    install_panic_hook();
    install_panic_hook();

    assert!(catch_unwind(|| fails(7)).is_err());
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    let (message, frames) = last_panic().unwrap();
    assert_eq!(message, "failed with 7");
    assert!(frames[0].0.ends_with("fails") && frames[0].2 == 12, "{frames:?}");
    assert!(
        frames.len() > 1 && frames.iter().all(|(_, path, _)| path.ends_with("tests/panic_hook.rs")),
        "{frames:?}"
    );

    // Another thread's panic is that thread's.
    assert!(std::thread::spawn(|| fails(8)).join().is_err());
    assert_eq!(last_panic().unwrap().0, "failed with 7");
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
}
