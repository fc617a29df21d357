//! The project's pages say what the code says. Their blocks of Rust are compiled as doc tests: the README's of this package,
//! those of the runtimes' pages of these.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

use std::collections::BTreeSet;
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
        ("## Settings of X-Ray", "xray-runtime/src/lib.rs", "# Settings"),
        ("## Settings of Rollbar", "rollbar-runtime/src/lib.rs", "# Settings"),
        ("### Arguments of `#[xray_capture]`", "xray-macros/src/lib.rs", "# Arguments of `#[xray_capture]`"),
        (
            "### Arguments of `#[rollbar_report]`",
            "xray-macros/src/lib.rs",
            "# Arguments of `#[rollbar_report]`",
        ),
    ] {
        let docs = crate_docs(path);
        let (shown, meant) = (table(&readme, heading), table(&docs, same));
        assert!(meant.len() > 2, "{path} has no table below {same:?}");
        assert_eq!(shown, meant, "{heading} of the README, and {path}");
    }
}

/// What stands between backticks in one column of a table, but for its head.
fn column(rows: &[&str], column: usize) -> BTreeSet<String> {
    let cells = rows.iter().skip(2).map(|row| row.split('|').nth(column + 1).unwrap_or_default());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The words of a source that follow `before` and end before one of `after`.
fn words(source: &str, before: &str, after: &[char]) -> BTreeSet<String> {
    let found = source.split(before).skip(1).filter_map(|rest| rest.split(after).next());
    found.map(str::to_owned).collect()
}

#[test]
fn the_settings_are_those_of_the_builder() {
    let docs = crate_docs("rollbar-runtime/src/lib.rs");
    let settings = table(&docs, "# Settings");
    let source = read("rollbar-runtime/src/builder.rs");
    let (_, methods) = source.split_once("impl RollbarBuilder {").unwrap();
    let mut methods = words(methods, "\n    pub fn ", &['(', '<']);
    for method in ["build", "install", "in_memory"] {
        assert!(methods.remove(method), "{method}");
    }
    assert_eq!(column(&settings, 2), methods);
    let read = words(&source, "variable(\"", &['"']);
    let told: BTreeSet<String> =
        column(&settings, 1).into_iter().filter(|name| name.starts_with("ROLLBAR_")).collect();
    assert_eq!(told, read);
}

#[test]
fn the_features_are_those_of_the_manifest() {
    for name in ["xray-runtime", "rollbar-runtime"] {
        let manifest = read(&format!("{name}/Cargo.toml"));
        let features = manifest.split("\n[features]\n").nth(1).unwrap().split("\n[").next().unwrap();
        let mut features: BTreeSet<String> = features
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
            .collect();
        assert!(features.remove("default"));
        let docs = crate_docs(&format!("{name}/src/lib.rs"));
        assert_eq!(column(&table(&docs, "# Features"), 0), features, "{name}");
    }
}

/// A row's number, as the page writes it: `32,768`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The constant of a source, whose value is a plain number.
fn constant(path: &str, name: &str) -> usize {
    let source = read(path);
    let (_, rest) = source.split_once(&format!("const {name}: ")).unwrap_or_else(|| panic!("{path}: {name}"));
    let value = rest.split_once(" = ").unwrap().1.split(';').next().unwrap();
    value.split('*').map(|factor| factor.trim().replace('_', "").parse::<usize>().unwrap()).product()
}

#[test]
fn the_limits_are_those_of_the_code() {
    use rollbar_runtime::item::{MAX_CODE_VERSION_CHARS, MAX_PERSON_ID_CHARS, MAX_TEXT_CHARS};

    let docs = crate_docs("rollbar-runtime/src/lib.rs");
    let limits = table(&docs, "# Limits");
    let source = |path: &str, name: &str| constant(&format!("rollbar-runtime/src/{path}.rs"), name);
    for (row, number) in [
        ("environment, title, context", MAX_TEXT_CHARS),
        ("code version", MAX_CODE_VERSION_CHARS),
        ("id of a person", MAX_PERSON_ID_CHARS),
        ("JSON of one item", source("truncation/mod", "DEFAULT_MAX_BYTES") / 1024),
        ("events before an item", rollbar_runtime::MAX_TELEMETRY),
        ("a message", source("report", "MAX_MESSAGE_BYTES")),
        ("a stack", source("symbols/mod", "MAX_FRAMES")),
        ("a stack", source("symbols/source", "CONTEXT_LINES")),
        ("an argument that `capture` names", source("capture/entry", "MAX_TEXT_CHARS")),
        ("an answer of Rollbar", rollbar_runtime::MAX_ANSWER_BYTES),
    ] {
        let start = format!("| {row} | ");
        let shown =
            limits.iter().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no row {row:?}"));
        let number = grouped(number);
        assert!(
            shown.split(|c: char| !c.is_ascii_digit() && c != ',').any(|word| word == number),
            "{shown}: {number}"
        );
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
        "rollbar-runtime/README.md",
        "xray-error/README.md",
        "xray-macros/README.md",
        "xray-console/README.md",
        "xray-daemon/README.md",
    ];
    for page in pages {
        let text = read(page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let known = match target.split_once('#') {
                Some(("", heading)) => anchors(&text).any(|anchor| anchor == heading),
                Some((other, heading)) if !other.starts_with("https://") => {
                    let other = root().join(page).with_file_name(other);
                    fs::read_to_string(other).is_ok_and(|page| anchors(&page).any(|anchor| anchor == heading))
                }
                _ => target.starts_with("https://") || root().join(page).with_file_name(target).exists(),
            };
            assert!(known, "{page} links to {target}");
        }
    }
}
