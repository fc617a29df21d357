//! The expansion of each canonical shape, held against `tests/snapshots/NAME.rs`, so that a change of it is seen in
//! review. `UPDATE_SNAPSHOTS=1 cargo test -p xray-macros` writes the files anew.

use std::path::Path;

use proc_macro2::TokenStream;

/// Name of the snapshot, attribute's arguments, item.
const SHAPES: &[(&str, &str, &str)] = &[
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

#[test]
fn expansions_are_as_reviewed() {
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let mut differing = Vec::new();
    for (name, args, item) in SHAPES {
        let path = folder.join(format!("{name}.rs"));
        let got = render(args, item);
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
    let mut shapes: Vec<&str> = SHAPES.iter().map(|(name, ..)| *name).collect();
    files.sort();
    shapes.sort_unstable();
    assert_eq!(files, shapes);
}

/// The input as a comment, and the expansion, printed as rustfmt would.
fn render(args: &str, item: &str) -> String {
    let attribute = if args.is_empty() { "xray_capture".to_owned() } else { format!("xray_capture({args})") };
    let tokens = |text: &str| text.parse::<TokenStream>().expect("tokens");
    let expanded = super::xray_capture(tokens(args), tokens(item));
    // A method stands in an impl.
    let receiver = item.contains("self");
    let expanded = if receiver { quote::quote!(impl Service { #expanded }) } else { expanded };
    let file: syn::File = syn::parse2(expanded).unwrap_or_else(|error| panic!("{item}: {error}"));
    format!("// #[{attribute}]\n// {item}\n\n{}", prettyplease::unparse(&file))
}
