//! Of real stacks the frames of this test remain, with names, lines and source.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::panic::{Location, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;

use rollbar_runtime::__symbols::{SymbolSettings, Symbols, capture};
use rollbar_runtime::item::Frame;

fn symbols() -> Symbols {
    Symbols::new(SymbolSettings { root: Some(env!("CARGO_MANIFEST_DIR").into()), source: true })
}

fn frames(addresses: &[usize]) -> Vec<Frame> {
    symbols().frames(addresses)
}

const THIS_FILE: &str = "tests/symbols.rs";

#[inline(never)]
fn innermost() -> (u32, Box<[usize]>) {
    (line!(), capture())
}

#[inline(never)]
fn outer() -> (u32, Box<[usize]>) {
    let through_a_closure = || innermost();
    std::hint::black_box(through_a_closure())
}

#[test]
fn the_last_frame_is_the_caller_s_with_its_source() {
    let (line, addresses) = outer();
    let frames = frames(&addresses);
    let methods: Vec<_> = frames.iter().map(|frame| frame.method().unwrap_or_default()).collect();
    assert!(methods.ends_with(&["symbols::outer", "symbols::outer", "symbols::innermost"]), "{methods:?}");
    assert!(frames.iter().all(|frame| frame.filename() == THIS_FILE), "{frames:?}");
    let last = frames.last().unwrap();
    assert_eq!((last.line(), last.code()), (Some(line), Some("    (line!(), capture())")));
    let json = serde_json::to_value(last).unwrap();
    assert_eq!(json["context"]["pre"][3], "fn innermost() -> (u32, Box<[usize]>) {");
    assert_eq!(json["context"]["post"][0], "}");
    assert_eq!(json["colno"], 15);
}

#[test]
fn a_stack_is_the_same_from_the_cache() {
    let mut symbols = symbols();
    let (_, addresses) = outer();
    assert_eq!(symbols.frames(&addresses), symbols.frames(&addresses));
}

#[test]
fn source_is_left_out_where_it_is_not_wanted() {
    let (_, addresses) = outer();
    let settings = SymbolSettings { root: None, source: false };
    let frames = Symbols::new(settings).frames(&addresses);
    // Tests stand in their package's folder.
    assert!(frames.iter().all(|frame| frame.filename() == THIS_FILE && frame.code().is_none()), "{frames:?}");
    let foreign = SymbolSettings { root: Some("/srv/shop".into()), source: false };
    let frames = Symbols::new(foreign).frames(&addresses);
    let absolute = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(THIS_FILE);
    assert_eq!(frames.last().unwrap().filename(), absolute.to_str().unwrap());
}

/// What the hook saw of the panic of this thread.
fn of_panic(panics: fn()) -> Vec<Frame> {
    static SEEN: Mutex<Vec<(std::thread::ThreadId, Box<[usize]>)>> = Mutex::new(Vec::new());
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            SEEN.lock().unwrap().push((std::thread::current().id(), capture()));
            previous(info);
        }));
    });
    assert!(catch_unwind(panics).is_err());
    let mut seen = SEEN.lock().unwrap();
    let at = seen.iter().position(|(thread, _)| *thread == std::thread::current().id()).unwrap();
    frames(&seen.remove(at).1)
}

#[inline(never)]
fn unwraps_nothing() {
    std::hint::black_box(None::<u8>).unwrap();
}

#[inline(never)]
fn indexes_too_far() {
    let list = std::hint::black_box(vec![1]);
    std::hint::black_box(list[3]);
}

#[inline(never)]
fn panics_in_a_dependency() {
    // On the wrong side of a character: `bytes` panics, in its own code.
    std::hint::black_box(bytes::Bytes::from_static(b"ab").slice(1..9));
}

