//! Whose code a frame is, by the function's label and by its file; and the file's path without this machine's folders.

/// The crates that come with the compiler.
const STD_CRATES: [&str; 5] = ["std", "core", "alloc", "__rustc", "test"];

/// Ours, and what takes a backtrace: never of use to a reader.
const TOOLKIT_CRATES: [&str; 4] = ["xray_runtime", "xray_error", "rollbar_runtime", "backtrace"];

/// The folders of those that are ours, in our own workspace.
const TOOLKIT_FOLDERS: [&str; 3] = ["xray-runtime", "xray-error", "rollbar-runtime"];

/// The other crates between the start of a thread and the user's code.
const RUNTIME_CRATES: [&str; 17] = [
    "tokio",
    "tokio_util",
    "futures_util",
    "futures_core",
    "tracing",
    "axum",
    "axum_core",
    "tower",
    "tower_http",
    "hyper",
    "hyper_util",
    "tonic",
    "reqwest",
    "reqwest_middleware",
    "anyhow",
    "eyre",
    "color_eyre",
];

/// Functions of the C runtime and of the unwinder, which have no crate.
const RUNTIME_SYMBOLS: [&str; 9] =
    ["", "<unknown>", "main", "_main", "_start", "clone", "clone3", "start_thread", "thread_start"];

const RUNTIME_PREFIXES: [&str; 6] = ["__rust", "_rust", "rust_", "__libc_", "_Unwind_", "__clone"];

/// Whose code a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The program's own.
    User,
    /// A package that the program depends on, of a registry or a git repository. Only the path of a file tells.
    Dependency,
    /// What stands between the start of a thread and the program's code: tokio, axum, hyper and the like.
    Runtime,
    /// Ours, and what takes a backtrace.
    Toolkit,
    /// The standard library, the unwinder, the C runtime.
    Std,
}

impl Origin {
    /// Whose the frame is of a function with this [label](crate::label_of), in this file; either may be empty for unknown.
    ///
    /// ```
    /// use xray_error::Origin;
    ///
    /// assert_eq!(Origin::of("app::main", "src/main.rs"), Origin::User);
    /// // An inlined function has a bare name: its file tells.
    /// assert_eq!(Origin::of("map<u8>", "/rustc/0a1b2c/library/core/src/option.rs"), Origin::Std);
    /// ```
    pub fn of(label: &str, path: &str) -> Self {
        let by_path = Self::of_path(path);
        // Of C's functions none is in a file of Rust: an inlined `main` is the user's.
        if label.is_empty() && !path.is_empty() || !label.contains("::") && path.ends_with(".rs") {
            return by_path;
        }
        match Self::of_label(label) {
            Self::User => by_path,
            other => other,
        }
    }

    fn of_label(label: &str) -> Self {
        match crate_of(label) {
            Some(name) if STD_CRATES.contains(&name) || name.starts_with("__rust") => Self::Std,
            Some(name) if TOOLKIT_CRATES.contains(&name) => Self::Toolkit,
            Some(name) if RUNTIME_CRATES.contains(&name) => Self::Runtime,
            Some(_) => Self::User,
            None if RUNTIME_SYMBOLS.contains(&label)
                || RUNTIME_PREFIXES.iter().any(|prefix| label.starts_with(prefix)) =>
            {
                Self::Std
            }
            None => Self::User,
        }
    }

    fn of_path(path: &str) -> Self {
        if path.starts_with("/rustc/") || below_of(path, ["rustlib", "src"]).is_some() {
            return Self::Std;
        }
        let package = package_of(path).unwrap_or_default();
        // From a registry a folder has its version, `tokio-1.54.1`. Without one it is the user's, whatever its name.
        let name = package
            .rsplit_once('-')
            .filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()))
            .map(|(name, _)| name.replace('-', "_"))
            .unwrap_or_default();
        if TOOLKIT_FOLDERS.contains(&package) || TOOLKIT_CRATES.contains(&name.as_str()) {
            Self::Toolkit
        } else if RUNTIME_CRATES.contains(&name.as_str()) {
            Self::Runtime
        } else if is_dependency_path(path) {
            Self::Dependency
        } else {
            Self::User
        }
    }

    /// Whether the frame is one that a reader skips: neither the user's nor a dependency's.
    pub fn is_runtime(self) -> bool {
        !matches!(self, Self::User | Self::Dependency)
    }
}

/// Whether a function, by its [label](crate::label_of), stands between the start of a thread and the user's code, or takes
/// the backtrace: it is of the standard library, of tokio, of a server's crates, of the C runtime or of our own.
///
/// ```
/// use xray_error::is_runtime;
///
/// assert!(is_runtime("<core::pin::Pin<P> as core::future::future::Future>::poll"));
/// assert!(!is_runtime("<app::Order as core::str::traits::FromStr>::from_str"));
/// ```
pub fn is_runtime(label: &str) -> bool {
    Origin::of_label(label).is_runtime()
}

/// Whether the file belongs to a crate that [`is_runtime`] knows. The label of an inlined function does not tell: it is
/// the bare name, `catch_unwind<..>`.
pub fn is_runtime_path(path: &str) -> bool {
    Origin::of_path(path).is_runtime()
}

/// The crate whose code a function is; `None` where the label is a bare name.
fn crate_of(label: &str) -> Option<&str> {
    // `<alloc::boxed::Box<F> as core::ops::function::Fn<A>>::call` begins with its type.
    let name = label.trim_start_matches(['<', '&', '*', '(']);
    let name =
        ["dyn ", "mut ", "const "].iter().fold(name, |name, word| name.strip_prefix(word).unwrap_or(name));
    let (root, _) = name.split_once("::")?;
    // A type parameter, `<F as core::..>::call`: the code is that of the trait's crate.
    Some(root.rsplit_once(" as ").map_or(root, |(_, of_trait)| of_trait))
}

