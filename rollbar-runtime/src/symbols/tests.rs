use proptest::prelude::*;
use xray_error::{Stack, StackFrame};

use super::*;

fn symbols(root: &str) -> Symbols {
    Symbols::new(SymbolSettings { root: Some(root.into()), source: false })
}

/// Method, file and line of each.
fn seen(frames: &[Frame]) -> Vec<(&str, &str, u32)> {
    frames
        .iter()
        .map(|frame| (frame.method().unwrap_or_default(), frame.filename(), frame.line().unwrap_or(0)))
        .collect()
}

fn shown(calls: &[(&str, &str, u32)]) -> Vec<Frame> {
    let calls: Vec<Call> = calls.iter().map(|(symbol, path, line)| Call::at(symbol, path, *line)).collect();
    symbols("/srv/shop").shown(&calls.iter().collect::<Vec<_>>())
}

const REGISTRY: &str = "/c/registry/src/index";

#[test]
fn the_last_frame_is_the_user_s_innermost() {
    let serde = format!("{REGISTRY}/serde-1.0.229/src/de.rs");
    let tokio = format!("{REGISTRY}/tokio-1.54.1/src/task.rs");
    let frames = shown(&[
        ("backtrace::backtrace::trace::h0123456789abcdef", "", 0),
        ("rollbar_runtime::addresses::capture", "", 0),
        ("core::panicking::panic_fmt", "/rustc/0a1b/library/core/src/panicking.rs", 80),
        ("serde::de::fail", &serde, 1),
        ("<shop::Order as serde::Deserialize>::deserialize", "/srv/shop/src/order.rs", 7),
        ("serde::de::from_str", &serde, 2),
        ("call_once<shop::f>", "/rustc/0a1b/library/core/src/ops/function.rs", 250),
        ("shop::handler::{{closure}}::h0123456789abcdef", "/srv/shop/src/main.rs", 5),
        ("poll<shop::handler>", &tokio, 3),
        ("main", "/srv/shop/src/main.rs", 2),
        ("main", "", 0),
        ("_start", "", 0),
    ]);
    assert_eq!(
        seen(&frames),
        [
            ("main", "src/main.rs", 2),
            ("shop::handler", "src/main.rs", 5),
            ("serde::de::from_str", "serde-1.0.229/src/de.rs", 2),
            ("<shop::Order as serde::Deserialize>::deserialize", "src/order.rs", 7),
        ]
    );
}

#[test]
fn a_panic_ends_outside_the_program_s_own_hook() {
    let frames = shown(&[
        ("rollbar_runtime::panic::hook", "", 0),
        ("shop::install_hook::{{closure}}", "/srv/shop/src/hook.rs", 3),
        ("std::panicking::panic_with_hook", "", 0),
        ("begin_panic_handler", "/rustc/0a1b/library/std/src/panicking.rs", 698),
        ("shop::pay", "/srv/shop/src/pay.rs", 7),
        ("std::panicking::catch_unwind::do_call", "", 0),
        ("shop::begin_panic", "/srv/shop/src/main.rs", 1),
    ]);
    assert_eq!(seen(&frames), [("shop::begin_panic", "src/main.rs", 1), ("shop::pay", "src/pay.rs", 7)]);
}

#[test]
fn a_dependency_without_debug_information_is_not_the_user_s() {
    let frames = shown(&[
        ("bytes::bytes::Bytes::slice", "", 0),
        ("shop::pay", "/srv/shop/src/pay.rs", 7),
        ("rayon::call", "", 0),
        ("shop::main", "/srv/shop/src/main.rs", 1),
    ]);
    assert_eq!(
        seen(&frames),
        [("shop::main", "src/main.rs", 1), ("rayon::call", "?", 0), ("shop::pay", "src/pay.rs", 7)]
    );
}

#[test]
fn without_debug_information_the_names_remain() {
    let frames = shown(&[
        ("std::panicking::begin_panic", "", 0),
        ("shop::pay", "", 0),
        ("tokio::runtime::park", "", 0),
        ("shop::main", "", 0),
        ("main", "", 0),
    ]);
    assert_eq!(seen(&frames), [("shop::main", "?", 0), ("shop::pay", "?", 0)]);
    assert_eq!(shown(&[("", "", 0), ("<unknown>", "", 0)]), []);
}

