//! The expansion of each canonical shape, held against `tests/snapshots/NAME.rs`, so that a change of it is seen in
//! review. `UPDATE_SNAPSHOTS=1 cargo test -p xray-macros` writes the files anew.

use std::path::Path;

use proc_macro2::TokenStream;

/// Name of the snapshot, arguments of `#[xray_capture]`, item.
const XRAY: &[(&str, &str, &str)] = &[
    ("sync_plain", "", "fn add(a: u32, b: u32) -> u32 { a + b }"),
    (
        "sync_unit",
        r#""cleanup""#,
        "pub(crate) fn clean(dir: &Path) { use std::fs; fs::remove_dir(dir).ok(); }",
    ),
    ("sync_result", "", "fn load(id: &str) -> Answer<u32> { Ok(id.parse()?) }"),
    (
        "sync_arguments",
        r#""load-user", namespace = "remote", annotations(id, len = id.len(), next = count + 1), metadata(request = request)"#,
        "fn load(&self, id: &str, count: u64, request: &Request) -> Result<User, Error> { self.get(id) }",
    ),
    ("sync_segment", "segment, error = \"throttle\"", "fn main() -> ExitCode { #![allow(dead_code)] run() }"),
    (
        "sync_lent",
        "",
        "fn last<'a>(mut at: &'a mut Node, n: u8) -> Result<&'a mut Node, E> { while let Some(next) = at.next() { at = next; } Ok(at) }",
    ),
    (
        "sync_track_caller",
        "",
        "#[track_caller] fn first(list: &[u8]) -> Result<u8, Empty> { list.first().ok_or(Empty) }",
    ),
    (
        "async_result",
        r#""notifications-activities""#,
        "async fn notifications(a: u64, b: &str) -> Result<u64, E> { if a > 3 { return Err(E(a)); } Ok(a) }",
    ),
    ("async_plain", "", "pub async fn count<T: Store>(store: &T) -> Option<usize> { store.len().await }"),
    ("async_unit", "name = format!(\"job {id}\")", "async fn run(id: u64) { work(id).await; }"),
    ("async_never", "", "async fn serve(self: Arc<Self>) -> ! { loop { self.turn().await; } }"),
    ("async_opaque", "", "async fn words(text: String) -> impl Iterator<Item = String> { split(text) }"),
    ("async_future", "", "async fn start(n: u8) -> JoinHandle<u8> { spawn(async move { n }) }"),
    (
        "async_drop_order",
        "",
        "async fn store(first: String, _second: Guard, third: Vec<u8>, n: u8) -> Result<impl Display, Error> { put(first, third).await }",
    ),
    (
        "returned_future",
        "",
        "fn ready(n: u64) -> impl Future<Output = Result<u64, E>> + Send + 'static { async move { Ok(n) } }",
    ),
    (
        "boxed_future",
        r#"annotations(n), crate = my::tracing::xray"#,
        "fn call<'a>(&'a self, n: u64) -> Pin<Box<dyn Future<Output = Result<u64, E>> + Send + 'a>> { Box::pin(async move { self.get(n).await }) }",
    ),
    ("misuse", r#"nmae = "a""#, "const fn add(a: u32, b: u32) -> u32 { a + b }"),
];

/// Name of the snapshot, arguments of `#[rollbar_report]`, item.
const ROLLBAR: &[(&str, &str, &str)] = &[
    ("rollbar_plain", "", "fn add(a: u32, b: u32) -> u32 { a + b }"),
    ("rollbar_result", "", "fn load(id: &str) -> Answer<u32> { Ok(id.parse()?) }"),
    (
        "rollbar_arguments",
        r#""users", level = "warning", fingerprint = "load-user", title = format_args!("user {id}"), custom(tenant = self.tenant, next = id + 1), capture(id, filter)"#,
        "fn load(&self, id: u64, filter: Filter) -> Result<User, Error> { self.find(id, filter) }",
    ),
    (
        "rollbar_errors",
        r#"level = "error", ignore(NotFound, io::Error), when = |error| error.is_fatal()"#,
        "async fn load(id: u64) -> Result<User, Error> { find(id).await }",
    ),
    (
        "rollbar_unit",
        r#"name = format!("job {id}"), level = "critical""#,
        "async fn run(id: u64) { work(id).await; }",
    ),
    (
        "rollbar_boxed",
        "capture(n), when = is_fatal, crate = my::rollbar",
        "fn call<'a>(&'a self, n: u64) -> Pin<Box<dyn Future<Output = Result<u64, E>> + Send + 'a>> { Box::pin(async move { self.get(n).await }) }",
    ),
    (
        "rollbar_misuse",
        r#"leve = "warning", level = "fatal", ignore("NotFound"), when = |a, b| true, title = """#,
        "fn load(id: u64) -> Result<User, Error> { find(id) }",
    ),
    ("rollbar_no_error", "ignore(NotFound), when = |_| true", "fn add(a: u32, b: u32) -> u32 { a + b }"),
];

/// Name of the snapshot, attributes, item.
const STACKED: &[(&str, &[&str], &str)] = &[
    (
        "stacked_async",
        &["xray_capture(\"load-user\")", "rollbar_report"],
        "async fn load(id: u64) -> Result<User, Error> { find(id).await }",
    ),
    (
        "stacked_async_reversed",
        &["rollbar_report", "xray_capture(\"load-user\")"],
        "async fn load(id: u64) -> Result<User, Error> { find(id).await }",
    ),
    (
        "stacked_async_entries",
        &["rollbar_report(custom(trace = trace_id()))", "xray_capture", "xray_capture(annotations(id))"],
        "async fn load(id: u64) -> Result<User, Error> { find(id).await }",
    ),
    (
        "stacked_async_never",
        &["xray_capture", "rollbar_report(level = \"critical\")"],
        "async fn serve(name: String) -> ! { loop { turn(&name).await; } }",
    ),
    (
        "stacked_async_future",
        &["rollbar_report", "xray_capture"],
        "async fn start(n: u8) -> JoinHandle<u8> { #![allow(dead_code)] spawn(async move { n }) }",
    ),
    (
        "stacked_sync",
        &["xray_capture", "rollbar_report"],
        "fn last<'a>(mut at: &'a mut Node, n: u8) -> Result<&'a mut Node, E> { while let Some(next) = at.next() { at = next; } Ok(at) }",
    ),
    (
        "stacked_sync_reversed",
        &["rollbar_report(capture(id))", "xray_capture(annotations(id))"],
        "fn load(id: &str) -> Answer<u32> { Ok(id.parse()?) }",
    ),
    (
        "stacked_returned",
        &["xray_capture(annotations(n))", "rollbar_report(capture(n))"],
        "fn ready(n: u64) -> impl Future<Output = Result<u64, E>> + Send { async move { Ok(n) } }",
    ),
    ("stacked_plain", &["xray_capture", "rollbar_report"], "fn add(a: u32, b: u32) -> u32 { a + b }"),
];

/// Name, attributes, item.
fn shapes() -> impl Iterator<Item = (&'static str, Vec<String>, &'static str)> {
    let alone = |attribute: &'static str| {
        move |(name, args, item): &(&'static str, &str, &'static str)| {
            let args = if args.is_empty() { String::new() } else { format!("({args})") };
            (*name, vec![format!("{attribute}{args}")], *item)
        }
    };
    let stacked = STACKED.iter().map(|(name, attributes, item)| {
        (*name, attributes.iter().map(|attribute| (*attribute).to_owned()).collect(), *item)
    });
    XRAY.iter().map(alone("xray_capture")).chain(ROLLBAR.iter().map(alone("rollbar_report"))).chain(stacked)
}

