//! Where the caller is, as instruction addresses: all that is captured of a stack on the caller's thread.

/// Addresses that are kept: the innermost of a deep recursion.
const MAX_ADDRESSES: usize = 128;

/// The return addresses of this thread's stack, innermost first, those of the capture itself included.
///
/// It walks the unwind tables and looks no name up: 0.12 us a frame, 3.9 us for 32 of them (measured, release build).
pub fn capture() -> Box<[usize]> {
    let mut addresses = [0; MAX_ADDRESSES];
    let mut count = 0;
    walk(|frame| {
        addresses[count] = frame.ip().addr();
        count += 1;
        count < MAX_ADDRESSES
    });
    Box::from(&addresses[..count])
}

/// Without the lock of crate `backtrace`: the worker holds that while it resolves names, which the first time means to read the
/// program's debug information. Who reports would wait for it, 0.1 s and more.
#[cfg(unix)]
#[allow(unsafe_code)]
fn walk(each: impl FnMut(&backtrace::Frame) -> bool) {
    // SAFETY: the lock is there for systems whose unwinder or symbol library is not safe for several threads, which is dbghelp of
    // Windows. Here `trace` is `_Unwind_Backtrace`, which is, and the closure looks no symbol up.
    unsafe { backtrace::trace_unsynchronized(each) }
}

#[cfg(not(unix))]
fn walk(each: impl FnMut(&backtrace::Frame) -> bool) {
    backtrace::trace(each);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn recurse(depth: usize) -> Box<[usize]> {
        if depth == 0 {
            return capture();
        }
        std::hint::black_box(recurse(depth - 1))
    }

    #[test]
    fn the_innermost_addresses_of_a_deep_stack_are_kept() {
        let (shallow, deep) = (recurse(3), recurse(1_000));
        assert!((4..MAX_ADDRESSES).contains(&shallow.len()), "{}", shallow.len());
        assert_eq!(deep.len(), MAX_ADDRESSES);
        // Both begin within the capture.
        assert_eq!(shallow[0], deep[0]);
        assert!(!deep.contains(&0));
    }

    #[test]
    fn a_capture_waits_for_nobody_who_resolves() {
        let (resolving, started) = std::sync::mpsc::channel();
        let (captured, done) = std::sync::mpsc::channel();
        let addresses = capture();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut told = false;
                for address in addresses {
                    // Within the lock of crate `backtrace`.
                    backtrace::resolve(address as *mut _, |_| {
                        if !std::mem::replace(&mut told, true) {
                            resolving.send(()).unwrap();
                            done.recv().unwrap();
                        }
                    });
                }
            });
            started.recv().unwrap();
            assert!(!capture().is_empty());
            captured.send(()).unwrap();
        });
    }
}
