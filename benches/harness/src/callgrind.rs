//! Requests to callgrind from inside the measured program. Outside valgrind they do nothing.

/// Counts the instructions of every thread while `work` runs, when this process runs under
/// `valgrind --tool=callgrind --instr-atstart=no`.
pub(crate) fn instrumented(work: impl FnOnce()) {
    const START_INSTRUMENTATION: u64 = 4;
    const STOP_INSTRUMENTATION: u64 = 5;
    request(START_INSTRUMENTATION);
    work();
    request(STOP_INSTRUMENTATION);
}

/// The client request of callgrind.h: a code of the tool "CT", passed by a sequence of rotations that valgrind looks for.
#[inline(never)]
fn request(code: u64) {
    let arguments: [u64; 6] = [((u64::from(b'C') << 24) | (u64::from(b'T') << 16)) + code, 0, 0, 0, 0, 0];
    // SAFETY: the four rotations add up to 128 bits and restore rdi, the exchange is with itself: a no-op on a real
    // processor. valgrind reads `arguments`, which live, and writes rdx, which is declared.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") arguments.as_ptr(), inout("rdx") 0_u64 => _, options(nostack),
        );
    }
}
