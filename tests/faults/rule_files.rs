use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use xray_runtime::{BuildError, Recorder};

/// A file of this test, removed with the guard.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("faults-{}-{name}", std::process::id()));
        std::fs::File::create(&path).unwrap().write_all(content).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[track_caller]
fn refused(path: &std::path::Path) -> String {
    match Recorder::builder().sampling_rules_file(path).build() {
        Err(error @ BuildError::SamplingRulesFile(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_is_not_there_or_no_file_is_named() {
    for path in ["/nowhere/rules.json", "/", "", "a\0b"] {
        let text = refused(path.as_ref());
        assert!(text.contains("sampling rules"), "{text}");
        assert!(text.contains(path), "{text}");
    }
}

#[test]
fn what_is_no_rule_document_is_refused() {
    let deep = "[".repeat(100_000);
    for (name, content) in [
        ("empty", &b""[..]),
        ("text", b"version: 2"),
        ("binary", b"\xff\xfe\0\0"),
        ("array", b"[]"),
        ("null", b"null"),
        ("version", br#"{"version":99,"default":{"fixed_target":1,"rate":0.1}}"#),
        ("rate", br#"{"version":2,"default":{"fixed_target":1,"rate":1e400}}"#),
        ("negative", br#"{"version":2,"default":{"fixed_target":-1,"rate":0.1}}"#),
        ("deep", deep.as_bytes()),
    ] {
        let file = Scratch::new(name, content);
        let text = refused(&file.0);
        assert!(text.contains(file.0.to_str().unwrap()), "{name}: {text}");
        assert!(text.len() < 1_000, "{name}: {} bytes", text.len());
    }
}

#[test]
fn ten_megabytes_are_read_or_refused_in_time() {
    let begun = Instant::now();
    let junk = Scratch::new("junk", &vec![b'x'; 10 << 20]);
    assert!(refused(&junk.0).len() < 1_000);
    let rule = br#"{"host":"*","http_method":"*","url_path":"/no/*","fixed_target":0,"rate":0}"#;
    let mut document = br#"{"version":2,"default":{"fixed_target":1,"rate":1},"rules":["#.to_vec();
    while document.len() < 10 << 20 {
        document.extend_from_slice(rule);
        document.push(b',');
    }
    document.extend_from_slice(rule);
    document.extend_from_slice(b"]}");
    let many = Scratch::new("many", &document);
    match Recorder::builder().sampling_rules_file(&many.0).build() {
        Ok(recorder) => drop(recorder.begin_segment("s")),
        Err(error) => assert!(error.to_string().len() < 1_000),
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}
