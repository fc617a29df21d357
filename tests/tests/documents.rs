//! The project's pages say what the code says. Their blocks of Rust are compiled as doc tests of `xray-runtime`.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The contents of the code blocks that begin with this fence.
fn blocks(page: &str, fence: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while lines.any(|line| line == fence) {
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(block.join("\n"));
    }
    blocks
}

/// Rust without comments and white space.
fn bare(code: &str) -> String {
    code.lines().flat_map(|line| line.split("//").next().unwrap_or_default().split_whitespace()).collect()
}

/// The rows of the first table below a heading.
fn table<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    page.lines()
        .skip_while(|line| *line != heading)
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .collect()
}

/// What a page's headings are called in links.
fn anchors(page: &str) -> impl Iterator<Item = String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
}

/// The documentation of a crate, out of its `lib.rs`.
fn crate_docs(path: &str) -> String {
    let source = read(path);
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_expansions_of_the_readme_are_true() {
    let snapshots = root().join("xray-macros/tests/snapshots");
    let snapshots: Vec<String> = fs::read_dir(snapshots)
        .unwrap()
        .map(|entry| bare(&fs::read_to_string(entry.unwrap().path()).unwrap()))
        .collect();
    let shown = blocks(&read("README.md"), "```rs");
    assert_eq!(shown.len(), 3);
    for block in shown {
        assert!(snapshots.contains(&bare(&block)), "no snapshot has this expansion:\n{block}");
    }
}

#[test]
fn the_tables_of_the_readme_are_those_of_the_crates() {
    let readme = read("README.md");
    for (heading, path, same) in [
        ("## Settings", "xray-runtime/src/lib.rs", "# Settings"),
        ("### Its arguments", "xray-macros/src/lib.rs", "# Arguments"),
    ] {
        let docs = crate_docs(path);
        let (shown, meant) = (table(&readme, heading), table(&docs, same));
        assert!(meant.len() > 2, "{path} has no table below {same:?}");
        assert_eq!(shown, meant, "{heading} of the README, and {path}");
    }
}

/// Each row of ARCHITECTURE.md that begins with names of files, below the folder of its heading.
#[test]
fn the_files_of_the_architecture_are_there() {
    let page = read("ARCHITECTURE.md");
    let (mut folder, mut files) = ("", 0);
    for line in page.lines() {
        if line.starts_with('#') {
            folder = line.split('`').nth(1).unwrap_or("");
        } else if let Some(cell) = line.strip_prefix("| `").and_then(|row| row.split('|').next()) {
            for name in cell.split('`').step_by(2) {
                assert!(root().join(folder).join(name).exists(), "{folder}/{name} is not there");
                files += 1;
            }
        }
    }
    assert!(files > 50, "only {files} files are named");
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let pages = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "xray-runtime/README.md",
        "xray-macros/README.md",
        "xray-console/README.md",
        "xray-daemon/README.md",
    ];
    for page in pages {
        let text = read(page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let known = match target.split_once('#') {
                Some(("", heading)) => anchors(&text).any(|anchor| anchor == heading),
                _ => target.starts_with("https://") || root().join(page).with_file_name(target).exists(),
            };
            assert!(known, "{page} links to {target}");
        }
    }
}
