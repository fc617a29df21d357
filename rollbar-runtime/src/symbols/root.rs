//! Paths of source files as an item shows them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use xray_error::short_path;

/// The folder of the program's source.
#[derive(Debug)]
pub(super) struct Root {
    /// As given, then without symbolic links, where that differs.
    folders: Vec<PathBuf>,
    current: Option<PathBuf>,
}

impl Root {
    /// This folder, or the current one.
    pub(super) fn new(root: Option<PathBuf>) -> Self {
        let current = std::env::current_dir().ok();
        let given = root.or_else(|| current.clone());
        let real = given
            .as_ref()
            .and_then(|root| root.canonicalize().ok())
            .filter(|real| Some(real) != given.as_ref());
        let folders = given.into_iter().chain(real).filter(|root| root.parent().is_some()).collect();
        Self { folders, current }
    }

    /// Where relative paths are looked for.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folders.first().map(PathBuf::as_path)
    }

    /// Below the root relative to it; a package's from its own folder; any other as rustc gave it.
    pub(super) fn shown<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let below = self.folders.iter().find_map(|root| Path::new(path).strip_prefix(root).ok());
        match below.and_then(Path::to_str) {
            Some(below) if !below.is_empty() => below.into(),
            _ => short_path(path.strip_prefix("./").filter(|path| !path.is_empty()).unwrap_or(path)).into(),
        }
    }

    /// A path that is relative to the current folder, as a backtrace's text has it, where the root is another.
    pub(super) fn in_current_folder<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let absolute = self.current.as_ref().filter(|_| !path.is_empty()).map(|current| current.join(path));
        match absolute {
            Some(absolute) if self.folders.iter().any(|root| absolute.starts_with(root)) => {
                absolute.to_string_lossy().into_owned().into()
            }
            _ => path.into(),
        }
    }

    /// What of a relative path is within the root, where the root's last folders are the path's first:
    /// `src/main.rs` of `examples/app/src/main.rs`, below `/home/me/examples/app`.
    pub(super) fn within<'p>(&self, path: &'p str) -> Option<&'p str> {
        let root = self.folder()?;
        let slashes = path.match_indices('/').map(|(at, _)| at).filter(|_| !path.starts_with('/'));
        slashes.rev().find(|at| root.ends_with(&path[..*at])).map(|at| &path[at + 1..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn root(folder: &str) -> Root {
        Root::new(Some(folder.into()))
    }

    #[test]
    fn paths_below_the_root_are_relative_to_it() {
        let root = root("/srv/shop");
        for (path, shown) in [
            ("/srv/shop/src/main.rs", "src/main.rs"),
            ("/srv/shopping/src/main.rs", "/srv/shopping/src/main.rs"),
            ("/srv/shop", "/srv/shop"),
            ("./src/main.rs", "src/main.rs"),
            ("src/main.rs", "src/main.rs"),
            ("/rustc/0a1b2c/library/core/src/option.rs", "library/core/src/option.rs"),
            ("/c/.cargo/registry/src/index-0a1b/serde-1.0.229/src/de.rs", "serde-1.0.229/src/de.rs"),
        ] {
            assert_eq!(root.shown(path), shown);
        }
    }

    #[test]
    fn the_root_of_the_file_system_hides_nothing() {
        assert_eq!(root("/").shown("/srv/shop/src/main.rs"), "/srv/shop/src/main.rs");
    }

    #[test]
    fn the_current_folder_is_the_default() {
        let current = std::env::current_dir().unwrap();
        let root = Root::new(None);
        let path = current.join("src/main.rs").to_string_lossy().into_owned();
        assert_eq!(root.shown(&path), "src/main.rs");
        assert_eq!(root.shown(&root.in_current_folder("src/main.rs")), "src/main.rs");
        let parent = Root::new(current.parent().map(Into::into));
        let shown = format!("{}/src/main.rs", current.file_name().unwrap().display());
        assert_eq!(parent.shown(&parent.in_current_folder("src/main.rs")), shown);
    }

    #[test]
    fn a_path_from_the_workspace_is_found_within_its_package() {
        let root = root("/home/me/examples/app");
        assert_eq!(root.within("examples/app/src/main.rs"), Some("src/main.rs"));
        assert_eq!(root.within("app/src/main.rs"), Some("src/main.rs"));
        assert_eq!(root.within("/home/me/examples/app/src/main.rs"), None);
        assert_eq!(root.within("src/main.rs"), None);
        assert_eq!(root.within("main.rs"), None);
    }

    proptest! {
        #[test]
        fn any_path_is_shown(path in any::<String>(), near in "[./a\\\\é]{0,12}") {
            let root = root("/a");
            for path in [&path, &near] {
                assert_eq!(root.shown(path).is_empty(), path.is_empty());
                root.in_current_folder(path);
                root.within(path);
            }
        }
    }
}