/// The folder that the innermost `src` of a path is in.
fn package_of(path: &str) -> Option<&str> {
    let mut folders = path.rsplit(SEPARATORS);
    // The file is no folder.
    folders.next()?;
    folders.find(|folder| *folder == "src").and_then(|_| folders.next())
}

/// Whether the file is of a registry or a git checkout, also where its path was [shortened](short_path) before.
fn is_dependency_path(path: &str) -> bool {
    let is_version = |version: &str| {
        let numbers = version.split('.').take_while(|part| part.starts_with(|c: char| c.is_ascii_digit()));
        numbers.count() >= 3
    };
    let first = path.split(SEPARATORS).next().unwrap_or_default();
    short_path(path).len() < path.len()
        || first.match_indices('-').any(|(dash, _)| is_version(&first[dash + 1..]))
}

/// A path without where this machine keeps the file: `serde-1.0.229/src/lib.rs` of a registry's package,
/// `library/core/src/option.rs` of the standard library. The user's own paths stay as they are.
pub fn short_path(path: &str) -> &str {
    if let Some(below) = below_of(path, ["registry", "src"]) {
        return below.split_once(SEPARATORS).map_or(path, |(_index, file)| file);
    }
    if let Some(below) = below_of(path, ["git", "checkouts"]) {
        return below;
    }
    if let Some(below) = path.strip_prefix("/rustc/") {
        return below.split_once(SEPARATORS).map_or(path, |(_commit, file)| file);
    }
    below_of(path, ["rustlib", "src"]).map_or(path, |below| {
        below.strip_prefix("rust").and_then(|file| file.strip_prefix(SEPARATORS)).unwrap_or(below)
    })
}

/// Paths are those of the machine that compiled, whichever this one is.
const SEPARATORS: [char; 2] = ['/', '\\'];

/// What of the path is below these two folders.
fn below_of<'p>(path: &'p str, [outer, inner]: [&str; 2]) -> Option<&'p str> {
    let mut rest = path;
    while let Some((folder, below)) = rest.split_once(SEPARATORS) {
        if folder == outer
            && let Some((folder, below)) = below.split_once(SEPARATORS)
            && folder == inner
        {
            return Some(below);
        }
        rest = below;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_what_only_this_machine_knows() {
        for (path, short) in [
            ("/home/me/.cargo/registry/src/index-0a1b/serde-1.0.229/src/de.rs", "serde-1.0.229/src/de.rs"),
            (
                "C:\\u\\.cargo\\registry\\src\\index-0a1b\\serde-1.0.229\\src\\de.rs",
                "serde-1.0.229\\src\\de.rs",
            ),
            ("/home/me/.cargo/git/checkouts/app-0a1b/7c8d9e0/src/de.rs", "app-0a1b/7c8d9e0/src/de.rs"),
            ("/rustc/59807616e1fa/library/core/src/option.rs", "library/core/src/option.rs"),
            ("/opt/toolchain/lib/rustlib/src/rust/library/std/src/rt.rs", "library/std/src/rt.rs"),
            ("/home/me/app/src/main.rs", "/home/me/app/src/main.rs"),
            ("src/registry.rs", "src/registry.rs"),
            ("/registry/src/", "/registry/src/"),
            ("", ""),
        ] {
            assert_eq!(short_path(path), short);
        }
    }

    #[test]
    fn the_crates_of_a_runtime_are_known_by_their_folders() {
        for (path, runtime) in [
            ("/c/registry/src/index/tokio-1.54.1/src/runtime/task/core.rs", true),
            ("C:\\registry\\src\\index\\tokio-1.54.1\\src\\task.rs", true),
            ("/c/registry/src/index/rollbar-runtime-0.1.0/src/report.rs", true),
            ("rollbar-runtime/src/symbols/mod.rs", true),
            ("rollbar-runtime/tests/symbols.rs", false),
            ("/home/me/tokio/src/main.rs", false),
            ("/c/registry/src/index/serde-1.0.229/src/de.rs", false),
            ("/rustc/59807616e1fa/library/core/src/option.rs", true),
            ("src/main.rs", false),
        ] {
            assert_eq!(is_runtime_path(path), runtime, "{path}");
        }
    }

    #[test]
    fn a_frame_is_whose_its_name_and_its_file_are() {
        use Origin::{Dependency, Runtime, Std, Toolkit, User};
        for (label, path, origin) in [
            ("app::f", "src/main.rs", User),
            ("app::f", "", User),
            ("f", "/home/me/app/src/main.rs", User),
            ("main", "src/main.rs", User),
            ("main", "", Std),
            ("__libc_start_main_impl", "./csu/../csu/libc-start.c", Std),
            ("", "", Std),
            ("", "src/main.rs", User),
            ("serde_json::from_str", "/c/registry/src/index/serde_json-1.0.1/src/de.rs", Dependency),
            ("serde_json::from_str", "serde_json-1.0.1-rc.1/src/de.rs", Dependency),
            ("f", "/c/git/checkouts/lib-0a1b/7c8d9e0/src/de.rs", Dependency),
            ("app::f", "app-2/src/main.rs", User),
            ("poll<app::f>", "/c/registry/src/index/tokio-1.54.1/src/task.rs", Runtime),
            ("tokio::runtime::park", "", Runtime),
            ("rollbar_runtime::report::capture", "", Toolkit),
            ("backtrace::backtrace::trace", "/c/registry/src/index/backtrace-0.3.77/src/lib.rs", Toolkit),
            ("<F as core::ops::function::FnOnce<A>>::call_once", "src/main.rs", Std),
        ] {
            assert_eq!(Origin::of(label, path), origin, "{label} {path}");
        }
    }
}