#[test]
fn a_panic_ends_at_the_user_s_line_wherever_it_is_raised() {
    for (panics, name) in [
        (unwraps_nothing as fn(), "unwraps_nothing"),
        (indexes_too_far, "indexes_too_far"),
        (panics_in_a_dependency, "panics_in_a_dependency"),
        (|| std::panic::panic_any(7), "a_panic_ends_at_the_user_s_line_wherever_it_is_raised"),
    ] {
        let frames = of_panic(panics);
        let last = frames.last().unwrap();
        // With line tables only, a function into which others are inlined has its bare name.
        assert_eq!(last.method().and_then(|method| method.rsplit("::").next()), Some(name), "{frames:?}");
        assert_eq!(last.filename(), THIS_FILE);
        assert!(last.code().is_some());
    }
}

#[tokio::test]
async fn futures_and_tasks_add_no_frames_of_the_runtime() {
    async fn handler() -> (u32, Box<[usize]>) {
        tokio::task::yield_now().await;
        (line!(), capture())
    }
    let (line, addresses) = tokio::spawn(async { handler().await }).await.unwrap();
    let frames = frames(&addresses);
    assert!(frames.iter().all(|frame| frame.filename() == THIS_FILE), "{frames:?}");
    let last = frames.last().unwrap();
    assert_eq!(last.line(), Some(line), "{frames:?}");
    assert!(!last.method().unwrap().contains('#'), "{last:?}");
}

#[track_caller]
fn place() -> &'static Location<'static> {
    Location::caller()
}

#[test]
fn a_place_has_the_file_and_source_that_a_stack_has() {
    let place = place();
    let frame = symbols().frame_at(place.file(), place.line(), Some("symbols::f::{{closure}}"));
    assert_eq!((frame.filename(), frame.line()), (THIS_FILE, Some(place.line())));
    assert_eq!((frame.method(), frame.code()), (Some("symbols::f"), Some("    let place = place();")));
}

#[test]
fn an_error_s_own_backtrace_gives_frames() {
    let backtrace = std::backtrace::Backtrace::force_capture();
    let line = line!() - 1;
    let stack = xray_error::Stack::parse(&backtrace.to_string());
    let frames = symbols().frames_of(&stack);
    let last = frames.last().unwrap();
    assert_eq!((last.filename(), last.line()), (THIS_FILE, Some(line)), "{frames:?}");
    assert!(last.code().unwrap().contains("force_capture"));
}

/// A copy of this program with less in it tells what remains of a release build's stacks.
#[cfg(target_os = "linux")]
mod stripped {
    use std::process::Command;

    use super::*;

    const CHILD: &str = "ROLLBAR_SYMBOLS_CHILD";

    /// Prints its own stack, when it runs in a copy.
    #[test]
    fn child() {
        if std::env::var_os(CHILD).is_some() {
            for frame in frames(&outer().1) {
                println!("frame {} {} {:?}", frame.filename(), frame.method().unwrap(), frame.line());
            }
        }
    }

    fn frames_after(strip: &str) -> Vec<String> {
        let copy = std::env::temp_dir().join(format!("rollbar-symbols-{}{strip}", std::process::id()));
        std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        let stripped = Command::new("strip").arg(strip).arg(&copy).status().unwrap();
        let run = Command::new(&copy)
            .args(["--exact", "stripped::child", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        std::fs::remove_file(&copy).unwrap();
        assert!(stripped.success() && run.status.success(), "{run:?}");
        let out = String::from_utf8(run.stdout).unwrap();
        out.lines().filter_map(|line| Some(line.split_once("frame ")?.1.to_owned())).collect()
    }

    #[test]
    fn without_debug_information_the_names_remain() {
        let frames = frames_after("--strip-debug");
        assert_eq!(frames.last().unwrap(), "? symbols::innermost None", "{frames:?}");
        assert!(frames.contains(&"? symbols::outer None".to_owned()), "{frames:?}");
        assert!(frames.iter().all(|frame| frame.starts_with("? symbols::")), "{frames:?}");
    }

    #[test]
    fn without_symbols_nothing_remains_and_nothing_breaks() {
        assert_eq!(frames_after("--strip-all"), Vec::<String>::new());
    }
}