#[test]
fn expansions_are_as_reviewed() {
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let mut differing = Vec::new();
    for (name, attributes, item) in shapes() {
        let path = folder.join(format!("{name}.rs"));
        let got = render(&attributes, item);
        if update {
            std::fs::write(&path, got).expect("the folder of snapshots can be written");
        } else if std::fs::read_to_string(&path).ok().as_ref() != Some(&got) {
            differing.push(format!("{}\n{got}", path.display()));
        }
    }
    assert!(differing.is_empty(), "not as in the snapshot:\n\n{}", differing.join("\n"));
}

#[test]
fn every_snapshot_has_a_shape() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of snapshots")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().replace(".rs", ""))
        .collect();
    let mut shapes: Vec<&str> = shapes().map(|(name, ..)| name).collect();
    files.sort();
    shapes.sort_unstable();
    assert_eq!(files, shapes);
}

/// The input as a comment, and the expansion, printed as rustfmt would.
fn render(attributes: &[String], item: &str) -> String {
    let expanded = attributes.iter().fold(tokens(item), |item, attribute| expand(attribute, item));
    // A method stands in an impl.
    let receiver = item.contains("self");
    let expanded = if receiver { quote::quote!(impl Service { #expanded }) } else { expanded };
    let file: syn::File = syn::parse2(expanded).unwrap_or_else(|error| panic!("{item}: {error}"));
    let attributes: String = attributes.iter().map(|attribute| format!("// #[{attribute}]\n")).collect();
    format!("{attributes}// {item}\n\n{}", prettyplease::unparse(&file))
}

/// The first attribute expands first, and the next one sees what that made.
fn expand(attribute: &str, item: TokenStream) -> TokenStream {
    let (word, args) = attribute.split_once('(').unwrap_or((attribute, ")"));
    let args = tokens(args.strip_suffix(')').expect("a parenthesis that closes"));
    match word {
        "xray_capture" => super::xray_capture(args, item),
        "rollbar_report" => super::rollbar_report(args, item),
        other => panic!("no attribute of ours: {other}"),
    }
}

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("tokens")
}

#[test]
fn a_short_attribute_expands_to_little() {
    let item = "fn load(id: &str) -> Result<u32, Error> { Ok(id.parse()?) }";
    let added =
        |attribute| expand(attribute, tokens(item)).to_string().len() - tokens(item).to_string().len();
    assert!(added("rollbar_report") - added("xray_capture") <= 2 * ("rollbar".len() - "xray".len()));
}
