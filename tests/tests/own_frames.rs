//! Of a real backtrace, the frames of this test remain.

use std::backtrace::Backtrace;

use xray_runtime::__conformance::backtrace_frames;

#[inline(never)]
fn innermost() -> Backtrace {
    Backtrace::force_capture()
}

#[inline(never)]
fn outer() -> Backtrace {
    let capture = || innermost();
    std::hint::black_box(capture())
}

#[test]
fn only_the_caller_s_frames_remain_innermost_first() {
    let frames = backtrace_frames(&outer().to_string());
    let labels: Vec<_> =
        frames.iter().map(|(label, ..)| label.rsplit("::").next().unwrap_or_default()).collect();
    assert_eq!(labels[..3], ["innermost", "outer", "outer"], "{frames:?}");
    for (label, path, line) in &frames {
        assert!(path.ends_with("tests/own_frames.rs") && *line > 0, "{label} {path}:{line}");
    }
}

#[tokio::test]
async fn futures_and_tasks_add_no_frames_of_the_runtime() {
    async fn handler() -> (u32, Backtrace) {
        tokio::task::yield_now().await;
        (line!(), Backtrace::force_capture())
    }
    let (line, backtrace) = tokio::spawn(handler()).await.unwrap();
    let frames = backtrace_frames(&backtrace.to_string());
    // By its line: an inlined async function's label is a bare `{async_fn#0}` where debug info is line tables only.
    assert_eq!(frames[0].2, line, "{frames:?}");
    assert!(frames.iter().all(|(_, path, _)| path.ends_with("tests/own_frames.rs")), "{frames:?}");
}
