//! What compiler, toolchain and registry add to the names in a Rust stack.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::grouping::{compile, text_of};

/// Folders whose names change with a toolchain, a registry or a commit, and what stands for each.
const FOLDERS: [(&str, &str); 3] = [
    (r"^.*[/\\]rustc[/\\][0-9a-f]{7,40}[/\\]", "<rustc>/"),
    (r"^.*[/\\]rustlib[/\\]src[/\\]rust[/\\]", "<rustc>/"),
    (r"^.*[/\\]registry[/\\]src[/\\][^/\\]+[/\\]", "<registry>/"),
];
static IN_FILES: LazyLock<Vec<Regex>> = LazyLock::new(|| compile(&FOLDERS.map(|(pattern, _)| pattern)));

/// The place of a panic within a message: `src/main.rs:10:5`.
static PLACES: LazyLock<Vec<Regex>> = LazyLock::new(|| compile(&[r"(\.rs):\d+(?::\d+)?"]));

/// Names that `{{closure}}` goes by.
static CLOSURES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    compile(&[r"(?:::)?(?:\{\{closure\}\}|\{closure(?:_env)?#\d+\}|\{async_[a-z_]+#\d+\})"])
});

/// Crates of the runtime: their frames say nothing about the user's error.
const RUNTIME: [&str; 4] = ["std::", "core::", "alloc::", "tokio::"];

/// Whether a frame is of Rust code.
pub(super) fn is_rust(frame: &Value) -> bool {
    text_of(&frame["filename"]).ends_with(".rs")
}

/// Whether a frame is of the standard library or of tokio.
pub(super) fn is_runtime(frame: &Value) -> bool {
    let method = text_of(&frame["method"]);
    let method = method.trim_start_matches(['<', '&']);
    if RUNTIME.iter().any(|name| method.starts_with(name)) || method.starts_with("rust_begin_unwind") {
        return true;
    }
    let file = file(text_of(&frame["filename"]));
    file.starts_with("<rustc>/") || file.starts_with("<registry>/tokio-")
}

/// Whether a frame is of code that its user did not write: of the toolchain, a registry, another language's library.
pub(super) fn is_foreign(frame: &Value) -> bool {
    let name = text_of(&frame["filename"]);
    let file = file(name);
    let others =
        ["site-packages/", "dist-packages/", "node_modules/", "/lib/python", "/git/checkouts/", "/gems/"];
    is_runtime(frame)
        || file.starts_with("<registry>/")
        || file.is_empty()
        || file.starts_with('<')
        || others.iter().any(|part| name.contains(part))
}

/// The file without the folders before what its crate calls it.
pub(super) fn file(file: &str) -> Cow<'_, str> {
    for (pattern, (_, name)) in IN_FILES.iter().zip(FOLDERS) {
        if let Some(found) = pattern.find(file) {
            return Cow::Owned(format!("{name}{}", &file[found.end()..]));
        }
    }
    Cow::Borrowed(file)
}

/// The method without closures and generic arguments: `a::f::<u8>::{{closure}}` is `a::f`. The type of
/// `<a::T as b::Trait>::f` stays.
pub(super) fn method(method: &str) -> String {
    let mut name = Cow::Borrowed(method);
    for pattern in CLOSURES.iter() {
        if let Cow::Owned(changed) = pattern.replace_all(&name, "") {
            name = Cow::Owned(changed);
        }
    }
    without_generics(&name)
}

fn without_generics(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut depth = 0_usize;
    let mut before = ' ';
    for c in name.chars() {
        match c {
            // Arguments follow a name or `::`; else it is the `<` of `<T as Trait>`.
            '<' if depth > 0 || before == ':' || before == '_' || before.is_alphanumeric() => depth += 1,
            // The `>` of an arrow closes nothing.
            '>' if depth > 0 && before != '-' => depth -= 1,
            _ if depth > 0 => {}
            // What is left of a turbofish.
            ':' if out.ends_with("::") => {}
            _ => out.push(c),
        }
        before = c;
    }
    out.truncate(out.trim_end_matches(':').len());
    out
}

/// The message without lines and columns of the files it names.
pub(super) fn without_places(message: &str) -> Cow<'_, str> {
    match PLACES.first() {
        Some(pattern) => pattern.replace_all(message, "$1"),
        None => Cow::Borrowed(message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!((IN_FILES.len(), PLACES.len(), CLOSURES.len()), (FOLDERS.len(), 1, 1));
    }

    #[test]
    fn names_lose_what_the_compiler_adds() {
        let cases = [
            ("app::f::{{closure}}", "app::f"),
            ("app::f::{closure#0}::{closure_env#1}", "app::f"),
            ("app::f::{async_fn#0}", "app::f"),
            ("app::f::<alloc::vec::Vec<u8>>", "app::f"),
            ("app::f::<fn(u8) -> u8>::g", "app::f::g"),
            ("<app::T<u8> as app::Trait<u16>>::f", "<app::T as app::Trait>::f"),
            ("app::Wrapper<T>::f", "app::Wrapper::f"),
            ("a<<<<", "a"),
            ("", ""),
        ];
        for (name, expected) in cases {
            assert_eq!(method(name), expected, "{name}");
        }
    }

    #[test]
    fn files_lose_what_the_build_adds() {
        let cases = [
            (
                "/rustc/0123456789abcdef0123456789abcdef01234567/library/core/src/a.rs",
                "<rustc>/library/core/src/a.rs",
            ),
            (
                "/home/u/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/serde-1.0.1/src/lib.rs",
                "<registry>/serde-1.0.1/src/lib.rs",
            ),
            (r"C:\Users\u\.cargo\registry\src\index-0a\x-1\a.rs", r"<registry>/x-1\a.rs"),
            ("src/main.rs", "src/main.rs"),
        ];
        for (name, expected) in cases {
            assert_eq!(file(name), expected, "{name}");
        }
        assert_eq!(without_places("panicked at src/main.rs:7:5: x"), "panicked at src/main.rs: x");
    }

    #[test]
    fn the_runtime_is_told_from_the_user() {
        assert!(is_runtime(&json!({"filename": "x.rs", "method": "core::panicking::panic_fmt"})));
        assert!(is_runtime(&json!({"filename": "x.rs", "method": "<core::option::Option<T> as a::B>::f"})));
        assert!(is_runtime(&json!({"filename": "/r/registry/src/i-1/tokio-1.44.0/src/a.rs", "method": "x"})));
        assert!(!is_runtime(&json!({"filename": "src/main.rs", "method": "app::main"})));
        assert!(is_foreign(&json!({"filename": "/r/registry/src/i-1/serde-1.0.1/src/a.rs"})));
        assert!(!is_foreign(&json!({"filename": "src/main.rs"})));
    }
}
