//! A recorder that is switched off: no thread, no socket, no allocation. Alone in its process, as it counts both.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use xray_runtime::{
    FutureExt, Recorder, begin_segment, begin_subsegment, current, in_subsegment, xray_capture,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: passes each call on to the system's allocator as it came; the counter is a `Cell` without a destructor, which
// allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as this function's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as this function's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[xray_capture("captured", annotations(n))]
fn captured(n: u32) -> Result<u32, std::num::ParseIntError> {
    "x".parse::<u32>().map(|m| m + n)
}

#[xray_capture]
fn plain(n: u32) -> u32 {
    n + 1
}

#[xray_capture(segment)]
async fn future(n: u32) -> u32 {
    plain(n)
}

fn use_everything() {
    let segment = begin_segment("s");
    segment.put_annotation("key", "value");
    segment.put_metadata("key", [1, 2, 3]);
    segment.set_user("user");
    assert!(!segment.is_recorded());
    let guard = begin_subsegment("guard");
    guard.put_annotation("n", 1);
    guard.end();
    in_subsegment("closure", || current().put_annotation("n", 1));
    assert!(captured(1).is_err());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let polled = std::pin::pin!(async { plain(1) }.in_subsegment("async")).as_mut().poll(&mut context);
    assert!(polled.is_ready());
    assert_eq!(segment.response_header(), None);
    segment.end();
}

fn use_segment() {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(future(1)).as_mut().poll(&mut context).is_ready());
}

fn allocations(f: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

fn entries(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap_or_default().display().to_string())
        .collect()
}

fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default()).collect()
}

#[test]
fn disabled_costs_no_thread_no_socket_and_no_allocation() {
    use_everything();
    assert_eq!(allocations(use_everything), 0, "with no recorder");
    // The segment waits for a recorder that its function may install: with the future, in a box.
    use_segment();
    assert_eq!(allocations(use_segment), 1, "with no recorder");

    let recorder = Recorder::builder().service("s").enabled(false).install().unwrap();
    assert!(!recorder.is_enabled());
    let use_all = || {
        use_everything();
        use_segment();
    };
    use_all();
    assert_eq!(allocations(|| (0..1_000).for_each(|_| use_all())), 0, "with a recorder that is disabled");
    let names = threads();
    assert!(!names.iter().any(|name| name.starts_with("xray")), "{names:?}");
    let open = entries("/proc/self/fd");
    assert!(!open.iter().any(|target| target.starts_with("socket:")), "{open:?}");
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.segments, stats.refused), (0, 0, 0), "{stats:?}");
    drop(recorder);

    // The same calls do allocate and start a thread where they are recorded: the test can tell.
    let (recorder, captured) = Recorder::in_memory();
    recorder.enter(|| {
        let segment = begin_segment("s");
        assert!(allocations(|| segment.put_metadata("key", [1, 2, 3])) > 0);
    });
    assert_eq!(captured.segments().len(), 1);
    assert!(threads().iter().any(|name| name.starts_with("xray")));
}