#[test]
fn where_nothing_is_the_user_s_the_nearest_remains() {
    let (sqlx, tokio) =
        (format!("{REGISTRY}/sqlx-core-0.9.0/src/pool.rs"), format!("{REGISTRY}/tokio-1.54.1/src/task.rs"));
    let calls = [
        ("rollbar_runtime::addresses::capture", "", 0),
        ("sqlx_core::pool::spawn", sqlx.as_str(), 4),
        ("tokio::task::run", tokio.as_str(), 3),
        ("std::thread::start", "", 0),
    ];
    assert_eq!(seen(&shown(&calls)), [("sqlx_core::pool::spawn", "sqlx-core-0.9.0/src/pool.rs", 4)]);
    let without = [calls[0], calls[2], calls[3]];
    assert_eq!(seen(&shown(&without)), [("tokio::task::run", "tokio-1.54.1/src/task.rs", 3)]);
}

#[test]
fn of_a_deep_stack_the_innermost_frames_remain() {
    let names: Vec<String> = (0..300).map(|n| format!("shop::f{n}")).collect();
    let calls: Vec<_> = names.iter().map(|name| (name.as_str(), "", 0)).collect();
    let frames = shown(&calls);
    assert_eq!(frames.len(), MAX_FRAMES);
    assert_eq!((frames[0].method(), frames[127].method()), (Some("shop::f127"), Some("shop::f0")));
}

#[test]
fn a_backtrace_s_text_gives_frames_too() {
    let frame = |label: &'static str, path: &'static str, line| StackFrame {
        path: path.into(),
        line,
        label: label.into(),
    };
    let frames = vec![
        frame("serde_json::from_str", "serde_json-1.0.149/src/de.rs", 9),
        frame("shop::load", "/srv/shop/src/load.rs", 3),
        frame("", "src/main.rs", 5),
        frame("shop::no_place", "", 0),
    ];
    let frames = symbols("/srv/shop").frames_of(&Stack { frames, truncated: 0 });
    assert_eq!(
        seen(&frames),
        [("shop::no_place", "?", 0), ("", "src/main.rs", 5), ("shop::load", "src/load.rs", 3)]
    );
}

#[test]
fn a_place_has_its_line_of_source() {
    let mut symbols = Symbols::new(SymbolSettings { root: None, source: true });
    let file = "tests/fixtures/missing.rs";
    assert_eq!(symbols.frame_at(file, 3, Some("shop::f")).code(), None);
    // A file of ours is no user's.
    let own = symbols.frame_at(&format!("{}/src/level.rs", env!("CARGO_MANIFEST_DIR")), 1, None);
    assert_eq!((own.filename(), own.code(), own.method()), ("src/level.rs", None, None));
}

proptest! {
    #[test]
    fn any_calls_give_bounded_frames(
        calls in prop::collection::vec(("(shop|std|tokio)?(::)?[a-z{}#0é<]{0,8}", "(/srv/shop/|/rustc/a/)?[a-z/.é]{0,9}", 0_u32..9), 0..200)
    ) {
        let calls: Vec<_> = calls.iter().map(|(symbol, path, line)| (symbol.as_str(), path.as_str(), *line)).collect();
        let frames = shown(&calls);
        prop_assert!(frames.len() <= MAX_FRAMES);
        let users = calls.iter().filter(|(symbol, path, line)| Call::at(symbol, path, *line).origin == Origin::User);
        // With a file, if any has one.
        let innermost = users.clone().find(|(_, path, _)| !path.is_empty()).or_else(|| users.clone().next());
        if let Some((symbol, path, line)) = innermost {
            let call = Call::at(symbol, path, *line);
            let last = frames.last().unwrap();
            prop_assert_eq!(last.method(), call.method.as_deref());
            prop_assert_eq!(last.line(), call.line);
        }
        for frame in frames {
            prop_assert!(!frame.filename().is_empty() && frame.line() != Some(0) && frame.method() != Some(""));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_address_is_looked_up(addresses in prop::collection::vec(any::<usize>(), 0..20)) {
        symbols("/srv/shop").frames(&addresses);
    }
}
